"""File formats: .pts, MATLAB, HDF5, box lists, pictures, paths; the readers are next door."""
