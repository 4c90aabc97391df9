"""One set of made-up faces in the files of every tool that is read: what went wrong is put in."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from benchbox.datasets.shape_fit import mean_face

WIDTH, HEIGHT = 240, 200
TRAINED, TESTED = 5, 4
COUNT = 68


@dataclass
class Face:
    part: str
    image: str
    points: np.ndarray  # (68, 2) px, NaN where a point is not marked
    box: list[float] | None
    hidden: frozenset[int] = frozenset()
    face_size: float | None = None
    stated: tuple[int, int] = field(default=(WIDTH, HEIGHT))


def draw_faces():
    """Upright faces of about half their picture, each a little turned."""
    faces = []
    middle = mean_face("ibug68")[:, :2]
    middle = middle - middle.mean(axis=0)
    for number in range(TRAINED + TESTED):
        rng = np.random.default_rng(number)
        turn = np.radians(rng.uniform(-12, 12))
        matrix = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
        points = middle @ np.array(matrix).T * rng.uniform(0.6, 0.8) + rng.normal(0, 1, (COUNT, 2))
        points = np.round(points + np.array([120, 100]) + rng.uniform(-10, 10, 2), 2)
        part = "train" if number < TRAINED else "test"
        box = [*(points.min(axis=0) - 6), *(points.max(axis=0) + 6)]
        faces.append(Face(part, f"{part}{number:03d}.jpg", points, [float(side) for side in box]))
    return faces


def write_pictures(folder):
    folder.mkdir(parents=True)
    for number in range(TRAINED + TESTED):
        rng = np.random.default_rng(100 + number)
        small = rng.integers(0, 255, (12, 15, 3), dtype=np.uint8)
        picture = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        part = "train" if number < TRAINED else "test"
        cv2.imwrite(str(folder / f"{part}{number:03d}.jpg"), picture)


# --- one function a tool --------------------------------------------------------------------------


def write_csv(faces, path):
    header = ["image", *(f"{axis}{k}" for k in range(COUNT) for axis in "xy")]
    header += ["box_x0", "box_y0", "box_x1", "box_y1"]
    flags = any(face.hidden for face in faces)
    if flags:
        header += [f"v{k}" for k in range(COUNT)]
    lines = [",".join(header)]
    for face in faces:
        cells = [face.image]
        cells += ["" if np.isnan(value) else f"{value:g}" for value in face.points.ravel()]
        cells += [""] * 4 if face.box is None else [f"{side:g}" for side in face.box]
        if flags:
            cells += [str(int(k not in face.hidden)) for k in range(COUNT)]
        lines.append(",".join(cells))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_coco(faces, path):
    images, annotations = [], []
    for number, face in enumerate(faces, start=1):
        width, height = face.stated
        images.append({"id": number, "file_name": face.image, "width": width, "height": height})
        keypoints = []
        for k, (x, y) in enumerate(face.points.tolist()):
            mark = [0, 0, 0] if np.isnan(x) else [x, y, 1 if k in face.hidden else 2]
            keypoints += mark
        row = {"id": number, "image_id": number, "category_id": 1, "keypoints": keypoints}
        if face.box is not None:
            x0, y0, x1, y1 = face.box
            row["bbox"] = [x0, y0, x1 - x0, y1 - y0]
        if face.face_size is not None:
            row["box_size"] = face.face_size
            row["center"] = np.nanmean(face.points, axis=0).tolist()
        annotations.append(row)
    category = {"id": 1, "name": "face"}
    content = {"images": images, "annotations": annotations, "categories": [category]}
    path.write_text(json.dumps(content))


def write_cvat(faces, path):
    text = "<annotations><version>1.1</version>"
    for number, face in enumerate(faces):
        width, height = face.stated
        text += f'<image id="{number}" name="{face.image}" width="{width}" height="{height}">'
        places = ";".join(f"{x:g},{y:g}" for x, y in face.points)
        text += f'<points label="face" occluded="0" points="{places}"/>'
        if face.box is not None:
            x0, y0, x1, y1 = face.box
            text += f'<box label="box" xtl="{x0:g}" ytl="{y0:g}" xbr="{x1:g}" ybr="{y1:g}"/>'
        text += "</image>"
    path.write_text(text + "</annotations>")


def write_imglab(faces, path):
    text = "<dataset><images>"
    for face in faces:
        box = face.box or [*np.nanmin(face.points, axis=0), *np.nanmax(face.points, axis=0)]
        x0, y0, x1, y1 = (round(float(side)) for side in box)
        text += f'<image file="../pictures/{face.image}"><box left="{x0}" top="{y0}" '
        text += f'width="{x1 - x0}" height="{y1 - y0}">'
        for k, (x, y) in enumerate(face.points):
            text += "" if np.isnan(x) else f'<part name="{k:02d}" x="{x:g}" y="{y:g}"/>'
        text += "</box></image>"
    path.write_text(text + "</images></dataset>")


def write_labelme(faces, path):
    path.mkdir()
    for number, face in enumerate(faces):
        shapes = []
        for k, (x, y) in enumerate(face.points.tolist()):
            if not np.isnan(x):
                flags = {"occluded": k in face.hidden}
                shape = {"label": str(k), "points": [[x, y]], "shape_type": "point"}
                shapes.append(shape | {"group_id": 1, "flags": flags})
        if face.box is not None:
            corners = [face.box[:2], face.box[2:]]
            shape = {"label": "face", "points": corners, "shape_type": "rectangle"}
            shapes.append(shape | {"group_id": 1, "flags": {}})
        width, height = face.stated
        content = {"version": "5.0", "shapes": shapes, "imagePath": face.image}
        content |= {"imageWidth": width, "imageHeight": height, "imageData": None, "flags": {}}
        (path / f"{number:03d}.json").write_text(json.dumps(content))


def write_label_studio(faces, path):
    tasks = []
    for number, face in enumerate(faces, start=1):
        width, height = face.stated
        size = {"original_width": width, "original_height": height, "image_rotation": 0}
        results = []
        for k, (x, y) in enumerate(face.points.tolist()):
            if not np.isnan(x):
                value = {"x": 100 * x / width, "y": 100 * y / height, "keypointlabels": [str(k)]}
                results.append({"id": f"p{k}", "type": "keypointlabels", "value": value, **size})
        tasks.append(
            {
                "id": number,
                "data": {"image": f"/data/upload/1/abcdef01-{face.image}"},
                "annotations": [{"id": number, "result": results}],
            }
        )
    path.write_text(json.dumps(tasks))


def write_via(faces, path):
    content = {}
    for face in faces:
        regions = []
        for k, (x, y) in enumerate(face.points.tolist()):
            if not np.isnan(x):
                place = {"name": "point", "cx": x, "cy": y}
                regions.append({"shape_attributes": place, "region_attributes": {"part": str(k)}})
        entry = {"filename": face.image, "size": 1, "regions": regions, "file_attributes": {}}
        content[f"{face.image}1"] = entry
    path.write_text(json.dumps(content))


def write_pts(faces, path):
    path.mkdir()
    for face in faces:
        lines = "\n".join(f"{x:g} {y:g}" for x, y in face.points)
        text = f"version: 1\nn_points: {COUNT}\n{{\n{lines}\n}}\n"
        (path / f"{Path(face.image).stem}.pts").write_text(text)


def write_hrnet(faces, path):
    header = ["image_name", "scale", "center_w", "center_h"]
    header += [f"original_{k}_{axis}" for k in range(COUNT) for axis in "xy"]
    lines = [",".join(header)]
    for face in faces:
        x, y = face.points.mean(axis=0)
        numbers = ",".join(f"{value:g}" for value in face.points.ravel())
        lines.append(f"{face.image},1.0,{x:g},{y:g},{numbers}")
    path.write_text("\n".join(lines) + "\n")


def write_datumaro(faces, path):
    items = []
    for face in faces:
        marked = [0 if np.isnan(x) else 2 for x in face.points[:, 0]]
        numbers = np.nan_to_num(face.points).ravel().tolist()
        points = {"id": 1, "type": "points", "label_id": 0, "group": 1, "points": numbers}
        rows = [points | {"visibility": marked}]
        if face.box is not None:
            x0, y0, x1, y1 = face.box
            sized = [x0, y0, x1 - x0, y1 - y0]
            rows.append({"id": 2, "type": "bbox", "label_id": 0, "group": 1, "bbox": sized})
        picture = {"path": face.image, "size": list(face.stated[::-1])}
        items.append({"id": Path(face.image).stem, "annotations": rows, "image": picture})
    names = {"label_id": 0, "labels": [str(k) for k in range(COUNT)], "joints": []}
    categories = {"label": {"labels": [{"name": "face"}]}, "points": {"items": [names]}}
    (path / "annotations").mkdir(parents=True)
    content = {"info": {}, "categories": categories, "items": items}
    (path / "annotations" / "default.json").write_text(json.dumps(content))


# tool → how it writes, suffix, name of the format in a card, whether it writes boxes
TOOLS = {
    "csv": (write_csv, ".csv", "", True),
    "json": (write_coco, ".json", "", True),
    "coco": (write_coco, ".json", "coco", True),
    "cvat": (write_cvat, ".xml", "cvat", True),
    "imglab": (write_imglab, ".xml", "imglab", True),
    "labelme": (write_labelme, "", "labelme", True),
    "label-studio": (write_label_studio, ".json", "label-studio", False),
    "via": (write_via, ".json", "via", False),
    "pts": (write_pts, "", "pts", False),
    "hrnet-csv": (write_hrnet, ".csv", "hrnet-csv", False),
    "benchbox-csv": (write_csv, ".csv", "benchbox-csv", True),
    "datumaro": (write_datumaro, "", "datumaro", True),
}

_CARD = """
name = "set"
title = "made-up faces"
dataset = "files"
layout = "ibug68"
source = {{images = "pictures", parts = {{{parts}}}, origin = 0{written}}}
train = {{parts = ["train"], expected = {trained}}}
test = {{overall = "all", expected = {tested}, groups = {{all = ["test"]}}}}
box = {{source = "{box}"}}
score = {{normalisers = ["{normaliser}"]{masked}}}
"""


def write_set(root, tool, faces, *, normaliser="inter_ocular", masked=False):
    """Write faces as a tool does, with pictures and a card; return the card's file."""
    write, suffix, name, has_boxes = TOOLS[tool]
    write_pictures(root / "pictures")
    (root / "labels").mkdir()
    parts = []
    for part in ("train", "test"):
        write([face for face in faces if face.part == part], root / "labels" / f"{part}{suffix}")
        parts.append(f'{part} = "labels/{part}{suffix}"')
    card = _CARD.format(
        parts=", ".join(parts),
        written=f', format = "{name}"' if name else "",
        trained=TRAINED,
        tested=TESTED,
        box="bbox" if has_boxes else "ground_truth",
        normaliser=normaliser,
        masked=", masked = true" if masked else "",
    )
    (root / "set.toml").write_text(card)
    return root / "set.toml"
