"""What papers report, row by row; `benchbox.references` documents the columns and checks the files."""
