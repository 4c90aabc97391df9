"""What a network costs: operations, latency, inference backends (`training/` makes networks)."""
