"""Files of annotation tools, made up here: one trap each, with the right values.

Every file holds the same two faces of five points on one picture; `FACES` are their places in the
pixel frame.
"""

import json

import numpy as np
import pytest

from benchbox.authoring.new_protocol import Wishes, new_protocol
from benchbox.authoring.protocol_conformance import check_protocol
from benchbox.datasets.formats.annotation_writers import WRITERS, recognise
from benchbox.datasets.formats.writer_names import FORMATS
from benchbox.errors import DataError, ProtocolError
from benchbox.runs.run_data import open_index

NAMES = ["left_eye", "right_eye", "nose", "left_mouth", "right_mouth"]
FIRST = np.array([[30.0, 30], [60, 31], [45, 50], [33, 65], [57, 66]])
FACES = {"pair_1": FIRST, "pair_2": FIRST * 1.2 + [90, 3]}
BOXES = [[20.0, 20, 70, 80], [112.0, 25, 178, 100]]


@pytest.fixture
def tmp_path(tmp_path):
    """Lie deep: `new protocol` looks for pictures two folders up, where other tests have theirs."""
    deep = tmp_path / "one" / "two"
    deep.mkdir(parents=True)
    return deep


def read(path, folder, **said):
    made = new_protocol("mine", Wishes(source=path, **{"sides": "picture", **said}), folder)
    return made, open_index(made.protocol, made.root, pixels=False)


def check_faces(index, atol=1e-6, faces=FACES):
    assert index.ids.tolist() == list(faces)
    for row, points in enumerate(faces.values()):
        np.testing.assert_allclose(index.values[row] - index.origin, points, atol=atol)


def imglab_box(points, box, names, extra=""):
    x0, y0, x1, y1 = (round(side) for side in box)
    text = f"<box top='{y0}' left='{x0}' width='{x1 - x0}' height='{y1 - y0}'{extra}>"
    for name, (x, y) in zip(names, points, strict=True):
        text += f"<part name='{name}' x='{x:g}' y='{y:g}'/>"
    return text + "</box>"


def write_imglab(path, faces, names, extra=""):
    boxes = ""
    for points, box in zip(faces, BOXES, strict=False):
        boxes += imglab_box(points, box, names, extra)
    path.write_text(
        f"<?xml version='1.0'?><dataset><images><image file='pair.jpg'>{boxes}</image></images>"
        "</dataset>"
    )


def labelme_shapes(groups=(1, 2), hidden=()):
    shapes = []
    for group, points in zip(groups, FACES.values(), strict=True):
        for name, (x, y) in reversed(list(zip(NAMES, points, strict=True))):
            flags = {"occluded": (group, name) in hidden}
            place = [[x + 0.5, y + 0.5]]
            shapes.append(
                {"label": name, "points": place, "group_id": group, "shape_type": "point"}
                | {"flags": flags}
            )
    return shapes


def write_json(path, content):
    path.write_text(json.dumps(content))
    return path


def coco(categories, annotations):
    return {
        "images": [{"id": 7, "file_name": "pair.jpg", "width": 200, "height": 120}],
        "categories": categories,
        "annotations": annotations,
    }


def coco_face(number, points, marks=(2, 2, 2, 2, 2), **more):
    keypoints = []
    for (x, y), mark in zip(points, marks, strict=True):
        keypoints += [x, y, mark]
    return {"id": number, "image_id": 7, "category_id": 1, "keypoints": keypoints, **more}


def test_every_format_of_a_card_has_a_reader():
    assert sorted(WRITERS) == sorted(FORMATS)


# --- order ----------------------------------------------------------------------------------------


def test_parts_of_imglab_are_ordered_by_name_and_boxes_hold_their_last_pixel(tmp_path):
    names = sorted(NAMES)
    faces = [points[[NAMES.index(name) for name in names]] for points in FACES.values()]
    rounded = {name: np.round(points) for name, points in FACES.items()}
    write_imglab(tmp_path / "faces.xml", [np.round(face) for face in faces], names)
    _, index = read(tmp_path / "faces.xml", tmp_path)
    check_faces(index, faces=rounded)
    assert index.boxes["bbox"][0].tolist() == [20, 20, 70, 80]


