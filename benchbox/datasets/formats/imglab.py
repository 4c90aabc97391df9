"""dlib's imglab XML: `images/image[file]/box[top left width height]/part[name x y]`.

Origin 0, whole pixels. Parts are ordered by name, never by place: dlib sorts names as text, which
puts "10" before "2"; a name that is a number means that number. dlib's boxes hold their last
pixel, so x1 = left + width here. A part that is not there is an absent point; a box that is to be
ignored is no face. Paths are relative to the XML file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchbox.errors import DataError
from benchbox.file_readers.xml_files import parse_xml

from .marked_face import Mark, MarkedFace, MarkedFaces, image_name, number, without_points


def read_imglab(path: Path, field: str = "") -> MarkedFaces:
    """Read the boxes with parts of a file.

    Raises
    ------
    DataError
        The file is malformed; names the picture and its box.
    """
    del field
    root = parse_xml(path)
    faces: list[MarkedFace] = []
    ignored = 0
    for image in root.iterfind("images/image"):
        file = image_name(image.get("file"), f"{path}: image")
        for row, box in enumerate(image.iterfind("box"), start=1):
            where = f"{path}: {file}, box {row}"
            if box.get("ignore") == "1":
                ignored += 1
                continue
            faces.append(_read_box(box, file, where))
    faces, notes = without_points(faces, "boxes")
    if ignored:
        notes.append(f"{ignored} boxes are marked to be ignored, left out")
    names = sorted({name for face in faces for name in face.marks})
    return MarkedFaces(faces, tuple(names), notes=tuple(notes), folder=path.parent)


def _read_box(box: Any, file: str, where: str) -> MarkedFace:
    marks: dict[str, Mark] = {}
    for part in box.iterfind("part"):
        name = (part.get("name") or "").strip()
        if not name or name in marks:
            raise DataError(f"{where}: the part {name!r} is there twice, or has no name")
        marks[name] = Mark(number(part.get("x"), where), number(part.get("y"), where))
    left, top = number(box.get("left"), where), number(box.get("top"), where)
    width, height = number(box.get("width"), where), number(box.get("height"), where)
    if width <= 0 or height <= 0:
        raise DataError(f"{where}: the box {width:g} x {height:g} has no area")
    corners = (left, top, left + width, top + height)
    occluded = {"occluded": box.get("occluded") == "1"}
    return MarkedFace(file, marks, where, box=corners, attributes=occluded)
