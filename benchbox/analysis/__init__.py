"""Results against results, papers and conventions.

`compare` and `regression_gate`, `check_papers`, `explain`; the numbers come from `scoring` next
door.
"""
