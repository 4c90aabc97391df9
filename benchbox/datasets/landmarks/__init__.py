"""Readers of landmark datasets, a file each; file formats are in `formats`, gaze next door."""
