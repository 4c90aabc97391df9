"""What a network costs: operations (`op_count`), time (`latency`), and what runs it (`inference_backends`)."""
