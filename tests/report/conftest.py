"""A small results folder of invented runs; the names say that nobody measured them."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchbox.papers.reference_rows import Paper, ReferenceRow, References
from benchbox.report.site_build import parallel
from benchbox.runs import array_files, prediction_files, run_folders
from benchbox.runs.run_record import parse_record
from benchbox.types import MethodCard, Predictions, Protocol, Run, Variant

COMMON, FACES = 30, 40  # the others are challenging
CARD = "sha256:" + "ab" * 32


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """One process makes all pages, so that tests see what it does."""
    monkeypatch.setattr(parallel, "_MAX_PROCESSES", 1)


DEMO = Protocol(
    name="demo-full",
    title="Demo: invented faces, full",
    task="landmarks",
    dataset="synth-300w",
    layout="ibug68",
    version=1,
    train_parts=("train",),
    train_expected=100,
    labelled=1.0,
    validation=0.0,
    groups={"common": ("a",), "challenging": ("b",), "full": ("a", "b")},
    overall="full",
    test_expected=FACES,
    box="detector",
    box_expansion=1.2,
    options={"box": ("detector", "ground_truth")},
    normalisers=("inter_ocular", "inter_pupil"),
    auc=(0.08,),
    fr=(0.08,),
    points=(51,),
    average="macro",
    failed="infinite",
    cluster="photo",
    interval=0.95,
    resamples=1000,
    twin="",
    notes=("Every number of this page is invented.",),
    card=CARD,
)


def invented(level: float, failed: int = 0) -> np.ndarray:
    """Errors of forty faces around `level` (a fraction), evenly; the challenging ones larger."""
    place = np.arange(FACES)
    easy = level * (0.5 + 1.0 * ((place * 7) % COMMON) / COMMON)
    errors = np.where(place < COMMON, easy, 2.0 * level * (0.6 + 0.08 * (place - COMMON)))
    names = {"nme_inter_ocular": 1.0, "nme_inter_pupil": 1.4, "nme_inter_ocular_51": 0.8}
    table = np.zeros(
        FACES,
        dtype=[
            *((name, "<f8") for name in names),
            ("failed", "?"),
            ("cluster", "<i4"),
            *((f"in_{group}", "?") for group in DEMO.groups),
        ],
    )
    table["failed"] = place >= FACES - failed
    for name, factor in names.items():
        table[name] = np.where(table["failed"], np.inf, errors * factor)
    table["cluster"] = place
    table["in_common"], table["in_challenging"], table["in_full"] = (
        place < COMMON,
        place >= COMMON,
        True,
    )
    return table


def invented_points(level: float) -> np.ndarray:
    """Statistics of 68 points in every group: errors that grow along the layout, to the right."""
    names = ("error", "bias_x", "bias_y", "var_x", "var_y", "cov_xy")
    table = np.zeros(
        68 * len(DEMO.groups),
        [("group", "<U11"), ("point", "<i4"), ("count", "<i4"), *((name, "<f4") for name in names)],
    )
    table["group"], table["point"] = (
        np.repeat(list(DEMO.groups), 68),
        np.tile(np.arange(68), len(DEMO.groups)),
    )
    grows = level * (0.5 + table["point"] / 67) * (1 + (table["group"] == "challenging"))
    table["count"], table["error"], table["bias_x"] = 30, grows, grows / 4
    table["var_x"], table["var_y"], table["cov_xy"] = grows**2, grows**2 / 4, grows**2 / 8
    return table


def summary(errors: np.ndarray) -> dict[str, dict[str, Any]]:
    """Scores of invented errors in the fixed format; the intervals are invented too."""
    groups: dict[str, dict[str, Any]] = {}
    for group in DEMO.groups:
        groups[group] = {}
        for name in ("nme_inter_ocular", "nme_inter_pupil", "nme_inter_ocular_51"):
            values = errors[name][errors[f"in_{group}"]]
            # equal bytes on every machine
            mean = round(float(values[np.isfinite(values)].mean()) * 100, 6)
            groups[group][name] = {
                "value": mean,
                "low": round(mean * 0.95, 6),
                "high": round(mean * 1.06, 6),
                "unit": "%",
            }
            rest = name.removeprefix("nme_")
            area = round(float(1 - np.minimum(values, 0.08).mean() / 0.08), 6)
            groups[group][f"auc_0.08_{rest}"] = {"value": area, "unit": "1"}
            groups[group][f"fr_0.08_{rest}"] = {
                "value": round(float((values > 0.08).mean()) * 100, 6),
                "unit": "%",
            }
    return groups


def record(**changes: Any) -> dict[str, Any]:
    """A run record in the store's format."""
    given = {
        "kind": "trained",
        "variant": "base",
        "overrides": {},
        "params": {"width": 8},
        "card": CARD,
        "box": "detector",
        "data": {
            "dataset": "synth-300w",
            "variant": "complete",
            "fingerprint": "sha256:" + "cd" * 32,
            "notes": [],
            "train": 100,
            "test": FACES,
        },
        "seed": 0,
        "budget": "quick",
        "command": "benchbox run --method demo-a --protocol demo-full",
        "code": {
            "benchbox": "0.1.0",
            "commit": "0123456789abcdef0123456789abcdef01234567",
            "dirty": False,
        },
        "environment": {
            "python": "3.11.2",
            "torch": "2.13.0",
            "cpu": "invented",
            "cores": 2,
            "gpu": None,
        },
        "started": "2020-01-01T00:00:00Z",
        "seconds": {"data": 1.5, "train": 60.25, "predict": 2.0, "score": 0.5},
        "training": {"samples": 1000, "samples_per_s": 16.6},
        "test_looks": 1,
        "digests": {"predictions.npz": "sha256:" + "ef" * 32, "weights": {}},
    }
    return {**given, **changes}


