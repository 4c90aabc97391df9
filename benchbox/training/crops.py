"""From pictures to network inputs.

Decode each picture once, then warp, retouch and normalise in batches.

`cut_crops` cuts a generous square around every face as uint8 (`crop_cache.cached_crops` keeps it on
disk); all later views (box crops, perturbed boxes, normalised faces, patches of parts) are affine
warps of that square. A view is named by the map from its own pixels to the pixels of the stored
crop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchbox import geometry

from .host_to_device import PinnedRing, upload_array
from .prefetch import count_data_wait
from .process_setup import count_cores

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats, Sample


_COPY_ROWS = 256  # crops copied to a device at a time


# --- crops ----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Crops:
    """Stored squares around faces.

    `images` (N, S, S, 3) RGB uint8 and `maps` (N, 2, 3), picture px → crop px.
    """

    images: Bytes
    maps: Floats

    def __len__(self) -> int:
        return len(self.images)

    @property
    def side(self) -> int:
        """Width of a square, px."""
        return int(self.images.shape[1])

    def take(self, rows: np.ndarray, out: Bytes | None = None) -> Bytes:
        """Copy the given rows, (n, S, S, 3), into `out` when given."""
        if out is None:
            out = np.empty((len(rows), *self.images.shape[1:]), np.uint8)
        for place, row in zip(out, rows, strict=True):
            place[...] = self.images[row]
        return out


class CropSource(Protocol):
    """What views are looked at from.

    `Crops`, or `crop_cache.StreamedCrops` where a set is too large to keep.
    """

    def __len__(self) -> int: ...

    @property
    def maps(self) -> Floats:
        """Maps (N, 2, 3), picture px → crop px."""

    @property
    def side(self) -> int:
        """Width of a square, px."""

    def take(self, rows: np.ndarray, out: Bytes | None = None) -> Bytes:
        """Return the given rows, (n, S, S, 3), written into `out` when given."""


def crop_maps(samples: Sequence[Sample], size: int, expansion: float) -> Floats:
    """Return the maps (N, 2, 3) from picture px to px of the crop.

    The crop is the square of `expansion` x the longer side about each sample's box, `size` px wide.

    >>> from benchbox.types import Sample
    >>> face = Sample("a", np.array([10.0, 20, 30, 60]), lambda: np.zeros((80, 80, 3), np.uint8))
    >>> to_crop = crop_maps([face], 80, 2.0)
    >>> geometry.transform_points(to_crop, np.array([[[20.0, 40.0]]]))  # the box's centre
    array([[[39.5, 39.5]]])
    """
    boxes = np.stack([sample.box for sample in samples])
    return geometry.box_to_crop(geometry.square_boxes(boxes, expansion), size)


def cut_crops(samples: Sequence[Sample], size: int, expansion: float) -> Crops:
    """Cut a square of `expansion` x the longer box side around each sample's box, `size` px wide.

    Black outside. Holds all N crops in memory: N · size² · 3 bytes.
    """
    maps = crop_maps(samples, size, expansion)
    return Crops(fill_crops(np.empty((len(samples), size, size, 3), np.uint8), samples, maps), maps)


def fill_crops(out: Bytes, samples: Sequence[Sample], maps: Floats) -> Bytes:
    """Decode and cut samples into `out` (n, S, S, 3) through maps (n, 2, 3) picture px → crop px.

    On all cores; each picture is in memory only while it is cut.
    """
    with ThreadPoolExecutor(count_cores()) as pool:
        for _ in pool.map(_cut_crop, samples, maps, out):
            pass
    return out


def _cut_crop(sample: Sample, matrix: Floats, out: Bytes) -> None:
    picture = sample.pixels()
    # Shrinking by more than two aliases under bilinear sampling: average first, keeping pixel
    # centres aligned.
    factor = int(1 / max(float(np.hypot(*matrix[:, 0])), 1e-6))
    if factor >= 2:
        height, width = (side // factor * factor for side in picture.shape[:2])
        size = (width // factor, height // factor)
        picture = cv2.resize(picture[:height, :width], size, interpolation=cv2.INTER_AREA)
        grow = np.array([[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2]])
        matrix = geometry.compose_maps(matrix, grow)
    _BufferedWarp(len(out))(picture, geometry.invert_maps(matrix), out)


# --- views ----------------------------------------------------------------------------------------


class Retouch(Protocol):
    """A change of views before they are normalised, the same on bytes and on tensors.

    `augment.AugmentationDraw`.
    """

    def on_bytes(self, row: int, view: Bytes) -> None:
        """Change view `row` (side, side, 3) in place."""

    def on_tensor(self, views: Tensor) -> Tensor:
        """Change views (n, 3, side, side) of values 0 … 255."""


class CropViews:
    """Views of stored crops on a device, each named by its map to the crop; frames are [-1, 1]².

    On a CPU a view that needs no gradient is warped as uint8 and normalised while it is in the
    cache, several times as fast as sampling floats; on a GPU, and where a gradient must reach the
    map, crops are sampled as tensors. Both are bilinear and black outside. A GPU holds the crops
    itself where half of its free memory has room for them; else each batch travels through pinned
    memory on a stream of its own.
    """

    def __init__(self, stored: CropSource, device: str) -> None:
        self.stored, self.device = stored, device
        self.images: Tensor | None = None
        self.ring: PinnedRing | None = None
        if device != "cpu":
            self.images = _copy_to_device(stored, device)
            if self.images is None:
                self.ring = PinnedRing(device)

    def sampler(
        self, rows: np.ndarray, colour: Tensor | None = None, touch: Retouch | None = None
    ) -> Callable[[Tensor, int], Tensor]:
        """Return a function (maps, side) → views (n, 3, side, side) in [-1, 1].

        `rows` (n,) are the crops to look at; the function's maps (n, 2, 3) are view → crop.

        `colour` (n, 2, 3) is a gain and an offset per channel, applied to [-1, 1] values after
        `touch`.
        """
        if self.device == "cpu":
            held = self.stored
            images, places = (
                (held.images, rows)
                if isinstance(held, Crops)
                else (held.take(rows), np.arange(len(rows)))
            )

            def view(maps: Tensor, side: int) -> Tensor:
                if not maps.requires_grad:
                    with count_data_wait():
                        return warp_normalised(
                            images, places, self._pixel_maps(maps, side), side, colour, touch
                        )
                return _sample_normalised(
                    _to_float_images(torch.from_numpy(images[places])), maps, side, colour, touch
                )

            return view

        return DeviceSampler(self._fetch(rows), colour, touch)

    def _fetch(self, rows: np.ndarray) -> Callable[[], Tensor]:
        """Return what gives the rows (n, S, S, 3) uint8 on the device.

        Copies that must travel start now.
        """
        if self.images is not None:
            images, places = self.images, upload_array(rows, self.device)
            return lambda: images[places]
        assert self.ring is not None
        shape = (len(rows), self.stored.side, self.stored.side, 3)
        return self.ring.send(shape, lambda out: self.stored.take(rows, out))

    def _pixel_maps(self, maps: Tensor, side: int) -> Floats:
        into = geometry.invert_maps(geometry.unit_to_crop(side))
        out = geometry.unit_to_crop(self.stored.side)
        return geometry.compose_maps(
            out, geometry.compose_maps(maps.detach().double().numpy(), into)
        )


@dataclass(frozen=True, eq=False)
class DeviceSampler:
    """What `CropViews.sampler` returns on a GPU.

    Without a touch it is all tensors, and a CUDA graph can follow it.
    """

    fetch: Callable[[], Tensor]  # (n, S, S, 3) uint8
    colour: Tensor | None
    touch: Retouch | None

    def __call__(self, maps: Tensor, side: int) -> Tensor:
        """Sample views (n, 3, side, side) through maps (n, 2, 3) view → crop."""
        return _sample_normalised(self._pictures, maps, side, self.colour, self.touch)

    @cached_property
    def _pictures(self) -> Tensor:
        return _to_float_images(self.fetch())

    def tensors(self) -> Iterator[Tensor]:
        """Yield pictures and colour.

        Raises RuntimeError for a touch, which brings kernels from the host.
        """
        if self.touch is not None:
            raise RuntimeError("retouched views come from the host; draw them before the step")
        yield self.fetch()
        if self.colour is not None:
            yield self.colour

    def with_tensors(self, tensors: Iterator[Tensor]) -> DeviceSampler:
        """Return a look at other pictures."""
        pictures = next(tensors)
        return DeviceSampler(lambda: pictures, None if self.colour is None else next(tensors), None)


def _copy_to_device(stored: CropSource, device: str) -> Tensor | None:
    free, _ = torch.cuda.mem_get_info(device)
    if not isinstance(stored, Crops) or stored.images.nbytes > free // 2:
        return None
    held = torch.empty(stored.images.shape, dtype=torch.uint8, device=device)
    for first in range(0, len(held), _COPY_ROWS):  # from a file that is mapped, part by part
        held[first : first + _COPY_ROWS].copy_(
            torch.from_numpy(stored.images[first : first + _COPY_ROWS].copy())
        )
    return held


# --- warping bytes --------------------------------------------------------------------------------


class _BufferedWarp:
    """Warp pictures one by one through buffers that are kept.

    OpenCV warps four channels three times as fast as three, the copy into the buffer included:
    pixels are then aligned, and the picture, read once from end to end, lies in the cache when it
    is looked up at random.
    """

    def __init__(self, size: int) -> None:
        self.size, self.wide = (size, size), np.empty((size, size, 4), np.uint8)
        self.copy = np.empty(0, np.uint8)

    def __call__(self, image: Bytes, matrix: Floats, out: Bytes) -> None:
        """Sample `image` (h, w, 3) into `out` (size, size, 3).

        `matrix` (2, 3) takes px of `out` to px of `image`.
        """
        height, width = image.shape[:2]
        if len(self.copy) < height * width * 4:
            self.copy = np.empty(height * width * 4, np.uint8)
        copy = self.copy[: height * width * 4].reshape(height, width, 4)
        cv2.cvtColor(image, cv2.COLOR_RGB2RGBA, dst=copy)
        cv2.warpAffine(
            copy, matrix, self.size, dst=self.wide, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
        cv2.cvtColor(self.wide, cv2.COLOR_RGBA2RGB, dst=out)


def warp_views(
    images: Bytes,
    rows: Sequence[int] | np.ndarray,
    maps: Floats,
    size: int,
    out: Bytes | None = None,
) -> Bytes:
    """Sample one size x size view per row of stored crops.

    `maps` (n, 2, 3) take view pixels to crop pixels.

    Bilinear, black outside. Returns (n, size, size, 3) uint8, written into `out` when given.
    """
    if out is None:
        out = np.empty((len(rows), size, size, 3), np.uint8)
    warped = _BufferedWarp(size)
    for place, row, matrix in zip(out, rows, maps, strict=True):
        warped(images[row], matrix, place)
    return out


def warp_normalised(
    images: Bytes,
    rows: Sequence[int] | np.ndarray,
    maps: Floats,
    size: int,
    colour: Tensor | None = None,
    touch: Retouch | None = None,
) -> Tensor:
    """Warp as `warp_views` and normalise as `to_input`, face by face.

    (n, 3, size, size) float32, channels last in memory.

    Each view goes through all steps while the core's cache holds it, so the batch is written to
    memory once.
    """
    batch = torch.empty(len(rows), size, size, 3)
    places, mixing = batch.numpy(), _normalising_matrices(len(rows), colour)

    def make(some: range) -> None:
        warped, view = _BufferedWarp(size), np.empty((size, size, 3), np.uint8)
        for k in some:
            warped(images[rows[k]], maps[k], view)
            if touch is not None:
                touch.on_bytes(k, view)
            np.copyto(places[k], view)
            cv2.transform(places[k], mixing[k], dst=places[k])

    _run_on_threads(make, len(rows))
    return batch.permute(0, 3, 1, 2)


def _normalising_matrices(count: int, colour: Tensor | None) -> Floats:
    """Return the matrices (n, 3, 4) byte → gain · (byte / 127.5 - 1) + offset.

    Channel by channel.
    """
    gain, offset = (
        (np.ones((count, 3)), np.zeros((count, 3)))
        if colour is None
        else colour.numpy().swapaxes(0, 1)
    )
    mixing = np.zeros((count, 3, 4))
    mixing[:, range(3), range(3)] = gain / 127.5
    mixing[:, :, 3] = offset - gain
    return mixing


def _run_on_threads(make: Callable[[range], None], count: int) -> None:
    """Run `make` over 0 … count - 1 on as many threads as torch would use."""
    threads = min(torch.get_num_threads(), count)
    if threads < 2:
        make(range(count))
        return
    for job in [
        _view_threads().submit(make, range(first, count, threads)) for first in range(threads)
    ]:
        job.result()


@cache
def _view_threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count_cores(), "views")


# --- tensors --------------------------------------------------------------------------------------


def to_input(batch: Bytes | Tensor, device: str = "cpu") -> Tensor:
    """Turn (n, h, w, 3) uint8 into (n, 3, h, w) float32 in [-1, 1], channels last in memory.

    >>> to_input(np.array([[[[0, 51, 255]]]], np.uint8)).flatten()
    tensor([-1.0000, -0.6000,  1.0000])
    """
    tensor = torch.from_numpy(batch) if isinstance(batch, np.ndarray) else batch
    return tensor.to(device).permute(0, 3, 1, 2).to(torch.float32).mul_(1 / 127.5).sub_(1)


def sample_views(images: Tensor, theta: Tensor, size: int) -> Tensor:
    """Sample images (n, c, h, w) bilinearly through θ (n, 2, 3): (n, c, size, size).

    θ takes places of the view to places of the image, both in [-1, 1]². Black outside;
    differentiable in the images and in θ (Jaderberg et al., "Spatial Transformer Networks").

    >>> images = torch.arange(4.0).view(1, 1, 2, 2)
    >>> mirror = torch.tensor([[[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    >>> sample_views(images, mirror, 2)
    tensor([[[[1., 0.],
              [3., 2.]]]])
    """
    grid = F.affine_grid(theta, [len(images), images.shape[1], size, size], align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _to_float_images(images: Tensor) -> Tensor:
    """Turn (n, S, S, 3) uint8 into (n, 3, S, S) of the same values."""
    return images.permute(0, 3, 1, 2).to(torch.float32)


def _sample_normalised(
    images: Tensor, maps: Tensor, side: int, colour: Tensor | None, touch: Retouch | None
) -> Tensor:
    """Sample views of (n, 3, S, S) of values 0 … 255, retouched and normalised.

    The twin of `warp_normalised`.
    """
    batch = sample_views(images, maps, side)
    if touch is not None:
        batch = touch.on_tensor(batch)
    batch = batch.mul(1 / 127.5).sub_(1)
    if colour is not None:
        batch = torch.addcmul(colour[:, 1, :, None, None], batch, colour[:, 0, :, None, None])
    return batch.contiguous(memory_format=torch.channels_last)
