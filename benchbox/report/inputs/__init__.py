"""What pages are made of: runs, paper rows and synthetic items, read once; tables are next door."""
