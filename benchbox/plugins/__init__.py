"""Methods as plugins: where they are (`discovery`), their cards (`method_card`, `method_schema`).

`card_values` reads the values of all TOML cards. Running a method is next door, in `runs`.
"""
