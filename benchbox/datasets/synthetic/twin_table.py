"""The table of synthetic twins: what is rendered, in the shape of which real set, a row each.

Two twins are more than a row and have files of their own: `ibug300w` and `gazestare`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.datasets.landmarks import aflw2000_3d
from benchbox.face_renderer import image_sets
from benchbox.face_renderer.cache import RenderPlan, plan_set
from benchbox.face_renderer.scenes import portraits
from benchbox.face_renderer.scenes.portraits import ATTRIBUTES
from benchbox.types import Access, Finding, Index

from . import from_renderer, gazecapture_index, landmark_index, normalised_patch_index
from .from_renderer import RenderedRows

if TYPE_CHECKING:
    from benchbox.types import Floats

    from .from_renderer import Columns

# dataset, plan, rendered rows → index in the shape of the real set
IndexBuilder = Callable[[str, RenderPlan, RenderedRows], Index]


@dataclass(eq=False)
class Twin:
    """The reader of a rendered set: a dataset like the others, made from a row of the table."""

    dataset: str
    title: str  # of the real set
    kind: str  # what is rendered, a key of `image_sets.SETS`
    megabytes: int  # in the cache folder
    build_index: IndexBuilder
    tiny_numbers: Mapping[str, Sequence[int]]  # part → which pictures a tiny set has of it
    items: str = "faces"
    # what is visible only a picture tells, so it is rendered for the labels alone, too
    labels_need_pixels: bool = False
    only_part: str = ""  # "" for all
    PLAN: RenderPlan = field(init=False)
    ACCESS: Access = field(init=False)

    def __post_init__(self) -> None:
        """Derive what every dataset offers."""
        self.PLAN = plan_set(self.kind)
        self.ACCESS = from_renderer.describe_access(
            f"Synthetic twin of {self.title}", self.kind, self.megabytes
        )

    def index(self, root: Path, *, pixels: bool = True) -> Index:
        """Return the set.

        Renders it into the cache first when pixels are asked for and not there yet. `root` is not
        looked at. Raises DataError when the cache cannot be written.
        """
        del root
        rows = from_renderer.read_rows(self.PLAN, pixels=pixels or self.labels_need_pixels)
        index = self.build_index(self.dataset, self.PLAN, rows)
        if self.only_part:
            return landmark_index.select_part(index, self.only_part)
        return index

    def tiny(self) -> Index:
        """Return a few pictures of each part, rendered in memory: for tests and first steps."""
        rows = from_renderer.render_rows(self.PLAN, self.tiny_numbers)
        index = self.build_index(self.dataset, self.PLAN, rows)
        return from_renderer.name_variant(index, f"tiny: {len(rows.numbers)} {self.items}")

    def verify(self, root: Path) -> list[Finding]:
        """Say whether the rendered set is in the cache and whole."""
        del root
        return from_renderer.check_cache(self.PLAN)


# --- landmarks ------------------------------------------------------------------------------------


def _detector_fields(columns: Columns) -> dict[str, Any]:
    return {"boxes": {"detector": columns["detected"]}}


def _video_fields(columns: Columns) -> dict[str, Any]:
    """Return 300-VW's fields: a video is a cluster and a sequence."""
    video = columns["video"]
    return {**_detector_fields(columns), "clusters": video, "sequences": video}


def _wflw_fields(columns: Columns) -> dict[str, Any]:
    """Return WFLW's fields: rectangles up to the forehead, attributes, no visibility."""
    return {
        "boxes": {"rect": landmark_index.raise_boxes(columns["detected"], 0.29)},
        "attributes": dict(zip(ATTRIBUTES, columns["traits"].T, strict=True)),
    }


def _cofw_fields(columns: Columns) -> dict[str, Any]:
    return {**_detector_fields(columns), "visible": columns["visible"]}


def _cofw68_fields(columns: Columns) -> dict[str, Any]:
    return {
        **_detector_fields(columns),
        "values": columns["values68"],
        "visible": columns["visible68"],
    }


def _aflw_fields(columns: Columns) -> dict[str, Any]:
    """Return AFLW's fields: square boxes that also scale the error, visibility, who is frontal."""
    points, rect, visible = columns["values"], columns["rect"], columns["visible"]
    frontal = visible.all(axis=1)
    inside = ((points > rect[:, None, :2]) & (points < rect[:, None, 2:])).all(axis=(1, 2))
    return {
        "boxes": {"rect": rect},
        "scale_boxes": rect,
        "visible": visible,
        "attributes": {"frontal": frontal, "frontal_inside": frontal & inside},
    }


