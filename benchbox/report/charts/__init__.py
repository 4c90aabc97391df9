"""Charts as numbers, drawn to SVG and PDF; `tables` are next door, `pages` place both."""
