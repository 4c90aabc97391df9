"""`run --isolate`: a method's code in a process of its own, which it cannot take others down with.

The whole run happens there, by the same code as in this process, so that its numbers are the same.
This process imports nothing of the method: it watches, and says in one line how the other one
ended where that one could not: by a signal, by an exit behind Python's back, beyond its limits.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from benchbox.errors import PluginError

from . import cell_process, limited_process, run_plan
from .limited_process import Limits

_ENDED_WELL = b"."
# The process says by a byte that Python itself came to the end, whatever the exit code: a method
# that calls exit in C leaves none.
_START = (
    "import os, sys; said = int(sys.argv.pop(1))\n"
    "try:\n"
    "    {start}\n"
    "finally:\n"
    f"    os.write(said, {_ENDED_WELL!r})"
)


def run_isolated(
    request: run_plan.RunRequest, seconds: float, memory_gb: float, options: Sequence[str] = ()
) -> int:
    """Run a request in a process of its own; return its exit code.

    `seconds` and `memory_gb` are limits, 0: none; `options` are further words of the command.
    Raises PluginError that blames the method for a process that ended otherwise than by returning.
    """
    run_plan.plan_run(request)  # what is unknown is told here
    blame = f"method {request.method!r}"
    limits = Limits(seconds, memory_gb, "--seconds", "--memory-gb")
    reads, writes = os.pipe()
    life, held = os.pipe()  # ends with this process, and so does the other one
    python, *words = cell_process.run_command(request)
    place = words.index("-c") + 1
    words[place] = _START.replace("{start}", words[place])
    words.insert(place + 1, str(writes))
    try:
        code = limited_process.run_limited(
            [python, *words, *options], blame, limits, pass_fds=(writes,), stdin=life
        )
    finally:
        for end in (writes, life, held):
            os.close(end)
        os.set_blocking(reads, False)
        try:
            said = os.read(reads, 1)
        except BlockingIOError:  # a child of the method's still held it
            said = b""
        os.close(reads)
    if said == _ENDED_WELL and code >= 0:
        return code
    raise PluginError(
        f"{blame} ended its process ({limited_process.describe_code(code)}); nothing was recorded, "
        "and the same command goes on from what it had finished"
    )


def is_supported() -> bool:
    """Tell whether this system can pass a pipe to a process."""
    return sys.platform != "win32"