def _face_fields(columns: Columns, *, fitted: bool) -> dict[str, Any]:
    """Return AFLW2000-3D's fields: 68 points, no detector's box."""
    values = columns["values68"]
    if fitted:
        values = _fit_jaw(values)
    return {"boxes": {}, "values": values}


def _fit_jaw(values: Floats) -> Floats:
    """Move the jaw of turned faces (N, 68, 2) inwards, as the first release's fits have it.

    By up to a tenth of the way to the nose, the more the further the nose is from the jaw's middle.
    """
    moved = np.array(values)
    jaw, nose = values[:, :17], values[:, 30:31]
    width = np.linalg.norm(values[:, 16] - values[:, 0], axis=1)
    aside = np.linalg.norm(values[:, 30] - values[:, [0, 16]].mean(axis=1), axis=1)
    share = 0.1 * np.clip(aside / np.maximum(width, 1e-9), 0.0, 1.0)
    moved[:, :17] = jaw + share[:, None, None] * (nose - jaw)
    return moved


def _landmarks(fields: landmark_index.Fields) -> IndexBuilder:
    return partial(landmark_index.build_index, fields=fields)


# 300 faces indoors, 300 outdoors, to test what `synth-300w` trained
IBUG300W_PRIVATE = Twin(
    dataset="synth-300w-private",
    title="the 300-W challenge's test set",
    kind=image_sets.PRIVATE.name,
    megabytes=120,
    build_index=_landmarks(_detector_fields),
    tiny_numbers={"indoor": range(3), "outdoor": range(3)},
)
# short videos, `videos` to train on, in the categories `a`, `b` and `c`; 48 frames a video, where
# the real ones have some 1,900
_TWO_VIDEOS = [*range(3), *range(image_sets.VIDEOS.frames, image_sets.VIDEOS.frames + 3)]
IBUG300VW = Twin(
    dataset="synth-300vw",
    title="300-VW",
    kind=image_sets.VIDEOS.name,
    megabytes=480,
    build_index=_landmarks(_video_fields),
    tiny_numbers={"videos": range(3), "a": _TWO_VIDEOS, "b": _TWO_VIDEOS, "c": _TWO_VIDEOS},
)
# 98 points; six attributes that were decided before each face was drawn
WFLW = Twin(
    dataset="synth-wflw",
    title="WFLW",
    kind=image_sets.WFLW.name,
    megabytes=610,
    build_index=_landmarks(_wflw_fields),
    tiny_numbers={"train": range(6), "test": range(12)},
)
# 29 points on faces behind hands, objects and sunglasses; flags say what is hidden
COFW = Twin(
    dataset="synth-cofw",
    title="COFW",
    kind=image_sets.COFW.name,
    megabytes=380,
    build_index=_landmarks(_cofw_fields),
    tiny_numbers={"train": range(6), "test": range(6)},
    labels_need_pixels=True,
)
# the test faces of `synth-cofw` with 68 points, to test what `synth-300w` trained
COFW68 = Twin(
    dataset="synth-cofw68",
    title="COFW-68",
    kind=image_sets.COFW.name,
    megabytes=380,
    build_index=_landmarks(_cofw68_fields),
    tiny_numbers={"test": range(6)},
    labels_need_pixels=True,
    only_part="test",
)
# 19 points on heads turned to any side; hidden points keep their coordinates, flags say which
AFLW = Twin(
    dataset="synth-aflw",
    title="AFLW",
    kind=image_sets.AFLW.name,
    megabytes=670,
    build_index=_landmarks(_aflw_fields),
    tiny_numbers={"train": range(6), "test": range(8)},
    labels_need_pixels=True,
)


def _build_turned(dataset: str, plan: RenderPlan, rows: RenderedRows, *, fitted: bool) -> Index:
    """Put the heads that `synth-aflw` tests into AFLW2000-3D's shape, with its groups by yaw."""
    fields = partial(_face_fields, fitted=fitted)
    index = landmark_index.build_index(dataset, plan, rows, fields=fields)
    yaw_rad = [
        portraits.turned_yaw(image_sets.AFLW, str(part), int(number))
        for part, number in zip(rows.parts, rows.numbers, strict=True)
    ]
    return replace(index, attributes=aflw2000_3d.yaw_groups(np.array(yaw_rad)))


def _aflw2000_twin(dataset: str, title: str, *, fitted: bool) -> Twin:
    return Twin(
        dataset=dataset,
        title=title,
        kind=image_sets.AFLW.name,
        megabytes=670,
        build_index=partial(_build_turned, fitted=fitted),
        tiny_numbers={"test": range(12)},
        only_part="test",
    )


