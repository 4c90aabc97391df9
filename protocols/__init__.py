"""Protocol cards and published numbers shipped with benchbox.

Read through benchbox.protocols.protocol_card.
"""
