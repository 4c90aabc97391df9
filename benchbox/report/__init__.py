"""Static pages from stored results; nothing here trains, predicts or scores.

`inputs` reads runs and paper rows, `tables` and `charts` make values of them, `pages` says which
pages there are and lays them out, `site_build` prints them and writes files; `templates`, `assets`
and `site_text` are what pages need besides. Next door: `analysis` compares runs, `runs` keeps them.
No picture of any dataset is read.
"""

from benchbox.report.site_build.site import (
    export_table,
    find_stale_files,
    render_site,
    save_figures,
)

__all__ = ["export_table", "find_stale_files", "render_site", "save_figures"]
