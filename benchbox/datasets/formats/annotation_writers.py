"""Who writes annotation files: how each is recognised, read, and what its files cannot say.

One row per writer. The docs page "Formats" and the messages of `benchbox new protocol` are made
from this table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchbox.errors import DataError
from benchbox.file_readers.json_files import read_json
from benchbox.file_readers.regular_files import read_text
from benchbox.file_readers.xml_files import parse_xml

from . import (
    coco_keypoints,
    cvat,
    datumaro,
    imglab,
    label_studio,
    labelme,
    lp_mat,
    point_tables,
    point_texts,
    pts_folder,
    via,
    wflw_list,
)
from .marked_face import MarkedFaces, list_files

Reader = Callable[[Path, str], MarkedFaces]


@dataclass(frozen=True)
class Writer:
    """A writer of annotation files; texts are for people."""

    name: str  # as cards say it
    title: str
    files: str
    # coordinate of the first pixel's centre: what the writer fixes; None: the file cannot say
    origin: float | None
    origin_reason: str
    order: str
    absent: str
    hidden: str
    faces: str  # how two faces on a picture are told apart
    asks: str  # what a person must say, and the option
    read: Reader
    one_per_face: bool = False  # a folder of files, one for each face or picture


_CANVAS = "its canvas begins at the corner of the first pixel"
WRITERS = {
    writer.name: writer
    for writer in (
        Writer(
            "imglab", "dlib imglab XML", "*.xml", 0.0, "dlib counts from 0",
            "names of parts; numbers count as numbers, dlib itself sorts them as text",
            "the part is missing", "whole boxes only", "boxes", "--sides where names say left",
            imglab.read_imglab,
        ),
        Writer(
            "coco", "COCO keypoints", "*.json", None,
            "COCO's own files count from 0, exports of CVAT and LabelMe from 0.5, iBUG's copies "
            "from 1",
            "the category's keypoints, else position", "v = 0", "v = 1", "annotations",
            "--origin; --field CATEGORY where several have keypoints; --sides",
            coco_keypoints.read_coco,
        ),
        Writer(
            "cvat", "CVAT for images 1.1", "*.xml", 0.5, _CANVAS,
            "labels of a skeleton's nodes; points without names as clicked", "outside = 1",
            "occluded = 1", "elements; group_id ties a box", "--sides; --field LABEL",
            cvat.read_cvat,
        ),
        Writer(
            "datumaro", "Datumaro 1.0", "annotations/*.json", None,
            "it is that of the source: 0.5 from CVAT, 0 from COCO",
            "names in categories.points", "visibility 0", "visibility 1", "annotations; group",
            "--origin; --sides; --field LABEL", datumaro.read_datumaro,
        ),
        Writer(
            "labelme", "LabelMe", "*.json", 0.5, _CANVAS, "labels", "no shape",
            "a flag occluded, hidden or invisible, or the label's end", "group_id, else boxes",
            "--sides", labelme.read_labelme, one_per_face=True,
        ),
        Writer(
            "label-studio", "Label Studio JSON and JSON_MIN", "*.json", 0.5, _CANVAS, "labels",
            "no result", "not said", "parentID, else boxes", "--sides",
            label_studio.read_label_studio,
        ),
        Writer(
            "via", "VGG Image Annotator 2", "*.json, *.csv", 0.5, _CANVAS,
            "the region attribute of the names", "no region", "not said",
            "another region attribute, else boxes", "--field ATTRIBUTE; --sides", via.read_via,
        ),
        Writer(
            "pts", "iBUG .pts", "*.pts", 1.0, "iBUG and Menpo count from 1; scripts often from 0",
            "by line", "cannot be said", "not said", "a file each",
            "--origin 0 where a script wrote",
            pts_folder.read_pts_folder, one_per_face=True,
        ),
        Writer(
            "merl-rav", "MERL-RAV .pts", "*.pts", 0.0, "by use; its authors do not say",
            "by line", "-1 -1", "a negative sign", "a file each", "--origin 1 where it is so",
            pts_folder.read_merl_rav, one_per_face=True,
        ),
        Writer(
            "hrnet-csv", "HRNet's CSV lists", "*.csv", None,
            "HRNet's 300W lists count from 1, its WFLW and AFLW lists from 0", "column numbers",
            "not possible", "not said", "rows", "--origin", point_tables.read_point_table,
        ),
        Writer(
            "benchbox-csv", "benchbox CSV", "*.csv", None, "a CSV of points does not say",
            "column numbers", "an empty cell", "v = 0", "rows", "--origin",
            point_tables.read_point_table,
        ),
        Writer(
            "wflw-list", "WFLW's lists", "*.txt", 0.0, "by use; its authors do not say",
            "by position", "not possible", "a flag for the face", "lines", "",
            wflw_list.read_wflw_list,
        ),
        Writer(
            "lapa", "LaPa and JD-landmark .txt", "*.txt", 0.0, "by use; its authors do not say",
            "by line", "not possible", "not said", "a file each",
            "--layout: 106 names three orders",
            point_texts.read_lapa, one_per_face=True,
        ),
        Writer(
            "helen", "HELEN .txt", "*.txt", 0.0, "by use; its authors do not say", "by line",
            "not possible", "not said", "a file each", "", point_texts.read_helen,
            one_per_face=True,
        ),
        Writer(
            "300w-lp-mat", "300W-LP .mat", "*.mat", 1.0, "MATLAB counts from 1",
            "columns of the matrix", "-1 -1", "not said", "a file each",
            "--field pts_2d or pts_3d for its folder landmarks/", lp_mat.read_300w_lp,
            one_per_face=True,
        ),
        Writer(
            "aflw2000-mat", "AFLW2000-3D .mat", "*.mat", 1.0, "MATLAB counts from 1",
            "columns of the matrix", "-1 -1", "not said", "a file each", "--field pt3d_68 or pt2d",
            lp_mat.read_aflw2000, one_per_face=True,
        ),
    )
}  # fmt: skip


def recognise(path: Path) -> str:
    """Name the writer of a file or folder.

    Raises
    ------
    DataError
        Nothing there is known, or several things are: names them, so that one can be given.
    """
    if not path.exists():
        raise DataError(f"{path}: there is no such file or folder")
    if path.is_file():
        found = _recognise_file(path)
        if not found:
            raise DataError(
                f"{path}: is written by none of {', '.join(WRITERS)}; say --format where it is"
            )
        return found
    return _recognise_folder(path)


def _recognise_folder(path: Path) -> str:
    if list_files(path, (".pts",)):
        return "merl-rav" if pts_folder.looks_like_merl_rav(path) else "pts"
    matrices = list_files(path, (".mat",))
    for file in matrices:
        if _recognise_file(file) in ("300w-lp-mat", "aflw2000-mat"):
            return _same_writer(path, matrices)
    if (path / "annotations").is_dir():
        inner = list_files(path / "annotations", (".json",))
        if inner and _recognise_file(inner[0]) == "datumaro":
            return "datumaro"
    kinds: dict[str, list[Path]] = {}
    for file in list_files(path, (".json", ".xml", ".csv", ".txt")):
        found = _recognise_file(file)
        if found:
            kinds.setdefault(found, []).append(file)
    for name in ("labelme", "lapa", "helen"):
        if name in kinds:
            return name
    files = [file for members in kinds.values() for file in members]
    if len(files) == 1:
        return next(iter(kinds))
    if not files:
        raise DataError(f"{path}: no annotation file of a known kind in this folder")
    shown = ", ".join(file.relative_to(path).as_posix() for file in files[:6])
    raise DataError(f"{path}: holds {len(files)} annotation files ({shown}): name one of them")


def single_file(path: Path, writer: str) -> Path:
    """Return what is to be read of a folder: the only file of its writer, or the folder itself."""
    if path.is_file() or WRITERS[writer].one_per_face or writer == "datumaro":
        return path
    for file in list_files(path, (".json", ".xml", ".csv", ".txt")):
        if _recognise_file(file) == writer:
            return file
    return path


def _same_writer(path: Path, files: list[Path]) -> str:
    found = {_recognise_file(file) for file in files} - {""}
    if len(found) > 1:
        raise DataError(f"{path}: holds files of {' and '.join(sorted(found))}: name one folder")
    return found.pop()


def _recognise_file(path: Path) -> str:
    """Name the writer of a file, "" if it is none."""
    by_suffix: dict[str, Callable[[Path], str]] = {
        ".xml": _recognise_xml,
        ".json": _recognise_json,
        ".csv": _recognise_csv,
        ".txt": _recognise_text,
        ".pts": lambda file: "merl-rav" if pts_folder.looks_like_merl_rav(file) else "pts",
        ".mat": _recognise_mat,
    }
    look = by_suffix.get(path.suffix.lower())
    if look is None:
        return ""
    return look(path)


def _recognise_xml(path: Path) -> str:
    root = parse_xml(path)
    if root.tag == "dataset" and root.find("images") is not None:
        return "imglab"
    if root.tag == "annotations":
        return "cvat"
    return ""


def _recognise_json(path: Path) -> str:  # noqa: PLR0911  one return per writer
    content = read_json(path)
    if labelme.is_labelme(content):
        return "labelme"
    if isinstance(content, list):
        return _recognise_list(content)
    if not isinstance(content, dict):
        return ""
    if "images" in content and "annotations" in content:
        return "coco"
    if "dm_format_version" in content or ("items" in content and "categories" in content):
        return "datumaro"
    entries = content.get("_via_img_metadata", content)
    if isinstance(entries, dict):
        for entry in entries.values():
            if isinstance(entry, dict) and "regions" in entry and "filename" in entry:
                return "via"
    return ""


def _recognise_list(content: list[Any]) -> str:
    for task in content[:20]:
        if not isinstance(task, dict):
            return ""
        if "data" in task and ("annotations" in task or "completions" in task):
            return "label-studio"
        for value in task.values():
            rows = value if isinstance(value, list) else []
            if rows and isinstance(rows[0], dict) and "original_width" in rows[0]:
                return "label-studio"
    return ""


def _recognise_csv(path: Path) -> str:
    header = read_text(path).partition("\n")[0]
    names = [name.strip().lstrip("#") for name in header.split(",")]
    if "region_shape_attributes" in names:
        return "via"
    if "original_0_x" in names:
        return "hrnet-csv"
    if "x0" in names and ("image" in names or "image_name" in names):
        return "benchbox-csv"
    return ""


def _recognise_text(path: Path) -> str:
    lines = read_text(path).splitlines()
    if point_texts.starts_with_count(lines):
        return "lapa"
    if point_texts.starts_with_name(lines):
        return "helen"
    if lines and len(lines[0].split()) >= 190:
        return "wflw-list"
    return ""


def _recognise_mat(path: Path) -> str:
    shapes = lp_mat.variables(path)
    if "pt3d_68" in shapes:
        return "aflw2000-mat"
    if shapes:
        return "300w-lp-mat"
    return ""
