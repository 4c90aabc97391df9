"""Charts as numbers (`chart_values`), drawn to SVG and PDF; tables are next door, `pages` place both."""
