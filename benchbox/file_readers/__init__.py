"""Files of strangers → values: one guarded way to read each format, within stated bounds.

Sizes are believed before values: what a header claims is held against the size of the file and
against `bounds` before anything of that size is made. Whatever a library throws at a damaged file
becomes one `BenchboxError` with file and place. A FIFO, a device or a folder is no file.
"""
