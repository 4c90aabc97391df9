"""Charts: numbers first (`chart_values`), then drawings; pages place them."""
