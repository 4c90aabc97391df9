"""One module per kind of page: which pages there are, what each rests on, how it is laid out.

Next door: `charts` and `tables` hold what is on them, `templates` print them.
"""
