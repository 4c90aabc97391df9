"""Tools for training recipes: crops, augmentation, train steps, checkpoints, networks.

Never a training loop of their own: those stand in `methods/`. What networks cost is in `costs/`.
"""