def test_numbers_of_imglab_are_numbers_and_count_from_one_without_a_zero(tmp_path):
    """Trap: dlib sorts "10" before "2"; a predictor trained so answers in another order."""
    points = np.stack([np.arange(19.0), np.arange(19.0) ** 2], axis=1) + 3
    names = [str(number) for number in range(1, 20)]
    order = sorted(range(19), key=lambda k: names[k])
    write_imglab(tmp_path / "a.xml", [points[order]], [names[k] for k in order])
    made, index = read(tmp_path / "a.xml", tmp_path)
    assert made.protocol.layout == "aflw19"
    np.testing.assert_allclose(index.values[0], points)


def test_names_of_coco_decide_the_order(tmp_path):
    """Trap: shuffled names passed `data verify` with exit 0."""
    shuffled = [3, 0, 4, 2, 1]
    category = {"id": 1, "name": "face", "keypoints": [NAMES[k] for k in shuffled]}
    rows = []
    for number, points in enumerate(FACES.values()):
        rows.append(coco_face(number, points[shuffled], bbox=[1, 2, 30, 40]))
    path = write_json(tmp_path / "a.json", coco([category], rows))
    _, index = read(path, tmp_path, origin=0.5)
    assert index.origin == 0.5
    np.testing.assert_allclose(index.values[1], FACES["pair_2"])
    assert index.boxes["bbox"][0].tolist() == [1, 2, 31, 42]


def test_left_and_right_of_a_person_are_exchanged(tmp_path):
    category = {"id": 1, "name": "face", "keypoints": NAMES}
    path = write_json(tmp_path / "a.json", coco([category], [coco_face(1, FIRST)]))
    with pytest.raises(DataError, match="--sides picture or --sides person"):
        new_protocol("mine", Wishes(source=path, origin=0.0), tmp_path)
    made, index = read(path, tmp_path, origin=0.0, sides="person")
    np.testing.assert_allclose(index.values[0], FIRST[[1, 0, 2, 4, 3]])
    assert any("was --sides picture meant?" in line for line in made.said)


def test_nodes_of_a_cvat_skeleton_go_by_label_and_outside_is_absent(tmp_path):
    """Trap: nodes in stored order, and left-over places of outside nodes, 12 px off."""
    nodes = ""
    for k in (4, 2, 0, 3, 1):
        x, y = FIRST[k] + 0.5
        flags = f'outside="{int(k == 1)}" occluded="{int(k == 2)}"'
        nodes += f'<points label="{NAMES[k]}" {flags} points="{x:.2f},{y:.2f}"/>'
    path = tmp_path / "a.xml"
    path.write_text(
        '<annotations><image name="p.jpg"><skeleton label="face">'
        f"{nodes}</skeleton></image></annotations>"
    )
    _, index = read(path, tmp_path)
    points = FIRST.copy()
    points[1] = np.nan
    check_faces(index, faces={"p": points})
    assert index.absent[0].tolist() == [False, True, False, False, False]
    assert index.visible[0].tolist() == [True, False, False, True, True]


# --- absent, hidden, several faces ----------------------------------------------------------------


def test_an_absent_point_of_coco_stays_in_its_place_and_a_category_without_points_is_passed(
    tmp_path,
):
    categories = [
        {"id": 2, "name": "person"},
        {"id": 1, "name": "face", "keypoints": NAMES},
    ]
    other = {"id": 99, "image_id": 7, "category_id": 2, "bbox": [0, 0, 5, 5]}
    face = coco_face(1, FIRST, marks=(2, 2, 0, 1, 2))
    path = write_json(tmp_path / "a.json", coco(categories, [other, face]))
    made, index = read(path, tmp_path, origin=0.0)
    assert np.isnan(index.values[0, 2]).all()
    assert index.visible[0].tolist() == [True, True, False, False, True]
    assert any("1 annotations without keypoints are passed over" in line for line in made.said)
    checks = check_protocol(str(made.card), made.root, lambda note: None)
    assert [check.name for check in checks if not check.ok] == []


