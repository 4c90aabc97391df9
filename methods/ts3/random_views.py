"""Faces as the networks see them: stored crops, random views, heat maps that follow the view.

Frames are [-1, 1]². A view is a map (2, 3) from its frame to the frame of the stored crop. Labels
are points in the frame of the crop, or maps that were predicted in the upright view (the box
enlarged, nothing turned), which a random view samples through the map between the two. All that is
random about a batch comes from (seed, stage, step).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchbox import geometry
from benchbox.training import heatmaps
from benchbox.training.crop_cache import cached_crops
from benchbox.training.crops import CropViews, sample_views
from benchbox.training.host_to_device import upload_array
from benchbox.training.sampler import epoch_rows
from benchbox.types import Layout, Sample

# The stored square over the protocol's box: room for the upright view's x1.4, its rotation, growth
# and shift.
STORED_EXPANSION = 2.0
MAP_STRIDE = 4  # of the maps that students share: the finer one's


@dataclass(frozen=True, eq=False)
class Batch:
    """Pictures (n, 3, side, side) and their maps by stride, with the maps that count (n, maps)."""

    images: Tensor
    maps: Mapping[int, Tensor]
    known: Tensor


@dataclass(frozen=True, eq=False)
class DrawnBatch:
    """A batch and how it was drawn: which faces, through which views."""

    batch: Batch
    rows: np.ndarray
    views: Tensor  # (n, 2, 3), view → upright view
    mirrored: Tensor  # (n,)


class FaceViews:
    """A list of faces, labelled or not, ready to be looked at."""

    def __init__(
        self, samples: Sequence[Sample], layout: Layout, params: Mapping[str, Any], device: str
    ) -> None:
        self.params, self.device, self.count = params, device, len(samples)
        self.views = CropViews(cached_crops(samples, params["crop_side"], STORED_EXPANSION), device)
        boxes = np.stack([one.box for one in samples])
        self.to_crop = geometry.box_to_unit(geometry.square_boxes(boxes, STORED_EXPANSION))
        self.zoom = params["expansion"] / STORED_EXPANSION
        self.flip = torch.tensor(list(layout.flip), device=device)
        self.map_flip = self.flip  # which map a mirrored one becomes
        if params["background"]:
            self.map_flip = torch.cat([self.flip, self.flip.new_tensor([layout.count])])

    def __len__(self) -> int:
        return self.count

    def upright(self, rows: np.ndarray) -> Tensor:
        """Return the pictures (n, 3, side, side) of the enlarged boxes."""
        frame = torch.eye(2, 3).mul(self.zoom).repeat(len(rows), 1, 1).to(self.device)
        return self.views.sampler(rows)(frame, self.params["side"])

    def random_views(
        self, rng: np.random.Generator, count: int, flip: bool, reach: float = 1.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw maps (n, 2, 3) view → upright view and whether each is mirrored.

        `reach` times as far as the parameters say.
        """
        keys = ("scale", "rotation_deg", "shift")
        scale, rotation_deg, most = (reach * self.params[key] for key in keys)
        grow = 1 / rng.uniform(1 - scale, 1 + scale, count)
        turn = np.deg2rad(rng.uniform(-rotation_deg, rotation_deg, count))
        shift = rng.uniform(-2 * most, 2 * most, (count, 2))
        mirrored = (rng.random(count) < 0.5) & flip
        cos, sin, sign = grow * np.cos(turn), grow * np.sin(turn), np.where(mirrored, -1, 1)
        across = np.stack([cos * sign, -sin, shift[:, 0]], axis=-1)
        down = np.stack([sin * sign, cos, shift[:, 1]], axis=-1)
        return np.stack([across, down], axis=1), mirrored

    def px(self, points: np.ndarray) -> np.ndarray:
        """Turn points (n, K, 2) of a view's frame into its pixels."""
        side: int = self.params["side"]
        return (points + 1) * (side / 2) - 0.5

    def to_pictures(self, points_px: np.ndarray) -> np.ndarray:
        """Turn points (N, K, 2) in pixels of the upright views into pixels of the pictures."""
        unit = ((points_px + 0.5) * (2 / self.params["side"]) - 1) * self.zoom
        found: np.ndarray = geometry.transform_points(geometry.invert_maps(self.to_crop), unit)
        return found


