"""Synthetic twins: rendered sets in the shape of the real ones, one module each.

See `benchbox.face_renderer`.
"""
