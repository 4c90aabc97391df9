"""Crops kept on disk: decoded once, never stale, whole or not there, bounded.

What cannot be kept is streamed.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import platformdirs
import pytest

from benchbox.errors import BenchboxError
from benchbox.training import crop_cache as module
from benchbox.training.crop_cache import StreamedCrops, cache_key, cached_crops
from benchbox.training.crops import Crops, CropViews, cut_crops
from benchbox.types import Sample

SIZE = 24
RAMP = np.stack(
    np.broadcast_arrays(np.arange(90)[None, :], np.arange(80)[:, None], 9), axis=-1
).astype(np.uint8)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache on a disk with room, however full this machine's is."""
    monkeypatch.setenv("BENCHBOX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "_spare_bytes", lambda folder: 10**9)
    return tmp_path / "cache" / "crops-v1"


class Decoder:
    """Pictures that count how often they are decoded, and stop after a number of them."""

    def __init__(self, stop: int = 10**9) -> None:
        self.count, self.stop = 0, stop

    def samples(self, count: int, stamp: str = "s") -> list[Sample]:
        def pixels(k: int) -> np.ndarray:
            self.count += 1
            if self.count > self.stop:
                raise KeyboardInterrupt
            return RAMP + np.uint8(k)

        boxes = [np.array([10.0 + k % 7, 12, 50 + k % 7, 60]) for k in range(count)]
        return [
            Sample(
                f"a/{k}",
                boxes[k],
                lambda k=k: pixels(k),
                cache_key=lambda k=k: stamp and f"{stamp}{k}",
            )
            for k in range(count)
        ]


def test_pictures_are_decoded_once_and_the_crops_are_the_same(cache):
    decoder = Decoder()
    samples = decoder.samples(150)
    first = cached_crops(samples, SIZE, 1.5)
    assert decoder.count == 150
    again = cached_crops(decoder.samples(150), SIZE, 1.5)
    assert decoder.count == 150
    assert isinstance(again, Crops)
    assert isinstance(again.images, np.memmap)
    wanted = cut_crops(samples, SIZE, 1.5)
    for found in (first, again):
        np.testing.assert_array_equal(found.images, wanted.images)
        np.testing.assert_array_equal(found.maps, wanted.maps)
    assert [path.suffix for path in sorted(cache.iterdir())] == [".lock", ".npy"]


def test_one_flipped_bit_costs_the_decoding_and_never_a_number(cache, capsys):
    """Trap: damaged pixels were trained on without a word."""
    decoder = Decoder()
    wanted = cut_crops(decoder.samples(5), SIZE, 1.5).images
    cached_crops(decoder.samples(5), SIZE, 1.5)
    (place,) = cache.glob("*.npy")
    whole = place.read_bytes()
    head = len(whole) - wanted.size - len("crc32 01234567")
    for at in (head, head + wanted.size // 2, len(whole) - 20, len(whole) - 3):
        flipped = bytearray(whole)
        flipped[at] ^= 4
        place.write_bytes(flipped)
        before = decoder.count
        np.testing.assert_array_equal(cached_crops(decoder.samples(5), SIZE, 1.5).images, wanted)
        assert decoder.count == before + 5
        assert "is damaged and decoded again" in capsys.readouterr().err
        assert place.read_bytes() == whole
    # a set of an earlier version has no checksum
    place.write_bytes(whole[: -len("crc32 01234567")])
    cached_crops(decoder.samples(5), SIZE, 1.5)
    assert place.read_bytes() == whole


def test_another_picture_box_id_or_size_is_another_set():
    """A stale crop would be a wrong number that nobody sees."""
    samples = Decoder().samples(3)
    moved = [
        Sample(s.id, s.box + np.array([0, 0, 0, 1e-9]), s.pixels, cache_key=s.cache_key)
        for s in samples
    ]
    renamed = [Sample(f"b{s.id}", s.box, s.pixels, cache_key=s.cache_key) for s in samples]
    others = [Decoder().samples(3, "t"), moved, renamed, samples[:2], samples[::-1]]
    keys = {cache_key(some, SIZE, 1.5) for some in (samples, *others)} | {
        cache_key(samples, 25, 1.5),
        cache_key(samples, SIZE, 1.4),
    }
    assert len(keys) == 8
    assert cache_key(Decoder().samples(3), SIZE, 1.5) == cache_key(samples, SIZE, 1.5)


def test_a_stray_write_does_not_reach_the_file(cache):
    samples = Decoder().samples(3)
    cached_crops(samples, SIZE, 1.5).images[:] = 7
    np.testing.assert_array_equal(
        cached_crops(samples, SIZE, 1.5).images, cut_crops(samples, SIZE, 1.5).images
    )


def test_a_kill_costs_no_decoded_row(cache, monkeypatch):
    monkeypatch.setattr(module, "CHUNK_ROWS", 8)
    broken = Decoder(stop=20)
    with pytest.raises(KeyboardInterrupt):
        cached_crops(broken.samples(40), SIZE, 1.5)
    (partial,) = cache.glob("*.partial")
    assert not list(cache.glob("*.npy"))
    with partial.open("ab") as file:
        file.write(b"half a row")  # what a kill in the middle of a write leaves
    decoder = Decoder()
    found = cached_crops(decoder.samples(40), SIZE, 1.5)
    assert decoder.count == 24  # 16 rows of two whole chunks were there
    np.testing.assert_array_equal(found.images, cut_crops(Decoder().samples(40), SIZE, 1.5).images)
    assert not list(cache.glob("*.partial"))


def test_a_damaged_set_is_made_again(cache):
    decoder = Decoder()
    cached_crops(decoder.samples(9), SIZE, 1.5)
    (path,) = cache.glob("*.npy")
    for damage in (b"", path.read_bytes()[:-5], b"\x93NUMPY junk"):
        path.write_bytes(damage)
        decoder.count = 0
        np.testing.assert_array_equal(
            cached_crops(decoder.samples(9), SIZE, 1.5).images,
            cut_crops(Decoder().samples(9), SIZE, 1.5).images,
        )
        assert decoder.count == 9


_CHILD = """
import os, time
import numpy as np
from benchbox.training import crop_cache as module
from benchbox.types import Sample

module._spare_bytes = lambda folder: 10**9

def pixels():
    os.write(1, b"decoded\\n")  # one write: threads do not cut lines
    time.sleep(0.01)
    return np.full((64, 64, 3), 9, np.uint8)

box = np.array([10.0, 10, 40, 40])
samples = [Sample(str(k), box, pixels, cache_key=lambda: "s") for k in range(40)]
print(int(module.cached_crops(samples, 16, 1.0).images.sum()))
"""


def test_two_processes_make_one_set(cache):
    """The second waits for the first and maps its bytes; neither reads a half-written row."""
    command = [sys.executable, "-c", _CHILD]
    children = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for _ in range(2)
    ]
    lines = [line for child in children for line in child.communicate(timeout=120)[0].split()]
    assert lines.count("decoded") == 40
    assert [line for line in lines if line != "decoded"] == [str(40 * 16 * 16 * 3 * 9)] * 2


def make_older(cache, name: str, seconds: float) -> None:
    path = cache / f"{cache_key(Decoder().samples(10, name), SIZE, 1.5)}.npy"
    os.utime(path, (path.stat().st_atime - seconds, path.stat().st_mtime - seconds))


def test_three_sets_that_do_not_fit_do_not_make_each_other_anew_for_ever(
    cache, monkeypatch, capsys
):
    """The trap: with the oldest one deleted each time, no turn finds what it needs."""
    monkeypatch.setenv("BENCHBOX_CACHE_GB", str(25 * SIZE * SIZE * 3 / 1e9))
    decoders = {name: Decoder() for name in "abc"}
    for _ in range(3):
        for name, decoder in decoders.items():
            assert len(cached_crops(decoder.samples(10, name), SIZE, 1.5)) == 10
    assert [decoder.count for decoder in decoders.values()] == [10, 10, 30]
    assert "sets of the last hour take 0.0 of 0.0 MB" in capsys.readouterr().err
    make_older(cache, "b", 4000)  # as when the other two are done with
    cached_crops(decoders["c"].samples(10, "c"), SIZE, 1.5)
    cached_crops(decoders["c"].samples(10, "c"), SIZE, 1.5)
    assert decoders["c"].count == 40


def test_memory_is_bounded_for_all_sets_together(cache, monkeypatch):
    """The trap: each of ten sets is a quarter of the memory."""
    monkeypatch.setenv("BENCHBOX_CACHE_GB", "1e-9")
    monkeypatch.setattr(module, "memory_limit_bytes", lambda: 4 * 25 * SIZE * SIZE * 3)
    held = [cached_crops(Decoder().samples(10, name), SIZE, 1.5) for name in "abc"]
    assert [isinstance(one, StreamedCrops) for one in held] == [False, False, True]
    del held[0]
    assert not isinstance(cached_crops(Decoder().samples(10, "d"), SIZE, 1.5), StreamedCrops)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs two users")
def test_two_users_share_a_cache(monkeypatch):
    """What one made the other maps; what is locked by one's file the other may still make."""
    with tempfile.TemporaryDirectory() as folder:  # those of pytest are closed to others
        monkeypatch.setenv("BENCHBOX_CACHE", folder)
        monkeypatch.setattr(module, "_spare_bytes", lambda folder: 10**9)
        share_cache(Path(folder) / "crops-v1")


def share_cache(cache: Path) -> None:
    first = cached_crops(Decoder().samples(10, "a"), SIZE, 1.5)
    for folder in (cache, cache.parent):
        folder.chmod(0o777)
    lock = cache / f"{cache_key(Decoder().samples(10, 'b'), SIZE, 1.5)}.lock"
    lock.write_text("")
    lock.chmod(0o644)
    os.seteuid(65534)
    try:
        other = Decoder()
        # no lazy import: that user may not read where libraries lie
        assert np.array_equal(cached_crops(other.samples(10, "a"), SIZE, 1.5).images, first.images)
        assert other.count == 0
        cached_crops(other.samples(10, "b"), SIZE, 1.5)
        cached_crops(other.samples(10, "b"), SIZE, 1.5)
        assert other.count == 10
    finally:
        os.seteuid(0)


def test_the_folder_stays_below_its_limit(cache, monkeypatch):
    """The set that was not used for longest goes.

    One that is mapped stays readable until it is let go.
    """
    row_mb = SIZE * SIZE * 3 / 1e6
    monkeypatch.setenv("BENCHBOX_CACHE_GB", str(25 * row_mb / 1e3))
    old, kept = (
        cached_crops(Decoder().samples(10, "old"), SIZE, 1.5),
        cached_crops(Decoder().samples(10, "kept"), SIZE, 1.5),
    )
    for age, name in ((8000, "old"), (7000, "kept")):
        make_older(cache, name, age)
    cached_crops(Decoder().samples(10, "new"), SIZE, 1.5)
    names = {path.stem for path in cache.glob("*.npy")}
    assert names == {
        cache_key(Decoder().samples(10, stamp), SIZE, 1.5) for stamp in ("kept", "new")
    }
    np.testing.assert_array_equal(old.images, kept.images)


def test_a_full_disk_costs_the_sets_not_used_for_longest_then_the_cache(cache, monkeypatch, capsys):
    row_bytes = SIZE * SIZE * 3
    cached_crops(Decoder().samples(10, "old"), SIZE, 1.5)
    make_older(cache, "old", 8000)
    monkeypatch.setattr(module, "_spare_bytes", lambda folder: 2 * row_bytes)
    cached_crops(Decoder().samples(10, "new"), SIZE, 1.5)  # fits once the old set is gone
    assert [path.stem for path in cache.glob("*.npy")] == [
        cache_key(Decoder().samples(10, "new"), SIZE, 1.5)
    ]
    assert "not kept" not in capsys.readouterr().err
    # does not fit whatever goes, so nothing goes
    assert len(cached_crops(Decoder().samples(30), SIZE, 1.5)) == 30
    assert [path.stem for path in cache.glob("*.npy")] == [
        cache_key(Decoder().samples(10, "new"), SIZE, 1.5)
    ]
    assert "0.1 MB are needed; the disk has 0.0 MB to spare" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("total", "free", "spare"),
    [(250e9, 24e9, 22e9), (4e12, 200e9, 198e9), (10e9, 1.5e9, 0.5e9), (10e9, 0.4e9, -0.6e9)],
)
def test_a_tenth_of_a_small_disk_and_two_gigabytes_of_a_large_one_stay_free(
    monkeypatch, tmp_path, total, free, spare
):
    """A tenth of a large disk is more than the cache itself.

    24 GB free, and not a megabyte was kept.
    """
    monkeypatch.setattr(
        module.shutil, "disk_usage", lambda folder: SimpleNamespace(total=total, free=free)
    )
    assert module._spare_bytes(tmp_path) == pytest.approx(spare)


