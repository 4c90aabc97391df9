"""benchbox: benchmark suite and leaderboard for facial landmarks and gaze."""

__version__ = "0.1.0"
