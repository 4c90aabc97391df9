"""Readers of gaze datasets, a file each.

Angle conventions in `angles`, screens in `apple_devices`.
"""
