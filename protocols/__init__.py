"""Protocol cards and published numbers shipped with benchbox; read through benchbox.protocols.protocol_card."""
