"""Methods of example-faces: a folder each."""
