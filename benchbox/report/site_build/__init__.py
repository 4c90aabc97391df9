"""From planned pages to a folder of files: printing, processes, cache, manifest.

Next door: `pages` says which pages there are.
"""
