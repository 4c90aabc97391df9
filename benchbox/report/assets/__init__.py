"""Stylesheet, script and mark of the site; a package so that a wheel carries them."""
