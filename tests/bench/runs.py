"""A results folder of invented runs in the store's own format, as large as one likes."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from benchbox.protocols import protocol_card
from benchbox.runs import array_files, prediction_files, run_folders
from benchbox.runs.run_record import parse_record
from benchbox.scoring.score import score_predictions, scores_to_json
from benchbox.types import Predictions, Truth

CARD = "synth-300w-full"
FACES = 689
SEEDS = 3
DATA = {
    "dataset": "synth-300w",
    "variant": "complete",
    "fingerprint": "sha256:" + "00" * 32,
    "notes": [],
}


def fabricate(results: Path, count: int) -> None:
    """Store `count` runs of methods that do not exist, three seeds each, every one with its own
    NME."""
    card = dataclasses.replace(protocol_card.load_protocol(CARD), resamples=200)
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 256, (FACES, 68, 2))
    ids = np.char.add("face/", np.arange(FACES).astype(str))
    common = np.arange(FACES) < 554
    groups = {"common": common, "challenging": ~common, "full": np.ones(FACES, bool)}
    given = Predictions(ids, truth + rng.normal(0, 3, truth.shape), np.zeros(FACES, bool))
    scores = score_predictions(card, Truth(ids, truth, groups, clusters=ids), given)
    shared = results / "predictions.npz"
    results.mkdir(parents=True)
    prediction_files.write_predictions(shared, given)
    digest = array_files.hash_content(shared)
    for number in range(count):
        method, seed = f"invented-{number // SEEDS:05d}", number % SEEDS
        folder = run_folders.run_folder(results, CARD, method, "base", seed)
        run_folders.work_folder(folder).mkdir(parents=True)
        os.link(shared, run_folders.predictions_file(folder))  # one answer serves all runs
        document = scores_to_json(
            scores, protocol=card, data=DATA, method=method, variant="base", kind="trained"
        )
        errors = scores.errors.copy()
        factor = 1 + 0.001 * number
        errors["nme_inter_ocular"] *= factor
        for metrics in document["scores"].values():
            metrics["nme_inter_ocular"]["value"] *= factor
        run_folders.save_scores(folder, json.loads(json.dumps(document)), errors)
        run_folders.finish_run(
            folder, parse_record(record(method, seed, card.card, digest), "run.json")
        )


def record(method: str, seed: int, card: str, digest: str) -> dict[str, Any]:
    """A run record with every field that a page prints."""
    return {
        "kind": "trained", "protocol": CARD, "method": method, "variant": "base", "overrides": {}, "params": {},  # noqa: E501
        "card": card, "box": "detector", "data": {**DATA, "train": 3148, "test": FACES}, "seed": seed,  # noqa: E501
        "budget": "quick", "command": f"benchbox run --method {method} --protocol {CARD}",
        "code": {"benchbox": "0.1.0", "commit": None, "dirty": None},
        "environment": {"python": "3.11", "torch": "2.13", "cpu": "invented", "cores": 2, "gpu": None},  # noqa: E501
        "started": "2020-01-01T00:00:00Z", "seconds": {"data": 1.0, "train": 1.0, "predict": 1.0, "score": 1.0},  # noqa: E501
        "training": {}, "test_looks": 1, "digests": {"predictions.npz": digest, "weights": {}},
    }  # fmt: skip