class LabelledViews:
    """Batches of faces with labels.

    True points for the first ones, then pseudo-labels of chosen ones.

    `points` (N, K, 2) are in the frame of the stored crop, NaN where nothing is known; `rows` are
    those to train on; `maps` gives the pseudo-maps of the rows that have them instead, by row.
    """

    def __init__(
        self,
        faces: FaceViews,
        points: np.ndarray,
        rows: np.ndarray,
        maps: Mapping[int, Tensor],
        seed: Sequence[int],
        flip: bool,
        batch: int,
        *,
        labelled_share: float = 0.0,
        reach: float = 1.0,
    ) -> None:
        self.faces, self.points, self.rows, self.maps = faces, points, rows, maps
        self.seed, self.flip, self.size, self.reach = list(seed), flip, batch, reach
        is_taught = np.isin(rows, list(maps))
        self.pools = [(rows, batch)]
        if labelled_share and is_taught.any():
            labelled = round(labelled_share * batch)
            self.pools = [(rows[~is_taught], labelled), (rows[is_taught], batch - labelled)]

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, step: int) -> Batch:
        """Draw batch `step` alone."""
        return self.draw(step).batch

    def draw(self, step: int) -> DrawnBatch:
        """Draw batch `step`; each epoch visits every face once, in an order of its own.

        With a labelled share, the faces that have true points and those that have pseudo-maps are
        visited in epochs of their own.
        """
        faces, size = self.faces, self.size
        chosen_rows = []
        for number, (pool, count) in enumerate(self.pools, 1):
            places = epoch_rows(self.seed, len(pool), step * count, count, after=[number])
            chosen_rows.append(pool[places])
        rows = np.concatenate(chosen_rows)
        rng = np.random.default_rng([*self.seed, step])
        views, mirrored = faces.random_views(rng, size, self.flip, self.reach)
        tensor = upload_array(views.astype(np.float32), faces.device)
        images = faces.views.sampler(rows)(tensor * faces.zoom, faces.params["side"])
        frames = geometry.invert_maps(views * faces.zoom)
        seen = faces.px(geometry.transform_points(frames, self.points[rows]))
        points, chosen = (
            upload_array(seen.astype(np.float32), faces.device),
            upload_array(mirrored, faces.device),
        )
        points = torch.where(chosen[:, None, None], points[:, faces.flip], points)
        known = torch.isfinite(points).all(dim=2)
        background = faces.params["background"]
        if background:
            known = torch.cat([known, torch.ones_like(known[:, :1])], dim=1)
        made = {stride: ideal_maps(points, stride, faces.params) for stride in (4, 8)}
        taught = np.array(
            [place for place, row in enumerate(rows) if int(row) in self.maps], np.int64
        )
        if len(taught):
            mine = torch.stack([self.maps[int(row)] for row in rows[taught]]).to(
                faces.device, torch.float32
            )
            at = upload_array(taught, faces.device)
            for stride, maps in made.items():
                maps[at] = view_maps(
                    mine, tensor[at], chosen[at], faces, faces.params["side"] // stride
                )
            known[at] = True
        return DrawnBatch(Batch(images, made, known), rows, tensor, chosen)


def ideal_maps(points: Tensor, stride: int, params: Mapping[str, Any]) -> Tensor:
    """Return p(y): the maps of points (n, K, 2) px of a view.

    With background where the card says so.
    """
    cells = params["side"] // stride
    maps = heatmaps.gaussian_heatmaps(points, (cells, cells), stride, params["sigma_px"])
    return heatmaps.add_background(maps) if params["background"] else maps


def view_maps(
    maps: Tensor, views: Tensor, mirrored: Tensor, faces: FaceViews, cells: int
) -> Tensor:
    """Sample maps (n, maps, h, w) of the upright view as random views (n, 2, 3) see them.

    (n, maps, cells, cells).
    """
    order, background = faces.map_flip, faces.params["background"]
    seen = sample_views(
        torch.where(mirrored[:, None, None, None], maps[:, order], maps), views, cells
    )
    if background:  # beyond the upright view there is nothing but background
        outside = 1 - sample_views(torch.ones_like(maps[:, :1]), views, cells)
        seen = torch.cat([seen[:, :-1], seen[:, -1:] + outside], dim=1)
    return seen
