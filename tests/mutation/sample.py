"""Draw a sample of the mutants of a session, so that a run ends within an hour on two cores.

python tests/mutation/sample.py SESSION.sqlite COUNT [SEED]

Mutants inside annotations are left out first: they change nothing at run time. Of the others COUNT
stay, each as likely as any other; the rest is marked as skipped.
"""

import ast
import random
import sys
from functools import cache
from pathlib import Path

from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import WorkerOutcome, WorkItem, WorkResult

Span = tuple[tuple[int, int], tuple[int, int]]  # line and column of the first and last character


@cache
def annotation_spans(path: Path) -> list[Span]:
    """Return where a module's annotations stand, and what only a type checker runs."""
    spans: list[Span] = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        parts: list[ast.AST | None] = []
        if isinstance(node, ast.FunctionDef):
            parts = [node.returns]
        elif isinstance(node, ast.arg | ast.AnnAssign):
            parts = [node.annotation]
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            parts = list(node.body)
        for part in parts:
            if part is not None:
                start, end = (part.lineno, part.col_offset), (part.end_lineno, part.end_col_offset)
                spans.append((start, end))
    return spans


def changes_nothing(item: WorkItem) -> bool:
    """Tell whether a mutant lies within an annotation."""
    mutation = item.mutations[0]
    for start, end in annotation_spans(Path(mutation.module_path)):
        if start <= mutation.start_pos <= end:
            return True
    return False


def mark_skipped(database: WorkDB, items: list[WorkItem]) -> None:
    """Mark mutants as skipped."""
    for item in items:
        result = WorkResult(
            output=None, test_outcome=None, diff=None, worker_outcome=WorkerOutcome.SKIPPED
        )
        database.set_result(item.job_id, result)


def main(session: str, count: int, seed: int = 0) -> None:
    """Keep `count` mutants of a session."""
    with use_db(session, WorkDB.Mode.open) as database:
        items = sorted(database.work_items, key=lambda item: str(item.mutations[0]))
        mutants = [item for item in items if not changes_nothing(item)]
        kept = random.Random(seed).sample(mutants, min(count, len(mutants)))
        chosen = {item.job_id for item in kept}
        mark_skipped(database, [item for item in items if item.job_id not in chosen])
    print(f"{len(items)} mutants, {len(mutants)} outside annotations, {len(kept)} drawn")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int((sys.argv[3:] or ["0"])[0]))
