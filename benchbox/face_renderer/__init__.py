"""A synthetic world of faces: a parametric 3-D head, photographed.

Landmarks are fixed points of its surface.

surface → head (identity, expression, jaw, lids) → camera → raster → skin, eyes, hair, occluders →
picture. `scene.draw_scene(part, number)` draws one face, `render.render_picture(scene)` photographs
it. Everything is a function of the generator's version, the part and the number, never of the order
or the number of processes.
"""

# Raise it with every change that moves a landmark or a pixel: it enters each face's seed and the
# cache's folder name.
GENERATOR_VERSION = 4
