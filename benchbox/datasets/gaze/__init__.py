"""Readers of gaze datasets, a file each; landmark sets and synthetic twins are next door.

Angle conventions are in `angles`, screens in `apple_devices`.
"""
