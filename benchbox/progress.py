"""Progress that moves on a terminal, and is one line for each step of the work in a log.

A log is read afterwards: a step that took a second or more is said once, when it is done, and every
ten minutes while it lasts. Quiet commands show none.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from tqdm import tqdm

from benchbox.process_rank import process_number

_LOG_PAUSE_S = 600.0
_SHORTEST_S = 1.0  # of a step that a log mentions
_quiet = False


def set_quiet(quiet: bool) -> None:
    """Show no progress from here on, or show it again."""
    global _quiet  # noqa: PLW0603 - one process has one stderr
    _quiet = quiet


def is_quiet() -> bool:
    """Tell whether no progress is shown."""
    return _quiet


def print_note(text: str) -> None:
    """Say a note on stderr, where no `say` is at hand; quiet commands and other ranks say none."""
    if not _quiet and process_number() == 0:
        sys.stderr.write(f"note: {text}\n")


class _LogLine(tqdm):  # type: ignore[misc]
    """A bar for a log: silent until it is closed."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._said_s, self._closed = time.monotonic(), False
        super().__init__(*args, **options)

    def display(self, *_: Any, **__: Any) -> bool:
        """Say where it is, at most every ten minutes."""
        if time.monotonic() - self._said_s >= _LOG_PAUSE_S:
            self._said_s = time.monotonic()
            self._say()
        return True

    def close(self) -> None:
        """Say what was done."""
        if _quiet or self.disable or self._closed:
            return
        self._closed = True
        if self.format_dict["elapsed"] >= _SHORTEST_S:
            self._say()
        self._decr_instances(self)

    def _say(self) -> None:
        facts = self.format_dict
        done, total = facts["n"], facts["total"]
        count = f"{done:,}" if total is None or done == total else f"{done:,} of {total:,}"
        elapsed = tqdm.format_interval(facts["elapsed"])
        after = f", {self.postfix}" if self.postfix else ""
        plural = "es" if self.unit.endswith("ch") else "s"
        title = self.desc.removesuffix(": ")
        line = f"{title}: {count} {self.unit}{plural} in {elapsed}{after}"
        self.fp.write(f"{line}\n")
        self.fp.flush()


def progress_bar(items: Any = None, *, desc: str, unit: str, **options: Any) -> Any:
    """Return a bar over items, or one to be moved by hand (`total=…`), as `tqdm` makes them."""
    kind = tqdm if sys.stderr.isatty() else _LogLine
    options.setdefault("mininterval", 0.5)
    silent = _quiet or process_number() > 0  # the first process of a run speaks for all
    return kind(items, desc=desc, unit=unit, file=sys.stderr, disable=silent, **options)
