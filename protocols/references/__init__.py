"""What papers report, row by row.

`benchbox.papers.reference_rows` documents the columns and checks the files.
"""
