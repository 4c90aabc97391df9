"""Protocol cards: read (`protocol_card`), their keys (`schema`), `consistency` and `options`.

`describe` puts a card in words. Which rows of a dataset a card chooses is next door, in `datasets`.
"""
