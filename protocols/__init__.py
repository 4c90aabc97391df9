"""Protocol cards and published numbers shipped with benchbox; read through benchbox.protocol."""
