"""Metrics as pure functions: arrays in, arrays or floats out; truth first, prediction second.

Two steps everywhere: `error(truth, predictions) -> (N,)`, then `summary(errors) -> float`. Subsets,
curves, intervals and paired tests all start from the one vector of errors. Names: `metric_names`.
Errors: `landmarks`, `jitter`, `gaze`; summaries: `curves`, `aggregate`; what they are worth:
`bootstrap` (confidence intervals), `paired_tests`, `ranks` (ties on a leaderboard). What meets
predictions and truth is next door in `scoring`.
"""
