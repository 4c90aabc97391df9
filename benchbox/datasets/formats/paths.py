"""What readers share about files: pictures beside annotations, pictures below a folder, names that stay inside it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from benchbox.errors import DataError

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
_DEEPEST = 4  # folders below the one that is searched


@dataclass(frozen=True)
class AnnotatedPicture:
    """An annotation file and the picture with the same stem."""

    stem: str
    annotation: Path
    picture: Path | None
    doubled: bool = False  # as png and as jpg


def pair_pictures(place: Path, official: str) -> list[AnnotatedPicture]:
    """List the `.pts` files of a folder by stem, each with its picture.

    `official` is the suffix that wins.
    """
    annotations: dict[str, Path] = {}
    pictures: dict[str, dict[str, Path]] = {}
    for path in place.iterdir() if place.is_dir() else ():
        if path.name.startswith("."):  # droppings of file managers
            continue
        suffix = path.suffix.lower()
        if suffix == ".pts":
            annotations[path.stem] = path
        elif suffix in PICTURE_SUFFIXES:
            pictures.setdefault(path.stem, {})[suffix] = path
    found = []
    for stem in sorted(annotations):
        choice = pictures.get(stem, {})
        picture = choice.get(official) or next(
            (choice[s] for s in PICTURE_SUFFIXES if s in choice), None
        )
        found.append(AnnotatedPicture(stem, annotations[stem], picture, len(choice) > 1))
    return found


def pictures_below(folder: Path) -> Mapping[str, Path]:
    """Map `sub/stem` (no suffix, forward slashes) to the picture there; a png wins over a jpg.

    Reads no file.
    """
    found: dict[str, Path] = {}
    for place, folders, names in os.walk(folder, followlinks=True):
        inside = Path(place).relative_to(folder)
        if len(inside.parts) >= _DEEPEST:
            folders.clear()
        folders.sort()
        for name in sorted(names, reverse=True):  # png after jpg: it overwrites
            stem, dot, suffix = name.rpartition(".")
            if f"{dot}{suffix}".lower() in PICTURE_SUFFIXES and not name.startswith("."):
                found[(PurePosixPath(inside.as_posix()) / stem).as_posix()] = Path(place) / name
    return found


def check_relative_path(name: str, where: str) -> str:
    """Return a relative path that stays in its folder, forward slashes.

    Raises DataError for any other.
    """
    path = PurePosixPath(name)
    if (
        not name
        or path.is_absolute()
        or ".." in path.parts
        or "\\" in name
        or "\0" in name
        or ":" in name
    ):
        raise DataError(f"{where}: {name[:80]!r} is not the name of a file inside the dataset")
    return path.as_posix()


def drop_suffix(name: str) -> str:
    """Drop the suffix of a relative path: copies keep a listed .png as .jpg."""
    return PurePosixPath(name).with_suffix("").as_posix()
