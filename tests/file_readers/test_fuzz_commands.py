"""Damaged files met by the commands as a person types them: a value, or exit 2 and one line.

Slow: `-m slow` tries some hundred inputs. `BENCHBOX_FUZZ_S=900 pytest -m slow …` goes on for as
many seconds.
"""

import importlib.util
import json
import os
import random
import shutil
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchbox import datasets
from benchbox.cli import main
from benchbox.datasets import label_bounds
from benchbox.errors import BenchboxError

TESTS = Path(__file__).parents[1]
SECONDS = float(os.environ.get("BENCHBOX_FUZZ_S", "60"))
LARGEST_SCORE = 1e7  # %: of a face that is a few pixels wide, answered beside the picture
COCO = {
    "images": [{"id": 1, "file_name": "a.jpg", "width": 90, "height": 90}],
    "annotations": [{"id": 1, "image_id": 1, "bbox": [1, 1, 50, 50], "category_id": 1}],
    "categories": [{"id": 1, "name": "face"}],
}
OWN_CARD = """
name = "{name}"
title = "Own"
version = 1
task = "landmarks"
dataset = "files"
layout = "ibug68"
source = {{files = {{test = ["{file}"]}}, images = "."}}
train = {{parts = ["test"], labelled = 1.0, validation = 0.0}}
test = {{overall = "all", groups = {{all = ["test"]}}}}
box = {{source = "ground_truth", choices = ["ground_truth"], expansion = 1.0}}
"""


