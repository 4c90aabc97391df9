"""Predictions and ground truth to numbers: errors per item (`error_table`), then scores (`score`); metrics are next door."""
