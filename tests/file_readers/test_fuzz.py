"""A fuzz target per reader: damaged bytes end in a value or in one line, never in anything else.

A few examples each by default, `-m slow` runs many. A target is a file that is right and what
reads it; what comes out is looked at where it holds numbers.
"""

import importlib.util
import json
import random
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchbox.datasets.formats import box_csv, delimited, exif, hdf5, images, pts
from benchbox.errors import BenchboxError
from benchbox.file_readers import (
    csv_files,
    json_files,
    matlab_files,
    numpy_files,
    parquet_files,
    toml_files,
    weight_files,
    xml_files,
)
from benchbox.papers import claims, reference_rows
from benchbox.plugins import method_schema
from benchbox.protocols import protocol_card
from benchbox.report.site_build import output
from benchbox.runs import gaze_predictions, prediction_files, pseudo_labels

_place = importlib.util.spec_from_file_location(
    "mutations", Path(__file__).with_name("mutations.py")
)
mutations = importlib.util.module_from_spec(_place)
_place.loader.exec_module(mutations)

TOP = Path(__file__).parents[2]
LONGEST_MESSAGE = 1500  # characters


@dataclass(frozen=True)
class Target:
    name: str  # of the file
    content: Callable[[Path], bytes]
    read: Callable[[Path], Any]


def packed(write: Callable[[Any], Any], suffix: str = "") -> Callable[[Path], bytes]:
    """Make content by a function that writes to a path."""

    def content(folder: Path) -> bytes:
        path = folder / f"seed{suffix}"
        write(path)
        return path.read_bytes()

    return content


def text(words: str) -> Callable[[Path], bytes]:
    return lambda folder: words.encode()


def of_file(path: Path) -> Callable[[Path], bytes]:
    return lambda folder: path.read_bytes()


def write_v5(path: Path) -> None:
    from scipy.io import savemat

    names = np.array([["a/1.jpg"], ["a/2.jpg"]], dtype=object)
    values = {"data": np.arange(12.0).reshape(2, 6), "names": names, "s": {"x": 1.0, "y": "text"}}
    savemat(path, values, do_compression=path.name.endswith("packed"))


def write_v73(path: Path) -> None:
    import h5py

    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset("phis", data=np.arange(12.0).reshape(6, 2))
        file.create_dataset("packed", data=np.zeros((64, 64)), compression="gzip", chunks=(16, 16))


def read_v73(path: Path) -> Any:
    with matlab_files.open_v73(path) as file:
        return [matlab_files.read_matrix(file, path, name) for name in ("phis", "packed")]


def write_npz(path: Path) -> None:
    with path.open("wb") as stream:
        np.savez_compressed(
            stream,
            ids=np.array(["a/1", "a/2", "b/1"]),
            values=np.arange(12.0).reshape(3, 2, 2),
            failed=np.zeros(3, bool),
        )


def write_lzma(path: Path) -> None:
    from benchbox.runs import array_files

    array_files.write_npz(path, {"ids": np.array(["a"]), "values": np.ones((1, 2))})


def write_gaze(path: Path) -> None:
    with path.open("wb") as stream:
        np.savez(stream, ids=np.array(["a", "b"]), values=np.ones((2, 3)) / 3**0.5)


def write_gaze_mat(path: Path) -> None:
    from scipy.io import savemat

    ids = np.array([["a"], ["b"]], dtype=object)
    savemat(path, {"values": np.ones((2, 3)), "ids": ids}, appendmat=False)


