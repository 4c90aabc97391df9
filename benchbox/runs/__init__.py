"""From a job to a stored record: execute, predict, store, score files of others; on disk in `run_folders`."""
