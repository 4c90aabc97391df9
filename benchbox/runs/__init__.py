"""From a job to a stored record: execute, predict, store, score files of others.

On disk in `run_folders`.
"""
