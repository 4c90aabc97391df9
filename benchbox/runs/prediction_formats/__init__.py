"""Predictions as other programs put them out: one file per writer, `prediction_writers` the table.

Readers return `FoundFaces`, in the writer's own frame; `match_faces` gives each annotated face the
one that overlaps it most, and brings points into the frame and the layout of the truth.
"""
