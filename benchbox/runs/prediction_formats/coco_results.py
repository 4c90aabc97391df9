"""COCO results: a list of `image_id`, `keypoints` x y score …, `score`.

The third number is a score, no visibility. Ids of images are those of the annotation file;
detections stand in any order, false ones among them. The frame is that of the annotations.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchbox.datasets.formats.marked_face import number, table
from benchbox.errors import ResultError
from benchbox.file_readers.json_files import read_json

from .found_face import FoundFace, FoundFaces


def read_coco_results(path: Path, image_names: Mapping[str, str]) -> FoundFaces:
    """Read a file; `image_names` maps the ids of the annotation file, as texts, to pictures."""
    faces = []
    sizes = set()
    for row, entry in enumerate(table(read_json(path), path.name), start=1):
        where = f"{path.name}: result {row}"
        keypoints = entry.get("keypoints")
        if not isinstance(keypoints, list) or not keypoints or len(keypoints) % 3:
            raise ResultError(f"{where}: keypoints are not x y score for each point")
        sizes.add(len(keypoints))
        image = _image_of(entry, image_names, where)
        values = [number(value, where) for value in keypoints]
        points = np.array(values).reshape(-1, 3)[:, :2]
        faces.append(FoundFace(points, image=image))
    if len(sizes) > 1:
        raise ResultError(f"{path.name}: results have {sorted(sizes)} numbers, must have one")
    return FoundFaces(faces, in_own_frame=True, origin_reason="the annotations' frame")


def _image_of(entry: Mapping[str, Any], names: Mapping[str, str], where: str) -> str:
    if isinstance(entry.get("file_name"), str):
        return str(entry["file_name"])
    key = str(entry.get("image_id"))
    if key in names:
        return names[key]
    if not key.isdecimal():
        return key  # a name where an id should be
    known = ", ".join(list(names)[:4]) or "none: the card's annotations have no ids of pictures"
    raise ResultError(f"{where}: image_id {key} is none of the annotations' ({known} …)")
