"""A large results folder of invented runs.

Files are shared between runs, so that thousands are made in seconds.
"""

import json
import os
from collections.abc import Iterator
from itertools import count, islice, product
from pathlib import Path
from typing import Any

import numpy as np

from benchbox.protocols import protocol_card
from benchbox.runs import run_integrity
from benchbox.types import Protocol

# different sets of per-face errors; runs share their files, so that a large folder is made in
# seconds
MOLDS = 24
STEPS = 400  # lines of a training log


def fabricate(
    results: Path, runs: int, protocols: tuple[Protocol, ...] = (), seeds: int = 5
) -> None:
    """Store `runs` invented runs: every protocol, then methods, variants, budgets, `seeds`."""
    cards = protocols or tuple(protocol_card.read_cards())
    molds = {
        card.name: [_mold(results.parent / "molds", card, k) for k in range(MOLDS)]
        for card in cards
    }
    for number, (card, method, variant, seed) in enumerate(islice(_places(cards, seeds), runs)):
        mold, scores, digests = molds[card.name][number % MOLDS]
        budget = ("quick", "paper")[variant % 2]
        name = f"v{variant}" + ("+budget=paper" if variant % 2 else "")
        folder = results / card.name / f"method-{method:03d}" / name / str(seed)
        folder.mkdir(parents=True)
        for file in mold.iterdir():
            os.link(file, folder / file.name)
        run = _record(card, f"method-{method:03d}", f"v{variant}", budget, seed)
        run["digests"]["predictions.npz"] = digests["predictions.npz"]
        document = {**scores, "card": card.card, "method": run["method"]}
        files = {**digests, "run.json": run_integrity.hash_document(run)}
        sealed = run_integrity.seal_scores(document, files)
        (folder / "scores.json").write_text(json.dumps(sealed, indent=1))
        (folder / "run.json").write_text(json.dumps(run, indent=1))


def _places(cards: tuple[Protocol, ...], seeds: int) -> Iterator[tuple[Protocol, int, int, int]]:
    for method, variant, seed, card in (
        (m, v, s, c) for m in count() for v, s, c in product(range(4), range(seeds), cards)
    ):
        yield card, method, variant, seed


def _mold(folder: Path, card: Protocol, number: int) -> tuple[Path, dict[str, Any], dict[str, str]]:
    """Write the files that runs share; return their folder, scores, and the files' digests."""
    random = np.random.default_rng(number)
    n, points = card.test_expected, ("", *(f"_{count}" for count in card.points))
    metrics = [f"nme_{normaliser}{suffix}" for normaliser in card.normalisers for suffix in points]
    fields = [(name, "<f8") for name in metrics] + [("failed", "?"), ("cluster", "<i4")]
    table = np.zeros(n, dtype=[*fields, *((f"in_{group}", "?") for group in card.groups)])
    for name in metrics:
        table[name] = 0.03 * (1 + number / MOLDS) * random.lognormal(0, 0.5, n)
    for k, group in enumerate(card.groups):
        table[f"in_{group}"] = (
            True if group == card.overall else np.arange(n) % len(card.groups) == k
        )
    place = folder / card.name / str(number)
    place.mkdir(parents=True)
    np.save(place / "errors.npy", table)
    ids = np.array([f"part/of/the/testset/face_{k:05d}" for k in range(n)])
    np.savez(
        place / "predictions.npz",
        ids=ids,
        values=np.zeros((n, 68, 2), "<f4"),
        failed=table["failed"],
    )
    lines = (
        f"stage{s},{k},{k // 9},{2.0 * 0.99**k + random.random():.6f},101.5,{k}"
        for s in (1, 2)
        for k in range(STEPS // 2)
    )
    (place / "log.csv").write_text(
        "stage,step,epoch,loss,samples_per_s,seconds\n" + "\n".join(lines) + "\n"
    )
    scores: dict[str, Any] = {}
    for group in card.groups:
        scores[group] = {}
        for name in metrics:
            values, rest = table[name][table[f"in_{group}"]], name.removeprefix("nme_")
            scores[group][name] = _score(float(values.mean() * 100), "%")
            for end in card.auc:
                scores[group][f"auc_{end:g}_{rest}"] = _score(
                    float(1 - np.minimum(values, end).mean() / end), "1"
                )
            for end in card.fr:
                scores[group][f"fr_{end:g}_{rest}"] = _score(
                    float((values > end).mean() * 100), "%"
                )
    head = {
        "schema": 1,
        "protocol": card.name,
        "n": n,
        "failed": 0,
    }
    digests = run_integrity.digest_files(place)
    return place, {**head, "scores": scores}, digests


def _score(value: float, unit: str) -> dict[str, Any]:
    return {
        "value": round(value, 10),
        "low": round(value * 0.95, 10),
        "high": round(value * 1.06, 10),
        "unit": unit,
    }


def _record(card: Protocol, method: str, variant: str, budget: str, seed: int) -> dict[str, Any]:
    """A run record with as many words as a real one."""
    params = {f"parameter_{k}": k / 7 for k in range(30)}
    return {
        "schema": 1,
        **{
            "kind": "trained",
            "method": method,
            "variant": variant,
            "overrides": {},
            "params": params,
        },
        **{
            "protocol": card.name,
            "card": card.card,
            "box": card.box,
            "seed": seed,
            "budget": budget,
        },
        "data": {
            "dataset": card.dataset,
            "variant": "complete",
            "fingerprint": "sha256:" + "cd" * 32,
            "notes": [],
        },
        "command": (
            f"benchbox run --method {method} --variant {variant}"
            f" --protocol {card.name} --seed {seed}"
        ),
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
        "digests": {
            "predictions.npz": "sha256:" + "ef" * 32,
            "weights": {"w.safetensors": "sha256:" + "ab" * 32},
        },
    }
