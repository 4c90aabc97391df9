"""What papers print: `reference_rows`, `claims` and `contradictions` within them.

What our results say about it is next door, in `analysis`.
"""