def test_v_of_one_throughout_says_nothing_of_visibility(tmp_path):
    face = coco_face(1, FIRST, marks=(1, 1, 1, 1, 1))
    path = write_json(tmp_path / "a.json", coco([{"id": 1, "keypoints": []}], [face]))
    _, index = read(path, tmp_path, origin=0.0)
    assert index.visible is None


def test_two_faces_of_labelme_are_told_apart_by_group(tmp_path):
    shapes = labelme_shapes(hidden={(2, "nose")})
    write_json(tmp_path / "pair.json", {"shapes": shapes, "imagePath": "in\\pair.jpg"})
    _, index = read(tmp_path / "pair.json", tmp_path)
    named = {name: FACES[name] for name in index.ids.tolist()}
    check_faces(index, faces=named)
    assert index.images.tolist() == ["in/pair.jpg"] * 2
    assert not index.visible[1, 2]
    assert index.visible.sum() == 9


def test_two_faces_that_nothing_tells_apart_are_refused(tmp_path):
    write_json(
        tmp_path / "pair.json", {"shapes": labelme_shapes((None, None)), "imagePath": "pair.jpg"}
    )
    with pytest.raises(DataError, match=r"pair\.json: '.*' stands there twice"):
        read(tmp_path / "pair.json", tmp_path)


def label_studio_task(turned=0, parents=("", "")):
    results = []
    for number, (points, box) in enumerate(zip(FACES.values(), BOXES, strict=True)):
        frame = {"original_width": 200, "original_height": 120, "image_rotation": turned}
        x0, y0, x1, y1 = (side + 0.5 for side in box)
        place = {"x": x0 / 2, "y": y0 / 1.2, "width": (x1 - x0) / 2, "height": (y1 - y0) / 1.2}
        rectangle = {"value": place | {"rectanglelabels": ["face"]}, "id": f"box{number}"}
        results.append(frame | rectangle)
        for name, (x, y) in zip(NAMES, points + 0.5, strict=True):
            value = {"x": x / 2, "y": y / 1.2, "width": 0.5, "keypointlabels": [name]}
            tie = {"parentID": parents[number]} if parents[number] else {}
            results.append(frame | {"value": value, "type": "keypointlabels"} | tie)
    return {"id": 4, "data": {"img": "/data/upload/1/0badcafe-pair.jpg"}} | {
        "annotations": [{"result": results}, {"was_cancelled": True, "result": results}]
    }


@pytest.mark.parametrize("parents", [("", ""), ("box0", "box1")])
def test_percents_of_label_studio_become_pixels(tmp_path, parents):
    path = write_json(tmp_path / "a.json", [label_studio_task(parents=parents)])
    _, index = read(path, tmp_path)
    check_faces(index)
    np.testing.assert_allclose(index.boxes["bbox"] - 0.5, BOXES)


def test_a_picture_turned_in_the_editor_is_refused_by_its_task(tmp_path):
    path = write_json(tmp_path / "a.json", [label_studio_task(turned=90)])
    with pytest.raises(DataError, match=r"task 4: the picture is turned by 90°"):
        read(path, tmp_path)


def test_regions_of_via_name_points_by_the_attribute_that_does(tmp_path):
    regions = []
    for face, points in enumerate(FACES.values()):
        for name, (x, y) in zip(NAMES, points, strict=True):
            shape = {"name": "point", "cx": round(x + 0.5), "cy": round(y + 0.5)}
            attributes = {"label": name, "face": str(face)}
            regions.append({"shape_attributes": shape, "region_attributes": attributes})
    entry = {"filename": "pair.jpg", "size": 9, "regions": regions}
    path = write_json(tmp_path / "a.json", {"pair.jpg9": entry})
    _, index = read(path, tmp_path)
    check_faces(index, atol=0.51)
    assert (index.values == np.round(index.values)).all()
    assert index.origin == 0.5


# --- one file per face ----------------------------------------------------------------------------


def write_pts(path, points):
    lines = "\n".join(f"{x:.17g} {y:.17g}" for x, y in points)
    path.write_text(f"version: 1\nn_points:  {len(points)}\n{{\n{lines}\n}}")


