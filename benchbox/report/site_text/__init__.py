"""The prose of the documentation pages; see `guide`."""
