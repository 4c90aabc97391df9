"""Static pages from stored results.

`render_site` writes a site, `find_stale_files` says in what a written one differs, `export_table` returns one table for
other programs, `save_figures` writes its charts for papers. Scores and reference rows become values
(`rows`, `runs`, `charts`), values become page dataclasses (`pages`), and only then templates print
them (`site`). Nothing here trains, predicts or scores, and no picture of any dataset is read.
"""

from benchbox.report.site_build.site import (
    export_table,
    find_stale_files,
    render_site,
    save_figures,
)

__all__ = ["export_table", "find_stale_files", "render_site", "save_figures"]