def test_what_is_too_large_is_streamed_with_the_same_pixels(cache, monkeypatch):
    samples = Decoder().samples(30)
    monkeypatch.setenv("BENCHBOX_CACHE_GB", "1e-9")
    monkeypatch.setattr(module, "memory_limit_bytes", lambda: 1000)
    found = cached_crops(samples, SIZE, 1.5)
    assert isinstance(found, StreamedCrops)
    assert not cache.exists()
    rows, wanted = np.array([3, 29, 0]), cut_crops(samples, SIZE, 1.5)
    np.testing.assert_array_equal(found.take(rows), wanted.images[rows])
    import torch

    maps = torch.eye(2, 3).expand(3, 2, 3)
    assert torch.equal(
        CropViews(found, "cpu").sampler(rows)(maps, 16),
        CropViews(wanted, "cpu").sampler(rows)(maps, 16),
    )


def test_pictures_without_a_stamp_are_not_kept(cache):
    found = cached_crops(Decoder().samples(5, stamp=""), SIZE, 1.5)
    assert isinstance(found, Crops)
    assert not cache.exists()


def test_a_folder_that_cannot_be_written_costs_the_cache_only(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BENCHBOX_CACHE", str(tmp_path / "file"))
    assert len(cached_crops(Decoder().samples(5), SIZE, 1.5)) == 5
    assert "decoded pictures are not kept in" in capsys.readouterr().err


def test_a_set_of_a_cache_that_can_only_be_read_is_used(cache, monkeypatch, capsys):
    """Trap: a shared cache of another user is there, and every run decodes all pictures again."""
    decoder = Decoder()
    cached_crops(decoder.samples(4), SIZE, 1.5)

    def refuse(*arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "utime", refuse)
    cached_crops(decoder.samples(4), SIZE, 1.5)
    assert decoder.count == 4
    assert "not kept" not in capsys.readouterr().err


def test_a_limit_that_is_no_number_is_named(cache, monkeypatch):
    monkeypatch.setenv("BENCHBOX_CACHE_GB", "lots")
    with pytest.raises(
        BenchboxError, match="BENCHBOX_CACHE_GB=lots: must be a number of gigabytes"
    ):
        cached_crops(Decoder().samples(2), SIZE, 1.5)


def test_the_default_folder_is_the_users_cache(monkeypatch):
    monkeypatch.delenv("BENCHBOX_CACHE", raising=False)
    assert module.cache_folder() == Path(platformdirs.user_cache_dir("benchbox")) / "crops-v1"
