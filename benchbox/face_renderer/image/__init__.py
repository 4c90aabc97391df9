"""From a scene's surface to pixels.

Raster, lens, backdrop, occluders and the simulated detector.
"""
