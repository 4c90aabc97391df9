"""Pictures: channel order, orientation, depth, alpha and broken files.

Each test names the trap that it guards.
"""

import os
import struct
import zlib

import cv2
import numpy as np
import pytest

from benchbox.datasets.formats import images
from benchbox.errors import DataError

RGB = np.zeros((20, 30, 3), np.uint8)
RGB[:10, :, 0] = 200  # the upper half is red
RGB[10:, :, 2] = 100  # the lower half is blue


def jpeg(rgb=RGB):
    return cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()


def png(pixels):
    return cv2.imencode(".png", pixels)[1].tobytes()


def put(folder, raw, name="a.jpg"):
    path = folder / name
    path.write_bytes(raw)
    return path


def test_png_comes_back_as_rgb(tmp_path):
    path = put(tmp_path, png(RGB[..., ::-1]), "a.png")
    np.testing.assert_array_equal(images.decode_picture(path), RGB)  # trap: OpenCV's BGR
    assert images.picture_size(path) == (30, 20)
    assert images.has_end_marker(path)


def test_jpeg_comes_back_as_rgb(tmp_path):
    path = put(tmp_path, jpeg())
    decoded = images.decode_picture(path)
    assert decoded[2, 15, 0] > 150
    assert decoded[2, 15, 2] < 50
    assert images.picture_size(path) == (30, 20)
    assert images.has_end_marker(path)


def test_the_bytes_say_the_format_and_alpha_is_dropped(tmp_path):
    # The original ytf68 frames are RGBA PNGs named .jpg.
    rgba = np.dstack([RGB[..., ::-1], np.zeros((20, 30), np.uint8)])
    np.testing.assert_array_equal(images.decode_picture(put(tmp_path, png(rgba))), RGB)


def test_grey_becomes_three_equal_channels_and_16_bits_become_8(tmp_path):
    grey = np.arange(600, dtype=np.uint16).reshape(20, 30)
    decoded = images.decode_picture(put(tmp_path, png(grey.astype(np.uint8)), "a.png"))
    np.testing.assert_array_equal(decoded, np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2))
    deep = images.decode_picture(put(tmp_path, png(grey * 100), "b.png"))
    assert deep.dtype == np.uint8
    np.testing.assert_allclose(deep[..., 0], grey * 100 / 256, atol=1)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_exif_orientation_is_ignored(tmp_path, orientation):
    # Trap: cv2.imread turns the picture by default, and the landmarks then miss it.
    tiff = struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0" + tiff
    raw = jpeg()
    turned = raw[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + raw[2:]
    path = put(tmp_path, turned)
    if orientation == 6:  # the fixture is real: OpenCV's default does turn it
        assert cv2.imread(str(path)).shape == (30, 20, 3)
    assert images.picture_size(path) == (30, 20)
    np.testing.assert_array_equal(
        images.decode_picture(path), images.decode_picture(put(tmp_path, raw, "b.jpg"))
    )


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", r"a\.jpg: is neither a PNG nor a JPEG picture"),
        (b"GIF89a....", r"a\.jpg: is neither a PNG nor a JPEG picture \(it begins with b'GIF8'\)"),
        (b"<html>not found</html>", r"a\.jpg: is neither a PNG nor a JPEG picture"),
        (b"\xff\xd8\xff\xe0", r"a\.jpg: its header is broken"),
        (jpeg()[:40], r"a\.jpg: its header is broken"),
        (jpeg()[:-30], r"a\.jpg: the picture stops before its end marker"),
        (png(RGB)[:20], r"a\.jpg: its header is broken"),
        (png(RGB)[:-30], r"a\.jpg: the picture stops before its end marker"),
    ],
)
def test_what_is_no_whole_picture_is_refused_by_name(tmp_path, raw, message):
    with pytest.raises(DataError, match=message):
        images.decode_picture(put(tmp_path, raw))


def test_an_absent_picture_is_named(tmp_path):
    for act in (images.decode_picture, images.picture_size, images.has_end_marker):
        with pytest.raises(DataError, match=r"gone\.jpg: cannot be read"):
            act(tmp_path / "gone.jpg")


def test_the_header_is_believed_before_memory_is_taken(tmp_path):
    # A PNG bomb: 60,000 x 60,000 pixels in a few bytes.
    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    raw = b"\x89PNG\r\n\x1a\n" + chunk(
        b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    )
    raw += chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    path = put(tmp_path, raw)
    assert images.picture_size(path) == (60_000, 60_000)
    with pytest.raises(DataError, match=r"60000 x 60000 pixels are more than 64000000"):
        images.decode_picture(path)


def test_an_empty_picture_is_refused(tmp_path):
    raw = bytearray(png(RGB))
    raw[16:20] = bytes(4)
    with pytest.raises(DataError, match=r"is 0 x 20 pixels large"):
        images.picture_size(put(tmp_path, bytes(raw)))


def test_whole_looks_past_junk_after_the_end(tmp_path):
    assert images.has_end_marker(put(tmp_path, jpeg() + b"\0" * 10_000))
    assert images.has_end_marker(put(tmp_path, png(RGB) + b"\0" * 10_000))
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    assert not images.has_end_marker(put(tmp_path, jpeg(noise)[:-2]))
    assert not images.has_end_marker(put(tmp_path, png(noise)[:-20]))


def test_a_stamp_changes_with_the_file_and_reads_nothing(tmp_path):
    """Caches of decoded pixels trust it.

    Another picture in the same place must not pass for the old one.
    """
    path = put(tmp_path, jpeg())
    before = images.file_cache_key(path)
    assert images.file_cache_key(path) == before
    os.utime(path, ns=(0, 5))
    assert images.file_cache_key(path) == f"{path.stat().st_size}:5"
    path.write_bytes(jpeg() + b"x")
    assert images.file_cache_key(path) != before
    with pytest.raises(DataError, match=r"none\.jpg: cannot be read"):
        images.file_cache_key(tmp_path / "none.jpg")
