"""benchbox: benchmark suite and leaderboard for facial landmarks and gaze.

From Python: `load_protocol`, `score`, `run`, `compare`, `load_results`, `manifest`, `references`.
They are imported when first asked for, so that `import benchbox` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .notebook.python_functions import (
        compare,
        load_protocol,
        load_results,
        manifest,
        references,
        run,
        score,
    )

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "compare",
    "load_protocol",
    "load_results",
    "manifest",
    "references",
    "run",
    "score",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import the functions when one is asked for."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from .notebook import python_functions

        return getattr(python_functions, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
