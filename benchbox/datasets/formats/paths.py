"""Files of a dataset: pictures beside annotations, pictures below a folder, names that stay inside.

Nothing here opens a file; `images` decodes them.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from benchbox.errors import DataError

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
_OTHER_PICTURES = (*PICTURE_SUFFIXES, ".bmp", ".gif", ".tif", ".tiff", ".webp")
_DEEPEST = 4  # folders below the one that is searched


@dataclass(frozen=True)
class AnnotatedPicture:
    """An annotation file and the picture with the same stem."""

    stem: str
    annotation: Path
    picture: Path | None
    doubled: bool = False  # as png and as jpg


def pair_pictures(folder: Path, official: str) -> list[AnnotatedPicture]:
    """List the `.pts` files of a folder by stem, each with its picture; an absent folder has none.

    `official` is the suffix that wins where a picture is there twice.
    """
    if not folder.is_dir():
        return []
    annotations: dict[str, Path] = {}
    pictures: dict[str, dict[str, Path]] = {}
    for path in folder.iterdir():
        if is_dropping(path.name):
            continue
        suffix = path.suffix.lower()
        if suffix == ".pts":
            annotations[path.stem] = path
        elif suffix in PICTURE_SUFFIXES:
            pictures.setdefault(path.stem, {})[suffix] = path
    pairs = []
    for stem, annotation in sorted(annotations.items()):
        by_suffix = pictures.get(stem, {})
        picture = None
        for suffix in (official, *PICTURE_SUFFIXES):
            if suffix in by_suffix:
                picture = by_suffix[suffix]
                break
        pairs.append(AnnotatedPicture(stem, annotation, picture, len(by_suffix) > 1))
    return pairs


def pictures_below(folder: Path) -> Mapping[str, Path]:
    """Map `sub/stem` (no suffix, forward slashes) to the picture there; a png wins over a jpg.

    Looks four folders deep and reads no file.
    """
    pictures: dict[str, Path] = {}
    for directory, subfolders, names in os.walk(folder, followlinks=True):
        relative = Path(directory).relative_to(folder)
        if len(relative.parts) >= _DEEPEST:
            subfolders.clear()
        subfolders[:] = sorted(name for name in subfolders if not is_dropping(name))
        for name in sorted(names, reverse=True):  # png after jpg: it overwrites
            if is_picture(name):
                stem = name.rpartition(".")[0]
                key = (PurePosixPath(relative.as_posix()) / stem).as_posix()
                pictures[key] = Path(directory) / name
    return pictures


def is_picture(name: str) -> bool:
    """Say whether a file name is that of a picture, by its suffix.

    Examples
    --------
    >>> is_picture("a.JPG"), is_picture("._a.jpg"), is_picture("a.pts")
    (True, False, False)
    """
    _, dot, suffix = name.rpartition(".")
    return f"{dot}{suffix}".lower() in PICTURE_SUFFIXES and not is_dropping(name)


def check_relative_path(name: str, where: str) -> str:
    """Return a relative path that stays in its folder, with forward slashes.

    Raises
    ------
    DataError
        The path is empty, absolute, leads out of the folder, or is one of another system; the
        message begins with `where`.

    Examples
    --------
    >>> check_relative_path("0/image12345.jpg", "list.txt:1")
    '0/image12345.jpg'
    >>> check_relative_path("../secret.jpg", "list.txt:2")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    benchbox.errors.DataError: list.txt:2: '../secret.jpg' is not the name of a file ...
    """
    path = PurePosixPath(name)
    leads_out = path.is_absolute() or ".." in path.parts
    foreign = any(character in name for character in "\\\0:")
    if not name or leads_out or foreign:
        raise DataError(f"{where}: {name[:80]!r} is not the name of a file inside the dataset")
    return path.as_posix()


def require_inside(path: Path, root: Path) -> Path:
    """Return a path below the data root, whose links may not lead out of its dataset.

    The first folder below the root, that of the dataset, may itself be a link to another disk. An
    archive of a stranger may hold links, too: to files that are nobody's pictures.

    Raises
    ------
    DataError
        A link leads elsewhere.
    """
    if path.is_symlink() or not _is_inside(path.parent, root):
        top = root / path.relative_to(root).parts[0]
        if path != top and not path.resolve().is_relative_to(top.resolve()):
            raise DataError(
                f"{path}: a link leads out of {top}, which is refused; put the file itself there"
            )
    return path


@lru_cache(maxsize=4096)  # folders are few, pictures are many
def _is_inside(folder: Path, root: Path) -> bool:
    if folder == root:
        return True
    top = root / folder.relative_to(root).parts[0]
    return folder.resolve().is_relative_to(top.resolve())


def describe_absence(path: Path) -> str:
    """Name a path that is not there, and a file beside it that is called nearly so.

    Names that differ in case, blanks, suffix or the form of an accented letter look alike to a
    person, and to some file systems.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "Face 1.JPG").write_bytes(b"")
    ...     described = describe_absence(Path(folder) / "face1.jpg")
    >>> described.partition("(")[2]
    "there is 'Face 1.JPG')"
    """
    try:
        names = sorted(entry.name for entry in os.scandir(path.parent))
    except OSError:
        return f"{path} (there is no folder {path.parent})"
    for name in names:
        if _plain_name(name) == _plain_name(path.name):
            return f"{path} (there is {name!r})"
    for name in names:
        other = Path(name)
        same_stem = _plain_name(other.stem) == _plain_name(path.stem)
        if same_stem and other.suffix.lower() in _OTHER_PICTURES and not is_dropping(name):
            return f"{path} (there is {name!r})"
    return str(path)


def _plain_name(name: str) -> str:
    """Return a name without what people overlook: case, blanks, the form of accented letters."""
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def is_dropping(name: str) -> bool:
    """Say whether a file name is a dropping of a file manager and no part of any dataset.

    Examples
    --------
    >>> is_dropping("._000001.pts"), is_dropping("Thumbs.db"), is_dropping("desktop.ini")
    (True, True, True)
    >>> is_dropping("000001.pts")
    False
    """
    return name.startswith(".") or name.lower() in ("thumbs.db", "desktop.ini", "__macosx")


def drop_suffix(name: str) -> str:
    """Drop the suffix of a relative path: copies keep a listed .png as .jpg.

    Examples
    --------
    >>> drop_suffix("0--Parade/0_Parade_12.jpg")
    '0--Parade/0_Parade_12'
    """
    return PurePosixPath(name).with_suffix("").as_posix()
