"""File formats that several readers share: .pts, MATLAB, HDF5, box lists, pictures, and paths that stay inside."""
