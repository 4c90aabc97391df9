"""What a node of a cluster does for `sweep`: run words and hand back what they said and made.

Ray ships this function by its code, not by its name, so that a node without benchbox can say what
it lacks. So it holds all that it needs and imports within itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Order:
    """What a node is to do."""

    words: Sequence[str]
    surroundings: Mapping[str, str]  # variables beside the node's own
    question: str = ""  # kept in a file that is named as the last word
    # folders to lay down first where they are missing, below the node's temporary folder: archives
    laid: Mapping[str, bytes] = field(default_factory=dict)
    fetched: str = ""  # the folder that is handed back, and deleted there, when all went well
    dropped: str = ""  # the folder that is deleted there in the end, whatever comes


# exit code, the last of what it said, the folder that was fetched
Yield = tuple[int, str, bytes]
LONGEST_SAID = 1 << 20
IN_TEMPORARY = "{temporary}"  # in words: the node's temporary folder


def make_worker() -> Callable[..., Yield]:
    """Return the function that a node runs, with the fields of an order as arguments."""

    def work(
        words: list[str],
        surroundings: dict[str, str],
        question: str,
        laid: dict[str, bytes],
        fetched: str,
        dropped: str,
        longest: int,
        mark: str,
    ) -> Yield:
        import io
        import os
        import shutil
        import signal
        import subprocess
        import tarfile
        import tempfile
        from contextlib import suppress
        from pathlib import Path

        top = tempfile.gettempdir()
        for place, packed in laid.items():
            target = Path(top) / place
            if packed and not target.exists():
                beside = Path(tempfile.mkdtemp(prefix="benchbox-", dir=top))
                with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
                    archive.extractall(beside, filter="data")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(beside, target)
        words = [word.replace(mark, top) for word in words]
        with tempfile.TemporaryFile() as said, tempfile.NamedTemporaryFile() as asked:
            if question:
                asked.write(question.encode())
                asked.flush()
                words.append(asked.name)
            # a session of its own, which ends with it; a pipe that ends with this process
            child = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=said,
                env={**os.environ, **surroundings},
                start_new_session=True,
            )
            try:
                code = child.wait()
            finally:
                child.stdin.close()  # type: ignore[union-attr]
                with suppress(subprocess.TimeoutExpired):
                    child.wait(timeout=20)
                with suppress(OSError, AttributeError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
            said.seek(max(0, said.seek(0, 2) - longest))
            text = said.read().decode(errors="replace")
        made = io.BytesIO()
        if fetched and code == 0:
            folder = Path(top) / fetched
            with tarfile.open(fileobj=made, mode="w") as archive:
                for path in sorted(folder.rglob("*")):
                    if path.is_file() and path.name != ".lock":
                        archive.add(path, path.relative_to(folder).as_posix())
            shutil.rmtree(folder, ignore_errors=True)
        if dropped:
            shutil.rmtree(Path(top) / dropped, ignore_errors=True)
        return code, text, made.getvalue()

    return work