def write_gaze_hdf5(path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file["ids"] = ["a", "b"]
        file["values"] = np.ones((2, 3))


def write_gaze_v73(path: Path) -> None:
    import h5py

    with h5py.File(path, "w", userblock_size=512) as file:
        for name in "ab":
            file[f"#refs#/{name}"] = np.array([[ord(name)]], np.uint16)
        cells = [file[f"#refs#/{name}"].ref for name in "ab"]
        file["ids"] = np.array([cells], h5py.ref_dtype)
        file["values"] = np.ones((3, 2))


def write_labels(path: Path) -> None:
    ids, size = np.array(["a", "b"]), (1, 2)
    pseudo_labels.write_pseudo_labels(
        path,
        pseudo_labels.PseudoLabels(
            ids=ids,
            rounds=np.array([1]),
            students=np.array(["s"]),
            scores=np.ones(size),
            accepted=np.ones(size, bool),
            errors=np.ones(size),
            metric="nme_inter_ocular",
            total=2,
            shown=np.array([[0, -1]]),
            points=None,
            truth=None,
        ),
    )


def write_safetensors(path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"shape": np.ones((4, 2), np.float32)}, path, metadata={"facts": '{"a": "1"}'})


def write_state(path: Path) -> None:
    import torch

    torch.save({"layer.weight": torch.ones(2, 2)}, path)


def read_weights(path: Path) -> Any:
    from benchbox.training.pretrained import read_pretrained

    return read_pretrained(path)


def write_parquet(path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"id": ["a", "b"], "x0": [1.0, 2.0], "y0": [3.0, 4.0]}), path)


def picture(suffix: str) -> Callable[[Path], bytes]:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 40, 3), np.uint8)
    return lambda folder: cv2.imencode(suffix, pixels)[1].tobytes()


def read_csv(path: Path) -> Any:
    with csv_files.open_csv(path) as rows:
        return list(rows)


def read_references(path: Path) -> Any:
    return list(
        reference_rows._read_csv(path, reference_rows.PAPER_COLUMNS, reference_rows.PAPER_FURTHER)
    )


def read_card(path: Path) -> Any:
    return method_schema.read_card(path.parent)


def read_manifest(path: Path) -> Any:
    return output._files_in_manifest(path.parent)


def read_rows(path: Path) -> Any:
    ids, values, failed = prediction_files.read_rows(path)
    return ids, values, failed


CARD = (TOP / "protocols" / "synth-300w-full.toml").read_text()
METHOD = (TOP / "methods" / "glsr" / "method.toml").read_text()
POINTS = "version: 1\nn_points: 3\n{\n1.5 2.5\n3 4\n5 6\n}\n"
CSV = "id,x0,y0,x1,y1,failed\na/1,1,2,3,4,0\na/2,5,6,7,8,1\n"
XML = "<annotations><image name='a.jpg'><points label='x' points='1,2;3,4'/></image></annotations>"
COFW_TEXT = "1\n1 2 3\n4 5 6\n0 0 1\n2\n1 2 3\n4 5 6\n0 1 0\n"
JSON = json.dumps({"images": [{"id": 1, "file_name": "ä.jpg"}], "annotations": [[1.5, 2, None]]})
MANIFEST = output.encode_manifest({"index.html": "sha256:00", "a/b.html": "sha256:11"})

