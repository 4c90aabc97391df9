"""Templates of the pages; a package so that a wheel carries them."""
