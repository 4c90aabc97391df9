"""The command line: one module for each group of commands, what they share in `shared_options`.

Every heavy import is inside its command, so help and listings start at once. What commands do is
next door, in `runs`, `analysis`, `report` and `authoring`.

Exit codes: 0 done, 1 a check failed, 2 wrong use or missing data (one line on stderr), 130
interrupted. Anything else is a bug and keeps its traceback. `--json` prints one document on stdout;
progress and notes go to stderr.
"""

from . import (
    data_commands,
    list_and_show,
    method_commands,
    protocol_commands,
    result_commands,
    run_commands,
    stored_results,
    submit_commands,
)
from .main_group import add_loudness, main

__all__ = [
    "data_commands",
    "list_and_show",
    "main",
    "method_commands",
    "protocol_commands",
    "result_commands",
    "run_commands",
    "stored_results",
    "submit_commands",
]

add_loudness(main)
