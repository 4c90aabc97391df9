"""The command line. Every heavy import is inside its command, so help and listings start at once.

Exit codes: 0 done, 1 a check failed, 2 wrong use or missing data (one line on stderr), 130 interrupted. Anything else
is a bug and keeps its traceback. `--json` prints one document on stdout; progress and notes go to stderr.
"""

from . import author, data, listing, results, runs
from .common import main

__all__ = ["author", "data", "listing", "main", "results", "runs"]
