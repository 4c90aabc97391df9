"""Predictions and ground truth to numbers: errors per item (`error_table`), then scores (`score`).

Metrics are next door.
"""