# the test faces of `synth-aflw` with 68 points: fitted jaws in the first release, true ones in the
# second
AFLW2000_3D = _aflw2000_twin("synth-aflw2000-3d", "AFLW2000-3D", fitted=True)
AFLW2000_3D_REANNOTATED = _aflw2000_twin(
    "synth-aflw2000-3d-reannotated", "AFLW2000-3D, re-annotated", fitted=False
)

# --- gaze in cm from the camera -------------------------------------------------------------------

# persons who look at dots on phones and tablets that they hold in any orientation
GAZECAPTURE = Twin(
    dataset="synth-gazecapture",
    title="GazeCapture",
    kind=image_sets.GAZECAPTURE.name,
    megabytes=2050,
    build_index=gazecapture_index.build_index,
    tiny_numbers=gazecapture_index.tiny_numbers(
        image_sets.GAZECAPTURE, {"train": (0, 6), "val": (1,), "test": (0, 6)}, frames=2
    ),
    items="frames",
)
# persons who look at dots on phones that they hold upright
GAZECN = Twin(
    dataset="synth-gazecn",
    title="GazeCN",
    kind=image_sets.GAZECN.name,
    megabytes=1170,
    build_index=gazecapture_index.build_index,
    tiny_numbers=gazecapture_index.tiny_numbers(
        image_sets.GAZECN, {"train": (0, 1, 2), "test": range(6)}, frames=2
    ),
    items="frames",
)

# --- gaze as a direction --------------------------------------------------------------------------

# normalised faces of persons seen by eighteen cameras at once, heads and eyes turned far
ETH_XGAZE = Twin(
    dataset="synth-eth-xgaze",
    title="ETH-XGaze",
    kind=image_sets.ETH_XGAZE.name,
    megabytes=190,
    build_index=partial(normalised_patch_index.build_index, study=image_sets.ETH_XGAZE),
    tiny_numbers=normalised_patch_index.tiny_numbers(
        image_sets.ETH_XGAZE, {"train": (0, 1, 2), "validation": (0, 1)}, count=6
    ),
    items="patches",
)
# normalised faces of fifteen persons before a notebook
MPIIFACEGAZE = Twin(
    dataset="synth-mpiifacegaze",
    title="MPIIFaceGaze",
    kind=image_sets.MPIIFACEGAZE.name,
    megabytes=50,
    build_index=partial(normalised_patch_index.build_index, study=image_sets.MPIIFACEGAZE),
    tiny_numbers=normalised_patch_index.tiny_numbers(
        image_sets.MPIIFACEGAZE, {"faces": (0, 1, 2)}, count=6
    ),
    items="patches",
)
# faces of persons who look anywhere, heads up to profile: groups by direction as Gaze360 has them
GAZE360 = Twin(
    dataset="synth-gaze360",
    title="Gaze360",
    kind=image_sets.GAZE360.name,
    megabytes=50,
    build_index=partial(normalised_patch_index.build_index, study=image_sets.GAZE360),
    tiny_numbers=normalised_patch_index.tiny_numbers(
        image_sets.GAZE360, {"train": (0, 1, 2), "test": (0, 1)}, count=8
    ),
    items="patches",
)
# fourteen persons who look at a screen above their camera
EYEDIAP = Twin(
    dataset="synth-eyediap",
    title="EyeDiap",
    kind=image_sets.EYEDIAP.name,
    megabytes=30,
    build_index=partial(normalised_patch_index.build_index, study=image_sets.EYEDIAP),
    tiny_numbers=normalised_patch_index.tiny_numbers(
        image_sets.EYEDIAP, {"faces": (0, 1, 2)}, count=6
    ),
    items="patches",
)
# persons who look at a phone or tablet in their hand, as directions
GAZECAPTURE_DEGREES = Twin(
    dataset="synth-gazecapture-degrees",
    title="GazeCapture in degrees",
    kind=image_sets.GAZECAPTURE_DEGREES.name,
    megabytes=60,
    build_index=partial(normalised_patch_index.build_index, study=image_sets.GAZECAPTURE_DEGREES),
    tiny_numbers=normalised_patch_index.tiny_numbers(
        image_sets.GAZECAPTURE_DEGREES, {"train": (0, 1, 2), "val": (0,), "test": (0, 1)}, count=12
    ),
    items="patches",
)
# single eyes of fifteen persons before a notebook, 60 x 36 px; right eyes are mirrored
MPIIGAZE = Twin(
    dataset="synth-mpiigaze",
    title="MPIIGaze",
    kind=image_sets.MPIIGAZE.name,
    megabytes=20,
    build_index=partial(normalised_patch_index.build_index, study=image_sets.MPIIGAZE),
    tiny_numbers=normalised_patch_index.tiny_numbers(
        image_sets.MPIIGAZE, {"eyes": (0, 1, 2)}, count=8
    ),
    items="patches",
)
