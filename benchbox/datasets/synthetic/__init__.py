"""Synthetic twins: rendered sets in the shape of the real ones, a row each in `twin_table`.

What renders them is `benchbox.face_renderer`; the real sets are next door.
"""
