"""Synthetic twins: rendered sets in the shape of the real ones, one module each; see `benchbox.face_renderer`."""