TARGETS = [
    Target("a.json", text(JSON), json_files.read_json),
    Target("a.toml", text(CARD), lambda path: toml_files.read_toml(path, largest=1 << 16)),
    Target("a.csv", text(CSV), read_csv),
    Target("a.xml", text(XML), xml_files.parse_xml),
    Target("a.npy", packed(lambda p: np.save(p, np.ones((3, 2))), ".npy"), numpy_files.read_npy),
    Target("b.npy", packed(lambda p: np.save(p, np.ones((3, 2))), ".npy"), numpy_files.map_npy),
    Target("a.npz", packed(write_npz), numpy_files.read_npz),
    Target("b.npz", packed(write_lzma), numpy_files.read_npz),
    Target("a.mat", packed(write_v5, ".mat"), lambda path: matlab_files.read_v5(path, None)),
    Target("b.mat", packed(write_v5, "_packed"), lambda path: matlab_files.read_v5(path, None)),
    Target("c.mat", packed(write_v5, "_packed"), matlab_files.list_v5),
    Target("d.mat", packed(write_v73), read_v73),
    Target("a.h5", packed(write_v73), lambda path: hdf5.read_column(path, "phis", (None, None))),
    Target("a.safetensors", packed(write_safetensors), weight_files.check_safetensors),
    Target("b.safetensors", packed(write_safetensors), read_weights),
    Target("a.pth", packed(write_state), read_weights),
    Target("a.parquet", packed(write_parquet), parquet_files.read_parquet),
    Target("a.pts", text(POINTS), pts.read_any_pts),
    Target("a.png", picture(".png"), images.decode_picture),
    Target("a.jpg", picture(".jpg"), images.decode_picture),
    Target("b.jpg", picture(".jpg"), exif.read_orientation),
    Target(
        "boxes.csv",
        text("id,x0,y0,x1,y1\na,1,2,3,4\n"),
        lambda path: list(box_csv._read_cells(path)),
    ),
    Target("t.csv", text(CSV), delimited.read_table),
    Target("t.label", text("Face 3DGaze\na.jpg 0.1,0.2,0.3\n"), delimited.read_table),
    Target("t.txt", text("a 1 2 3\nb 4 5 6\n"), delimited.read_table),
    Target("p.npz", packed(write_npz), read_rows),
    Target("p.csv", text(CSV), read_rows),
    Target("p.txt", text(COFW_TEXT), read_rows),
    Target("g.npz", packed(write_gaze), gaze_predictions.read_gaze_table),
    Target("g.csv", text("id,pitch,yaw\na,0.1,0.2\n"), gaze_predictions.read_gaze_table),
    Target("g.mat", packed(write_gaze_mat), gaze_predictions.read_gaze_table),
    Target("h.mat", packed(write_gaze_v73), gaze_predictions.read_gaze_table),
    Target("g.h5", packed(write_gaze_hdf5), gaze_predictions.read_gaze_table),
    Target("g.parquet", packed(write_parquet), gaze_predictions.read_gaze_table),
    Target("l.npz", packed(write_labels), pseudo_labels.read_pseudo_labels),
    Target("synth-300w-full.toml", text(CARD), lambda path: protocol_card.load_protocol(str(path))),
    Target("method.toml", text(METHOD), read_card),
    Target(
        "claims.toml",
        of_file(TOP / "protocols/references/claims.toml"),
        claims.read_claims,
    ),
    Target("papers.csv", of_file(TOP / "protocols/references/papers.csv"), read_references),
    Target("manifest.json", lambda folder: MANIFEST, read_manifest),
]


def check(target: Target, path: Path, content: bytes) -> str:
    """Read one content; return how it ended, and fail for an ending that is none."""
    path.write_bytes(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            target.read(path)
    except BenchboxError as fault:
        message = str(fault)
        assert "\n" not in message, message
        assert len(message) <= LONGEST_MESSAGE, message[:300]
        return "refused"
    return "read"


@pytest.fixture(scope="module")
def seeds(tmp_path_factory) -> dict[str, tuple[Path, bytes]]:
    made = {}
    for target in TARGETS:
        folder = tmp_path_factory.mktemp("seed")
        made[target.name] = folder / target.name, target.content(folder)
    return made


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_what_is_whole_is_read(target, seeds):
    path, content = seeds[target.name]
    assert check(target, path, content) == "read"


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_damage_is_a_value_or_one_line(target, seeds):
    path, content = seeds[target.name]

    @settings(
        max_examples=12,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, 2**32))
    def fuzz(seed: int) -> None:
        check(target, path, mutations.mutate(content, random.Random(seed)))

    fuzz()


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_much_damage_is_a_value_or_one_line(target, seeds):
    path, content = seeds[target.name]

    @settings(
        max_examples=1500, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.integers(0, 2**32))
    def fuzz(seed: int) -> None:
        check(target, path, mutations.mutate(content, random.Random(seed)))

    fuzz()
