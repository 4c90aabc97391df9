"""From a scene's surface to pixels: raster, lens, backdrop, occluders and the simulated detector."""
