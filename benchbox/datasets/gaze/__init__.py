"""Readers of gaze datasets, a file each; angle conventions in `angles`, screens in `apple_devices`."""
