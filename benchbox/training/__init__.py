"""Torch tools for recipes: pixels, runtime, checkpoints, meters.

Tools, never a loop of their own.
"""
