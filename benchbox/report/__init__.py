"""Static pages from stored results.

`render` writes a site, `stale` says in what a written one differs, `export` returns one table for
other programs, `save_figures` writes its charts for papers. Scores and reference rows become values
(`rows`, `runs`, `charts`), values become page dataclasses (`pages`), and only then templates print
them (`site`). Nothing here trains, predicts or scores, and no picture of any dataset is read.
"""

from benchbox.report.site_build.site import export, render, save_figures, stale

__all__ = ["export", "render", "save_figures", "stale"]
