"""Methods as plugins: their cards (`method_card`) and where they are found (`discovery`); loading one is here, running it is in `runs/`."""
