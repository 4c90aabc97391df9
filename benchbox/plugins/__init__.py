"""Methods as plugins: their cards (`method_card`) and where they are found (`discovery`).

Loading one is here, running it is in `runs/`.
"""