def module_of(path: str):
    spec = importlib.util.spec_from_file_location(Path(path).stem, TESTS / path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@dataclass(frozen=True)
class Place:
    """A file to damage and the commands that meet it."""

    file: Path
    commands: tuple[tuple[str, ...], ...]
    dataset: str = ""  # whose reader meets it


def lay_out(world, folder: Path) -> list[Place]:
    """Write datasets, cards, results and predictions of all kinds; return what to damage."""
    data = world.data
    module_of("datasets/landmarks/test_aflw.py").write(data)
    cofw = module_of("datasets/landmarks/test_cofw.py")
    cofw.hdf5(data / "cofw/COFW_train_color.mat", "train", 4)
    cofw.hdf5(data / "cofw/COFW_test_color.mat", "test", 3)
    cofw.write68(data)
    module_of("datasets/landmarks/test_ibug300w.py").make(data)
    module_of("datasets/landmarks/test_wflw.py").write(data)
    recording = module_of("datasets/gaze/gaze_folders.py").recording
    recording(data / "gazecapture")
    recording(data / "gazecapture", "00003", split="test", seed=1)
    places = []
    for name, pattern in {
        "aflw": "aflw/*.mat",
        "cofw": "cofw/*.mat",
        "cofw68": "cofw68/**/*.mat",
        "300w": "300w/**/*.mat",
        "wflw": "wflw/**/*.txt",
        "ytf68": "ytf68/*.csv",
        "gazecapture": "gazecapture/*/*.json",
    }.items():
        files = sorted(data.glob(pattern))
        assert files, name
        for file in files:
            places.append(Place(file, (("data", "verify", name, "--data", str(data)),), name))
    for file in (*data.glob("300w/afw/*.pts"), *data.glob("300w/afw/*.png")):
        places.append(Place(file, (("data", "verify", "300w", "--data", str(data)),), "300w"))
    places += _own_cards(world, folder)
    places += _results(world, folder)
    places += _predictions(world, folder)
    return places


def _own_cards(world, folder: Path) -> list[Place]:
    truth, places = world.truth, []
    header = "image," + ",".join(f"x{k},y{k}" for k in range(68))
    rows = [f"{k}.png," + ",".join(map(str, face.ravel())) for k, face in enumerate(truth)]
    (folder / "own.csv").write_text("\n".join([header, *rows]) + "\n")
    annotations = []
    for k, face in enumerate(truth):
        keypoints = np.c_[face, np.full(68, 2)].ravel().tolist()
        annotations.append({**COCO["annotations"][0], "id": k, "keypoints": keypoints})
    (folder / "own.json").write_text(json.dumps({**COCO, "annotations": annotations}))
    for suffix in ("csv", "json"):
        card = folder / f"own-{suffix}.toml"
        card.write_text(OWN_CARD.format(name=card.stem, file=f"own.{suffix}"))
        words = (("test", "protocol", str(card), "--data", str(folder)),)
        shown = (("show", "protocol", str(card)),)
        places += [Place(folder / f"own.{suffix}", words), Place(card, words + shown)]
    return places


def _results(world, folder: Path) -> list[Place]:
    for seed in ("0", "1"):
        words = ["run", "--method", "mean-shape", "--protocol", "tiny", "--seed", seed]
        done = CliRunner().invoke(
            main, [*words, "--data", str(world.data), "--results", str(world.results)]
        )
        assert done.exit_code == 0, done.output
    here = ("--results", str(world.results))
    runs = sorted(world.results.glob("*/*/*/*/run.json"))
    pair = tuple(str(run.parent) for run in runs[:2])
    reading = (("list", "results", *here), ("check", *here), ("compare", *pair))
    places = [Place(file, reading) for file in sorted(runs[0].parent.glob("*.*"))]
    baseline = folder / "baseline.json"
    CliRunner().invoke(main, ["check", *here, "--write-baseline", str(baseline)])
    places.append(Place(baseline, (("check", *here, "--baseline", str(baseline)),)))
    method = world.method("mine", "def predictor(weights, device):\n    return None\n")
    places.append(
        Place(method / "method.toml", (("show", "method", "mine", "--methods", str(method)),))
    )
    site = folder / "site"
    rendered = ("report", *here, "--out", str(site))
    CliRunner().invoke(main, rendered)
    places += [Place(file, (rendered,)) for file in (site / "manifest.json",) if file.is_file()]
    return places


def _predictions(world, folder: Path) -> list[Place]:
    ids, values = np.array(world.tested), world.truth + 1.0
    np.savez_compressed(folder / "p.npz", ids=ids, values=values)
    np.save(folder / "p.npy", values)
    (folder / "p.txt").write_text("\n".join(world.tested))
    header = "id," + ",".join(f"x{k},y{k}" for k in range(68))
    rows = [
        f"{name}," + ",".join(map(str, face.ravel()))
        for name, face in zip(ids, values, strict=True)
    ]
    (folder / "p.csv").write_text("\n".join([header, *rows]) + "\n")
    from scipy.io import savemat

    savemat(folder / "p.mat", {"points": values, "ids": ids.astype(object)[:, None]})
    _write_parquet(folder / "p.parquet", ids, values)
    places = []
    scored = ("score", "--protocol", "tiny", "--method", "m", "--data", str(world.data), "--json")
    for file in sorted(folder.glob("p.*")):
        words = (*scored, str(folder / "p.npy") if file.suffix == ".txt" else str(file))
        if file.suffix == ".mat":
            words += ("--origin", "0")
        explained = ("explain", "--protocol", "tiny", "--claimed", "4.2", "--data", str(world.data))
        commands = (words,)
        if file.suffix in (".npz", ".csv"):
            commands += ((*explained, str(file)),)
        places.append(Place(file, commands))
    return places


def _write_parquet(path: Path, ids, values) -> None:
    import pyarrow
    from pyarrow import parquet

    columns = {"id": ids.tolist()}
    for k in range(68):
        columns[f"x{k}"], columns[f"y{k}"] = values[:, k, 0], values[:, k, 1]
    parquet.write_table(pyarrow.table(columns), path)


def fault_of(result) -> str:
    """Say what is wrong with how a command ended, "" where nothing is."""
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        last = traceback.extract_tb(result.exception.__traceback__)
        inside = [frame for frame in last if "/benchbox/" in frame.filename][-1]
        place = f"{Path(inside.filename).name}:{inside.lineno}"
        return f"{type(result.exception).__name__} {place}"
    if result.exit_code not in (0, 1, 2):
        return f"exit {result.exit_code}"
    said = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    if result.exit_code == 2 and len(said) != 1:
        return f"{len(said)} lines of error"
    if any(len(line) > 2000 for line in said):
        return "LONG MESSAGE"
    return _absurd_score(result)


def _absurd_score(result) -> str:
    if result.exit_code or not result.stdout.startswith("{"):
        return ""
    document = json.loads(result.stdout)
    for group in document.get("scores", {}).values():
        for metric in group.values():
            value = metric.get("value") if isinstance(metric, dict) else None
            if isinstance(value, float) and not abs(value) < LARGEST_SCORE:
                return "NUMBER"
    return ""


def read_quickly(world, place: Place) -> str:
    """Read an index, which is most of what `data verify` reads, a hundred times as fast."""
    try:
        label_bounds.read_index(datasets.open_dataset(place.dataset), world.data)
    except BenchboxError as fault:
        return "" if "\n" not in str(fault) and len(str(fault)) < 2000 else "LONG MESSAGE"
    except Exception as fault:  # noqa: BLE001  the very thing that is looked for
        last = traceback.extract_tb(fault.__traceback__)
        inside = [frame for frame in last if "/benchbox/" in frame.filename][-1]
        return f"{type(fault).__name__} {Path(inside.filename).name}:{inside.lineno}"
    return ""


@pytest.mark.slow
def test_dataset_readers_end_damaged_files_in_an_index_or_one_line(world, tmp_path, monkeypatch):
    monkeypatch.setenv("BENCHBOX_CACHE", str(tmp_path / "cache"))
    (tmp_path / "work").mkdir()
    mutate = module_of("file_readers/mutations.py").mutate
    places = [place for place in lay_out(world, tmp_path / "work") if place.dataset]
    rng = random.Random(int(os.environ.get("BENCHBOX_FUZZ_SEED", "0")))
    started, tried = time.monotonic(), Counter()
    faults: dict[str, str] = {}
    while time.monotonic() - started < SECONDS:
        place = rng.choice(places)
        whole = place.file.read_bytes()
        place.file.write_bytes(mutate(whole, rng))
        fault = read_quickly(world, place)
        place.file.write_bytes(whole)
        tried[place.dataset] += 1
        if fault:
            faults.setdefault(fault, place.file.name)
    print(sum(tried.values()), "inputs tried;", dict(tried))
    assert not faults, faults


@pytest.mark.slow
def test_commands_end_damaged_files_in_a_value_or_one_line(world, tmp_path, monkeypatch):
    monkeypatch.setenv("BENCHBOX_CACHE", str(tmp_path / "cache"))
    (tmp_path / "work").mkdir()
    mutate = module_of("file_readers/mutations.py").mutate
    places = lay_out(world, tmp_path / "work")
    rng = random.Random(int(os.environ.get("BENCHBOX_FUZZ_SEED", "0")))
    started, tried = time.monotonic(), Counter()
    faults: dict[str, str] = {}
    kept = Path(os.environ.get("BENCHBOX_FUZZ_KEEP", tmp_path / "kept"))
    kept.mkdir(exist_ok=True)
    while time.monotonic() - started < SECONDS:
        place = rng.choice(places)
        whole = place.file.read_bytes()
        damaged = mutate(whole, rng)
        for words in place.commands:
            place.file.write_bytes(damaged)
            result = CliRunner().invoke(main, list(words))
            fault = fault_of(result)
            tried[f"{words[0]} {place.file.suffix}", fault == ""] += 1
            if fault and fault not in faults:
                faults[fault] = f"{place.file.name}: {' '.join(words[:3])}"
                shutil.copy(place.file, kept / f"{len(faults)}-{place.file.name}")
                (kept / f"{len(faults)}.txt").write_text(
                    f"{fault}\n{words}\n{result.output[:2000]}"
                )
        place.file.write_bytes(whole)
    print(sum(tried.values()), "inputs tried;", dict(tried))
    assert not faults, faults
