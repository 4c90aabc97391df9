"""Rendered sets are those that their version is known by, and the bytes that were written."""

import json

import numpy as np
import pytest

from benchbox.errors import DataError
from benchbox.face_renderer import cache, image_sets, set_digests

FEW = cache.RenderPlan("few", (("outdoor", 3),), "300w-private")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCHBOX_CACHE", str(tmp_path))
    return cache.cache_folder(FEW)


def test_every_set_of_this_version_is_in_the_table():
    """Trap: a generator that changed without a new version drew other faces under the old name."""
    for kind, image_set in image_sets.SETS.items():
        assert (kind, image_set.version) in set_digests.known_digests(), (
            "python -m benchbox.face_renderer.set_digests writes it"
        )


@pytest.mark.parametrize("kind", ["300w-private", "300vw"])
def test_generators_draw_what_their_version_is_known_by(kind):
    check_labels(kind)


@pytest.mark.slow
@pytest.mark.parametrize("kind", image_sets.SETS)
def test_all_generators_draw_what_their_version_is_known_by(kind):
    check_labels(kind)


def check_labels(kind):
    plan = cache.plan_set(kind)
    known = set_digests.known_digests()[kind, plan.image_set.version]
    assert set_digests.hash_labels(cache.draw_labels(plan)) == known


def test_a_set_that_another_generator_drew_is_refused():
    plan = cache.plan_set("300w-private")
    columns = dict(cache.draw_labels(plan))
    set_digests.require_known_labels(plan, columns)
    # the last bits differ between processors
    shaken = {**columns, "detected": columns["detected"] + 1e-9}
    set_digests.require_known_labels(plan, shaken)
    moved = columns["values68"].copy()
    moved[7, 30] += 0.02
    with pytest.raises(DataError, match="are not those that this version draws"):
        set_digests.require_known_labels(plan, {**columns, "values68": moved})
    # a part of a set is not in the table
    set_digests.require_known_labels(FEW, {"values68": moved})


def test_one_flipped_bit_of_a_rendered_set_is_rendered_again(folder):
    whole = {name: np.array(column) for name, column in cache.load_columns(FEW, workers=1).items()}
    manifest = json.loads((folder / "manifest.json").read_text())
    assert sorted(manifest["crc32"]) == sorted(FEW.image_set.columns)
    for name in ("pixels", "values68"):
        content = bytearray((folder / f"{name}.npy").read_bytes())
        content[-9] ^= 1
        (folder / f"{name}.npy").write_bytes(content)
        assert cache.find_fault(FEW) == ""  # its size is right
        assert cache.find_fault(FEW, checked=[name]) == f"{name}.npy is not what was written"
        again = cache.load_columns(FEW, workers=1)
        np.testing.assert_array_equal(again[name], whole[name])


def test_sets_of_earlier_versions_without_checksums_are_used(folder):
    cache.load_columns(FEW, workers=1)
    file = folder / "manifest.json"
    manifest = json.loads(file.read_text())
    del manifest["crc32"]
    file.write_text(json.dumps(manifest))
    assert cache.find_fault(FEW, checked=list(FEW.image_set.columns)) == ""