def face68():
    angles = np.linspace(0, 6, 68)
    return np.stack([100 + 40 * np.cos(angles), 90 + 50 * np.sin(angles)], axis=1)


def test_signs_of_merl_rav_are_read_as_its_code(tmp_path):
    points = face68()
    coded = points.copy()
    coded[3] *= -1
    coded[5] = -1
    write_pts(tmp_path / "a.pts", coded)
    made, index = read(tmp_path, tmp_path / "cards")
    assert made.protocol.source.format == "merl-rav"
    assert index.origin == 0
    np.testing.assert_allclose(index.values[0, 3], points[3])
    assert (index.visible[0, 3], index.absent[0, 5], index.absent.sum()) == (False, True, 1)


def test_a_stray_negative_does_not_make_merl_rav(tmp_path):
    points = face68()
    points[0] = [-2.5, 80]
    write_pts(tmp_path / "a.pts", points)
    made, index = read(tmp_path, tmp_path / "cards")
    assert (made.protocol.source.format, index.origin) == ("pts", 1.0)
    np.testing.assert_allclose(index.values[0], points)
    _, from_zero = read(tmp_path, tmp_path / "zero", origin=0.0)
    assert from_zero.origin == 0


def test_106_points_are_asked_for_by_name_and_66_too(tmp_path):
    lines = "\n".join(f"{k}.0 {k + 1}.0" for k in range(106))
    (tmp_path / "p.jpg.txt").write_text(f"106\n{lines}\n")
    with pytest.raises(DataError, match=r"--layout lapa106 \| insightface106 \| sensetime106"):
        read(tmp_path, tmp_path)
    _, index = read(tmp_path, tmp_path, layout="lapa106")
    assert index.ids.tolist() == ["p"]
    header = ",".join(f"x{k},y{k}" for k in range(66))
    cells = ",".join(str(k) for k in range(132))
    (tmp_path / "a.csv").write_text(f"image,{header}\np.jpg,{cells}\n")
    with pytest.raises(DataError, match=r"--layout ibug66 \| openseeface66"):
        new_protocol("other", Wishes(source=tmp_path / "a.csv", origin=0.0), tmp_path)


def test_helen_goes_by_the_name_inside(tmp_path):
    lines = "\r\n".join(f"{k}.25 , {k}.5" for k in range(194))
    (tmp_path / "1.txt").write_bytes(f"face_a\r\n{lines}\r\n".encode())
    made, index = read(tmp_path, tmp_path / "cards")
    assert (made.protocol.layout, index.ids.tolist()) == ("helen194", ["face_a"])
    assert index.values[0, 193].tolist() == [193.25, 193.5]


def test_a_line_of_wflw_with_other_words_is_named(tmp_path):
    numbers = " ".join(["5.5 6.5"] * 98)
    whole = f"{numbers} 1 2 30 40 0 0 1 0 0 1 set/p.jpg"
    path = tmp_path / "list.txt"
    path.write_text(f"{whole}\n{numbers} 0.5 0.5 0.5 0.5 0.5 0.5 set/p.jpg\n")
    with pytest.raises(DataError, match=r"list\.txt:2: 203 words"):
        read(path, tmp_path)
    path.write_text(f"{whole}\n{whole}\n")
    _, index = read(path, tmp_path)
    assert index.ids.tolist() == ["0001", "0002"]
    assert index.attributes["illumination"].all()
    assert index.boxes["bbox"][0].tolist() == [1, 2, 30, 40]


def test_two_sets_of_points_in_a_mat_are_asked_for(tmp_path):
    from scipy.io import savemat

    of_68, of_21 = np.ones((3, 68)), np.full((2, 21), 2.0)
    of_21[:, 4] = -1
    savemat(tmp_path / "image1.mat", {"pt3d_68": of_68, "pt2d": of_21})
    with pytest.raises(DataError, match="--field pt3d_68"):
        read(tmp_path, tmp_path)
    _, index = read(tmp_path, tmp_path / "c", field="pt2d")
    assert (index.values.shape[1], index.origin) == (21, 1.0)
    assert index.absent[0].nonzero()[0].tolist() == [4]


