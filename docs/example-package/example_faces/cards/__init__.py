"""Protocols of example-faces: a card each."""
