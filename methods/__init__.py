"""Method plugins shipped with benchbox; read through benchbox.plugins."""