def test_the_face_size_of_hrnet_s_aflw_list_is_the_normaliser(tmp_path):
    header = ",".join(f"original_{k}_x,original_{k}_y" for k in range(19))
    cells = ",".join(str(10 + k) for k in range(38))
    path = tmp_path / "a.csv"
    path.write_text(
        f"image_name,scale,box_size,center_w,center_h,{header}\np.jpg,0.7,142,30,40,{cells}\n"
    )
    with pytest.raises(DataError, match="--origin 0"):
        read(path, tmp_path)
    made, index = read(path, tmp_path, origin=0.0)
    assert made.protocol.normalisers == ("face_size",)
    assert index.scale_boxes[0].tolist() == [-41, -31, 101, 111]


# --- the command's own ----------------------------------------------------------------------------


def test_names_that_no_layout_has_make_a_layout_of_the_card_s_own(tmp_path):
    names = ["ear_left", "ear_right", "chin"]
    write_imglab(tmp_path / "a.xml", [FIRST[:3]], names)
    made, index = read(tmp_path / "a.xml", tmp_path)
    own = made.protocol.own_layout
    assert own.names == ("chin", "ear_left", "ear_right")
    assert own.flip == (0, 2, 1)
    np.testing.assert_allclose(index.values[0], FIRST[[2, 0, 1]])


def test_a_misspelt_name_is_no_point(tmp_path):
    names = [*NAMES[:4], "rigth_mouth"]
    write_imglab(tmp_path / "a.xml", [FIRST], names)
    with pytest.raises(DataError, match="'rigth_mouth': no such point of five"):
        read(tmp_path / "a.xml", tmp_path, layout="five")


def test_entities_in_xml_are_refused(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text('<!DOCTYPE a [<!ENTITY b "c">]><dataset><images/></dataset>')
    with pytest.raises(DataError, match="declares a document type"):
        recognise(path)


def test_a_picture_outside_the_data_root_is_not_read(tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "p.jpg").write_bytes(b"x")
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "a.xml"
    path.write_text(
        "<dataset><images><image file='../secret/p.jpg'>"
        f"{imglab_box(FIRST, BOXES[0], NAMES)}</image></images></dataset>"
    )
    made, _ = read(path, tmp_path, data=tmp_path / "data", images=tmp_path / "data")
    from benchbox.datasets import open_protocol_dataset

    assert len(open_protocol_dataset(made.protocol).index(made.root).ids) == 0


def test_an_installed_name_and_a_card_that_is_there_are_kept(tmp_path):
    write_imglab(tmp_path / "a.xml", [FIRST], NAMES)
    with pytest.raises(ProtocolError, match="'wflw' is an installed protocol"):
        new_protocol("wflw", Wishes(source=tmp_path / "a.xml"), tmp_path)
    read(tmp_path / "a.xml", tmp_path)
    with pytest.raises(ProtocolError, match="is there"):
        read(tmp_path / "a.xml", tmp_path)


def test_boxes_of_corners_are_refused_where_width_and_height_belong(tmp_path):
    """The trap: read as x y width height they hold the face, and much else."""
    images, rows = [], []
    for number in range(1, 5):
        images.append({"id": number, "file_name": f"{number}.jpg"})
        left, top = 40.0 * number, 30.0 * number
        keypoints = [left, top, 2, left + 30, top + 5, 2, left + 15, top + 40, 2]
        box = [left - 5, top - 5, left + 35, top + 45]
        rows.append({"id": number, "image_id": number, "keypoints": keypoints, "bbox": box})
    path = tmp_path / "corners.json"
    path.write_text(json.dumps({"images": images, "annotations": rows, "categories": []}))
    with pytest.raises(DataError, match="4 of 4 fit their points far better as corners"):
        WRITERS["coco"].read(path, "")
    for row in rows:
        row["bbox"][2:] = [40.0, 50.0]
    path.write_text(json.dumps({"images": images, "annotations": rows, "categories": []}))
    assert WRITERS["coco"].read(path, "").faces[0].box == (35.0, 25.0, 75.0, 75.0)
