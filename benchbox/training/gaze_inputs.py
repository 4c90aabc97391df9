"""What gaze networks are shown and what they answer.

Patches of face and eyes, axes in cm or degrees.

A dataset that gives eye boxes (`Sample.boxes["left_eye"]`, `["right_eye"]`) is seen in three square
patches, as the papers do; one without is seen in the one patch of `Sample.box`. Pictures of a few
pixels, such as MPIIGaze's evaluation eyes of 9 x 15, become a strip: enlarged to half the side and
cut to the rows that the box covers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from benchbox import geometry
from benchbox.errors import DataError

from .crop_cache import cached_crops
from .crops import CropViews, cut_crops
from .holdout import choose_holdout

if TYPE_CHECKING:
    from benchbox.types import Bools, Bytes, Examples, Floats, Sample, Task

EYES = ("left_eye", "right_eye")
CROP_MARGIN = 1.1  # side of the stored square over the patch's: room to move the patch about
_TINY_PX = 24  # a picture whose box is not wider than this is shown as a strip


@dataclass(frozen=True)
class PatchForm:
    """Which boxes are cut out ("" is the protocol's own), height and width of their patches in px.

    And how many pools.

    `pools` is how often a network of halvings may halve them.
    """

    sources: tuple[str, ...]
    height: int
    width: int
    pools: int

    @classmethod
    def of(cls, samples: Sequence[Sample], side: int, face_side: int) -> PatchForm:
        """Choose by the first sample.

        Three squares of `side`, one of `face_side`, or a strip of `side` / 2 or more.
        """
        first = samples[0]
        if all(name in first.boxes for name in EYES):
            return cls(("", *EYES), side, side, 4)
        size = first.box[2:] - first.box[:2]
        if size.max() > _TINY_PX:
            return cls(("",), face_side, face_side, 4)
        half = max(side // 2, int(np.ceil(size.max() / 4)) * 4)  # enlarged, never shrunk
        rows = int(np.ceil(half * size[1] / size.max() / 4)) * 4
        return cls(("",), min(half, rows), half, 3)

    def facts(self) -> dict[str, str]:
        """Describe the form in words that a weights file can hold."""
        sizes = {"height": str(self.height), "width": str(self.width), "pools": str(self.pools)}
        return {"sources": " ".join(self.sources[1:])} | sizes

    @classmethod
    def from_facts(cls, facts: Mapping[str, str]) -> PatchForm:
        """Read a form back from a weights file's facts."""
        return cls(
            ("", *facts["sources"].split()),
            int(facts["height"]),
            int(facts["width"]),
            int(facts["pools"]),
        )


def patch_boxes(samples: Sequence[Sample], form: PatchForm) -> Floats:
    """Return the boxes (N, S, 4) of a form's sources; raises DataError when a sample lacks one."""
    rows = []
    for sample in samples:
        missing = [name for name in form.sources if name and name not in sample.boxes]
        if missing:
            raise DataError(
                f"{sample.id}: no box {', '.join(missing)}; "
                "the network was trained on three patches: "
                'the card must give them, [box] also = ["left_eye", "right_eye"]'
            )
        by_name = {"": sample.box, **sample.boxes}
        rows.append([by_name[name] for name in form.sources])
    return np.asarray(rows, np.float64).reshape(len(samples), len(form.sources), 4)


def has_all_boxes(samples: Sequence[Sample], form: PatchForm) -> Bools:
    """Tell which samples (N,) have all the boxes that a form needs.

    An eye may not have been found.
    """
    return np.asarray(np.isfinite(patch_boxes(samples, form)).all(axis=(1, 2)))


class GazePatches:
    """The patches of many samples as squares of uint8; views of them are drawn per batch.

    `keep` asks for the cache of decoded pictures (`cached_crops`), for a training set; a few
    samples to be answered are decoded and cut here and now.
    """

    def __init__(
        self, samples: Sequence[Sample], form: PatchForm, device: str, *, keep: bool = False
    ) -> None:
        self.samples, self.form, self.device, self.count = samples, form, device, len(samples)
        at, side = patch_boxes(samples, form), round(form.width * CROP_MARGIN)
        seen = (
            samples
            if keep
            else [
                replace(sample, pixels=partial(_return_pixels, sample.pixels()))
                for sample in samples
            ]
        )
        self.views = []
        for place in range(len(form.sources)):
            shown = [
                replace(sample, box=box) for sample, box in zip(seen, at[:, place], strict=True)
            ]
            held = (
                cached_crops(shown, side, CROP_MARGIN)
                if keep
                else cut_crops(shown, side, CROP_MARGIN)
            )
            self.views.append(CropViews(held, device))

    def __len__(self) -> int:
        return self.count

    def first(self, number: int) -> GazePatches:
        """Return the first rows alone; pictures are shared, not copied."""
        part = copy(self)
        part.count = min(number, self.count)
        return part

    def batch(self, rows: np.ndarray, jitter: Jitter | None = None) -> tuple[Tensor, ...]:
        """Return one (n, 3, height, width) tensor in [-1, 1] per source.

        Moved and coloured when `jitter` is given.
        """
        n = len(rows)
        still = np.broadcast_to(np.eye(2, 3), (n, 2, 3))
        colour, moves = None, np.broadcast_to(still[:, None], (n, len(self.views), 2, 3))
        if jitter is not None:
            colour, moves = torch.from_numpy(jitter.colour).float().to(self.device), jitter.maps
        top = (self.form.width - self.form.height) // 2
        found = []
        for place, view in enumerate(self.views):
            maps = moves[:, place] / CROP_MARGIN
            look = view.sampler(rows, colour)
            square = look(torch.from_numpy(maps).float().to(self.device), self.form.width)
            # Clamped: what leaves here is a picture, however much colour was added.
            found.append(square[:, :, top : top + self.form.height].clamp(-1, 1))
        return tuple(found)


@dataclass(frozen=True, eq=False)
class Jitter:
    """Changes that leave the gaze as it is: no mirroring and no rotation, which would turn it.

    `maps` (n, S, 2, 3) move each patch in its own [-1, 1]² frame; `colour` (n, 2, 3) is gain and
    offset per channel.
    """

    maps: Floats
    colour: Floats

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        n: int,
        sources: int,
        *,
        shift: float,
        scale: float,
        colour: float,
    ) -> Jitter:
        """Draw shifts up to `shift` of the side, scales up to 1 ± `scale`.

        Gains and offsets up to ± `colour`.
        """
        maps = np.zeros((n, sources, 2, 3))
        maps[..., 0, 0] = maps[..., 1, 1] = 1 + scale * rng.uniform(-1, 1, (n, sources))
        maps[..., 2] = 2 * shift * rng.uniform(-1, 1, (n, sources, 2))
        gain = 1 + colour * (rng.uniform(-1, 1, (n, 1)) + 0.5 * rng.uniform(-1, 1, (n, 3)))
        offset = colour * rng.uniform(-1, 1, (n, 1)) * np.ones((1, 3))
        return cls(maps, np.stack([gain, offset], axis=1))


