"""Metrics as pure functions: arrays in, arrays or floats out; truth first, prediction second.

Two steps everywhere: `error(truth, predictions) -> (N,)`, then `summary(errors) -> float`. Subsets, curves, intervals
and paired tests all start from the one vector of errors. Errors: `landmarks`, `video`, `gaze`; summaries: `curves`,
`terms`; what they are worth: `stats` (intervals), `pairs` (paired tests), `ranks` (ties on a leaderboard).
"""
