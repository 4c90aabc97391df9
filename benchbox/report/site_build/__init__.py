"""From page values to a folder of files: plan, parallel rendering, templates, cache, output."""