LOG = "stage,step,epoch,loss,samples_per_s,seconds\n" + "".join(
    f"{stage},{step},{step // 10},{scale * 0.9**step:.5f},100,{step}\n"
    for stage, scale in (("global", 1.0), ("local", 0.2))
    for step in range(1, 31)
)

Make = Callable[..., Run]


def write_run(
    results: Path,
    method: str,
    level: float,
    *,
    protocol: str = "demo-full",
    seed: int = 0,
    failed: int = 0,
    scores: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Run:
    """Store one invented run and return it."""
    document = record(**{"seed": seed, **changes})
    if document["kind"] != "trained":  # whoever was trained elsewhere must say so to be ranked
        document.setdefault("stated", {"seen_test": "no"})
    variant = run_folders.variant_folder(
        document["variant"], document["budget"] or "quick", document["overrides"]
    )
    folder = run_folders.run_folder(results, protocol, method, variant, seed)
    run_folders.work_folder(folder).mkdir(parents=True)
    (run_folders.work_folder(folder) / "log.csv").write_text(LOG)
    errors = invented(level, failed)
    ids = np.array([f"demo/face_{k:02d}" for k in range(FACES)])
    values = np.zeros((FACES, 68, 2))
    values[errors["failed"]] = np.nan
    prediction_files.write_predictions(
        run_folders.predictions_file(folder),
        Predictions(ids=ids, values=values, failed=errors["failed"]),
    )
    if "digests" not in changes:
        digest = array_files.hash_content(run_folders.predictions_file(folder))
        document["digests"] = {"predictions.npz": digest, "weights": {}}
    derived = {
        "schema": 1,
        "protocol": protocol,
        "card": document["card"],
        "data": {
            "variant": document["data"]["variant"],
            "fingerprint": document["data"]["fingerprint"],
        },
        "method": method,
        "variant": variant,
        "kind": document["kind"],
        "n": FACES,
        "failed": failed,
        "scores": summary(errors),
        **(scores or {}),
    }
    run_folders.save_scores(folder, derived, errors, invented_points(level))
    return run_folders.finish_run(
        folder, parse_record({"protocol": protocol, "method": method, **document}, "run.json")
    )


def renew_digest(folder: Path) -> None:
    """Write the digest of predictions that a test replaced into the record of their run."""
    document = json.loads((folder / "run.json").read_text())
    digest = array_files.hash_content(run_folders.predictions_file(folder))
    document["digests"]["predictions.npz"] = digest
    (folder / "run.json").write_text(json.dumps(document))
    run_folders.seal_again(folder)


def replace_errors(folder: Path, table: np.ndarray) -> None:
    """Store another error table (N,) of a run, sealed with its scores as they are."""
    array_files.write_npz(folder / "errors.npz", {"errors": table}, "fast")
    run_folders.seal_again(folder)


@pytest.fixture
def demo() -> Protocol:
    return DEMO


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return a function that stores an invented run below tmp_path/results."""

    def one(method: str, level: float, **options: Any) -> Run:
        return write_run(tmp_path / "results", method, level, **options)

    return one


@pytest.fixture
def results(tmp_path: Path, make: Make) -> Path:
    """A results folder with one run of every sort that a page treats differently."""
    every_sort(make)
    return tmp_path / "results"


def every_sort(make: Make) -> None:
    """Store one run of every sort."""
    make("demo-a", 0.040)
    make("demo-a", 0.042, seed=1)
    make("demo-b", 0.050, failed=2, variant="wide", budget="paper")
    make("demo-b", 0.045, variant="wide", overrides={"loss": "l1"})
    make("demo-a", 0.090, budget="smoke")
    make("demo-c", 0.060, data={**record()["data"], "variant": "train 60 of 100", "train": 60})
    make(
        "demo-d",
        0.055,
        kind="submitted",
        variant="submitted",
        budget=None,
        command="benchbox score demo-d.npz",
    )
    make("demo-e", 0.035, card="sha256:" + "00" * 32)


@pytest.fixture
def demo_card(tmp_path: Path) -> MethodCard:
    """The card of an invented method, its README beside it."""
    return method_card(tmp_path)


def method_card(place: Path) -> MethodCard:
    """Write a README below `place` and return the card beside it."""
    folder = place / "demo_b"
    folder.mkdir()
    (folder / "README.md").write_text(
        "# Demo B\n\nIt is *invented* & does `a < b`.\n\n- one\n- two\n"
    )
    return MethodCard(
        name="demo-b",
        title="Demo B",
        task=("landmarks",),
        summary="An invented method.",
        paper={
            "title": "A title",
            "authors": "A. Author",
            "venue": "Venue",
            "year": "2020",
            "url": "https://example.org",
        },
        default="wide",
        variants={"wide": Variant("wide", "The wide one", {"width": 8})},
        params={"width": 4, "loss": "l2"},
        budgets={"smoke": {"epochs": 1}, "quick": {"epochs": 5}, "paper": {}},
        folder=folder,
        module="",
        source="demo",
    )


@pytest.fixture
def demo_references() -> References:
    """Invented reference rows."""
    return quoted_rows()


def quoted_rows() -> References:
    """Invented paper rows: one fits, one stands twice, one has other options, one normaliser."""
    cells = [
        ("Table 1", "Alpha", "demo-full", "full", "4.10", "nme_inter_ocular", "", "a note"),
        ("Table 1", "Alpha", "demo-full", "common", "3.20", "nme_inter_ocular", "", ""),
        ("Table 2", "Alpha", "demo-full", "full", "4.1", "nme_inter_ocular", "", ""),
        (
            "Table 1",
            "Beta",
            "demo-full+box=ground_truth",
            "full",
            "3.00",
            "nme_inter_ocular",
            "",
            "",
        ),
        (
            "Table 1",
            "Gamma",
            "demo-full",
            "full",
            "3.50",
            "nme_inter_pupil",
            "inter-pupil, though the table says",
            "",
        ),
        ("Table 1", "Delta", "other", "full", "1.00", "nme_inter_ocular", "", ""),
        ("Table 3", "Epsilon", "demo-full", "full", "", "nme_inter_ocular", "", ""),
    ]
    rows = tuple(
        ReferenceRow(
            paper="paper-x",
            line=number,
            table=table,
            method=method,
            cites="",
            setting="",
            dataset="demo",
            subset=group,
            measure="NME",
            normaliser="inter_ocular",
            threshold="",
            printed=printed,
            value=float(printed) if printed else None,
            unit="%",
            own=False,
            protocols=(protocol,),
            group=group,
            metric=metric,
            apart=apart,
            note=note,
            box="ground_truth" if "ground_truth" in protocol else "detector",
        )
        for number, (table, method, protocol, group, printed, metric, apart, note) in enumerate(
            cells, start=2
        )
    )
    paper = Paper(
        "paper-x",
        "Paper X",
        "Invented numbers",
        "A. Author",
        "Venue",
        "2020",
        "https://example.org/x",
    )
    return References({"paper-x": paper}, rows)
