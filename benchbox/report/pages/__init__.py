"""One module per kind of page, and the dataclasses that templates print (`page_types`)."""
