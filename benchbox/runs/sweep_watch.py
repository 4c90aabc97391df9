"""What a sweep shows while it runs: a table that moves on a terminal, a line for each end in a log.

>>> from benchbox.runs.run_plan import RunRequest
>>> cells = [RunRequest("sir", "cofw", "sir", seed) for seed in (1, 2)]
>>> watch = LiveTable(cells)
>>> watch.started(cells[0], "10.0.0.2 (a1b2c3d4)")
>>> watch.ended(cells[1], "done")
>>> for line in watch.lines(80):
...     print(line)
protocol  method   1                    2
cofw      sir:sir  10.0.0.2 (a1b2c3d4)  done
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchbox import progress
from benchbox.text_table import align_columns, terminal_width

from .run_plan import RunRequest

TRIES = 3  # of a cell whose node is lost
# no exit code is negative beyond signals: a cell that was lost with its nodes, one without a node
LOST, NO_ROOM = -1001, -1002
_WAITS = "·"
_SEEDS_SHOWN = 6  # columns; more are counted
_MOST_LINES = 30


class Watch:
    """Hears what becomes of the cells of a sweep; this one says what must be said."""

    def started(self, request: RunRequest, where: str) -> None:
        """Hear that a cell has been given to a machine."""

    def ended(self, request: RunRequest, outcome: str) -> None:
        """Hear how a cell ended."""

    def heard(self, text: str) -> None:
        """Say a note or a warning."""
        if not progress.is_quiet() or text.startswith("warning: "):
            self.error(text)

    def more(self, text: str) -> None:
        """Say what is only for those who asked for more."""
        if self.verbose and text.strip():
            self.error(text.rstrip())

    def error(self, text: str) -> None:
        """Say why a cell failed, quiet or not."""
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Hear that no more follows."""

    verbose = False


class LiveTable(Watch):
    """A line a method and protocol, a column a seed, redrawn below whatever is said."""

    def __init__(self, cells: Sequence[RunRequest]) -> None:
        self._states = {self._key(cell): _WAITS for cell in cells}
        self._drawn = 0

    def started(self, request: RunRequest, where: str) -> None:
        """Show where a cell is."""
        self._states[self._key(request)] = where
        self._draw()

    def ended(self, request: RunRequest, outcome: str) -> None:
        """Show how a cell ended, in a word."""
        word = outcome.partition(",")[0].partition(":")[0]
        self._states[self._key(request)] = word
        self._draw()

    def error(self, text: str) -> None:
        """Say something above the table."""
        self._erase()
        super().error(text)
        self._draw()

    def close(self) -> None:
        """Take the table away: what it says is printed as a whole."""
        self._erase()

    def lines(self, width: int) -> list[str]:
        """Return the table."""
        seeds = sorted({seed for _, _, seed in self._states})
        shown = seeds[:_SEEDS_SHOWN] if len(seeds) > _SEEDS_SHOWN else seeds
        head = ["protocol", "method", *map(str, shown)]
        rows = [head]
        for protocol, method in dict.fromkeys(key[:2] for key in self._states):
            row = [self._states.get((protocol, method, seed), "") for seed in shown]
            rows.append([protocol, method, *row])
        if len(seeds) > len(shown):
            for row in rows:
                rest = [self._states.get((row[0], row[1], seed)) for seed in seeds[len(shown) :]]
                done = sum(state == "done" for state in rest)
                row.append("…" if row is head else f"{done} of {len(rest)} done")
        return [line[:width] for line in align_columns(rows, width=10**6)][:_MOST_LINES]

    def _draw(self) -> None:
        self._erase()
        lines = self.lines(terminal_width() - 1)
        sys.stderr.write("".join(f"{line}\n" for line in lines))
        sys.stderr.flush()
        self._drawn = len(lines)

    def _erase(self) -> None:
        if self._drawn:
            sys.stderr.write(f"\x1b[{self._drawn}A\x1b[J")
            self._drawn = 0

    @staticmethod
    def _key(request: RunRequest) -> tuple[str, str, int]:
        method = f"{request.method}:{request.variant}"
        if request.weights_of is not None:
            method += f" of {request.weights_of.parts[-4]}"
        return request.protocol, method, request.seed