def _return_pixels(pixels: Bytes) -> Bytes:
    return pixels


@dataclass(frozen=True, eq=False)
class GazeSet:
    """Samples ready for training or validation: their patches and their axes (n, 2)."""

    patches: GazePatches
    axes: Floats

    def __len__(self) -> int:
        return len(self.axes)

    @classmethod
    def of(
        cls,
        examples: Examples,
        form: PatchForm,
        task: Task,
        device: str,
        rng: np.random.Generator,
        most: int,
    ) -> GazeSet:
        """Cut the patches of the usable examples.

        Of `most` drawn among them when there are more (0: of all).
        """
        rows = np.flatnonzero(has_all_boxes(examples.samples, form))
        if not len(rows):
            raise DataError(
                f"{examples.samples[0].id} and {len(examples) - 1} others: none has all its boxes"
            )
        if most and len(rows) > most:
            rows = np.sort(rng.choice(rows, most, replace=False))
        samples = [examples.samples[int(row)] for row in rows]
        axes = to_axes(task, examples.values[rows])
        return cls(GazePatches(samples, form, device, keep=True), axes)

    def first(self, number: int) -> GazeSet:
        """Return the first rows alone; pictures are shared, not copied."""
        return GazeSet(self.patches.first(number), self.axes[:number])


def split_holdout(
    examples: Examples, share: float, rng: np.random.Generator
) -> tuple[Examples, Examples]:
    """Split off whole persons (clusters).

    What stays and what is held out, as `choose_holdout` chooses.
    """
    out = choose_holdout(examples.clusters, share, rng)
    return _select_examples(examples, ~out), _select_examples(examples, out)


def _select_examples(examples: Examples, chosen: Bools) -> Examples:
    samples = [sample for sample, here in zip(examples.samples, chosen, strict=True) if here]
    return replace(
        examples,
        samples=samples,
        values=examples.values[chosen],
        clusters=examples.clusters[chosen],
    )


# --- targets --------------------------------------------------------------------------------------


def to_axes(task: Task, values: Floats) -> Floats:
    """Turn targets into two axes (n, 2).

    Cm as they are, unit vectors (n, 3) into pitch and yaw in degrees.
    """
    if task == "gaze3d":
        return np.degrees(geometry.vectors_to_angles(values))
    return values


def from_axes(task: Task, axes: Floats) -> Floats:
    """Turn axes (n, 2) back into targets: (n, 2) cm or unit vectors (n, 3).

    >>> from_axes("gaze2d", np.array([[2.5, -4.0]]))
    array([[ 2.5, -4. ]])
    >>> straight = from_axes("gaze3d", np.array([[0.0, 0.0]]))
    >>> bool(np.isclose(np.abs(straight), [[0.0, 0.0, 1.0]]).all())
    True
    """
    if task == "gaze3d":
        return geometry.angles_to_vectors(np.radians(axes))
    return axes


def gaze_distances(task: Task, first: Floats, second: Floats) -> Floats:
    """Return the distances (n,) of axes (n, 2) from axes (n, 2): cm, or degrees between directions.

    >>> gaze_distances("gaze2d", np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]]))
    array([5.])
    >>> gaze_distances("gaze3d", np.array([[10.0, 0.0]]), np.array([[-5.0, 0.0]])).round(6)
    array([15.])
    """
    if task == "gaze2d":
        return np.asarray(np.linalg.norm(first - second, axis=1))
    a, b = from_axes(task, first), from_axes(task, second)
    angle = np.arctan2(np.linalg.norm(np.cross(a, b), axis=1), (a * b).sum(axis=1))
    return np.asarray(np.degrees(angle))
