"""Gold pages: one page of each kind, byte for byte.

After a wanted change, look at the pages and write them anew with `BENCHBOX_GOLD=update python -m
pytest tests/report/test_gold.py`, then read the diff before committing it.
"""

import os
from pathlib import Path

import pytest

from benchbox.papers.reference_rows import References
from benchbox.report.inputs import results
from benchbox.report.pages import leaderboard_page
from benchbox.report.pages.shared_data import Sources
from benchbox.report.site_build import site
from benchbox.types import MethodCard, Protocol

GOLD = Path(__file__).parent / "gold"
PAGES = {
    "index.html": "index.html",
    "protocol/demo-full.html": "board.html",
    "method/demo-b.html": "method.html",
    "run/demo-full/demo-b/wide-budget-paper-*/0.html": "run.html",
}


@pytest.fixture
def made(
    results: Path,
    demo: Protocol,
    demo_card: MethodCard,
    demo_references: References,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, bytes]:
    monkeypatch.setattr(
        leaderboard_page.protocol_card,
        "describe_protocol",
        lambda protocol: f"{protocol.name} in words",
    )
    return site.render_files(sources(results, demo, demo_card, demo_references))


def sources(
    folder: Path, demo: Protocol, demo_card: MethodCard, demo_references: References
) -> Sources:
    (folder / "demo-full" / "demo-z" / "base" / "0").mkdir(parents=True)
    (folder / "demo-full" / "demo-z" / "base" / "0" / "run.json").write_text("{")
    found, problems = results.read_results(folder)
    return Sources((demo,), (demo_card,), demo_references, tuple(found), tuple(problems))


@pytest.mark.parametrize(("pattern", "name"), PAGES.items())
def test_page_is_the_gold_page(made, tmp_path, pattern, name):
    path = next(path for path in made if Path(path).match(pattern))
    if os.environ.get("BENCHBOX_GOLD") == "update":
        GOLD.mkdir(exist_ok=True)
        (GOLD / name).write_bytes(made[path])
    actual = tmp_path / name
    actual.write_bytes(made[path])
    assert made[path].decode() == (GOLD / name).read_text(encoding="utf-8"), (
        f"differs; compare with {actual}"
    )
