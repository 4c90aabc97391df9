"""The atlas of gaze: truth and pictures of our own sets alone, where scores are of it."""

import json
import math

import numpy as np
import pytest

from benchbox.datasets import split
from benchbox.face_renderer.scenes import device_screens
from benchbox.papers.reference_rows import References
from benchbox.protocols import protocol_card
from benchbox.report.inputs import results as stored
from benchbox.report.inputs import synthetic_items
from benchbox.report.pages import gaze_atlas
from benchbox.report.pages.shared_data import Sources
from benchbox.report.site_build import site
from benchbox.report.tables import leaderboard, per_item
from benchbox.runs import array_files, prediction_files, run_folders
from benchbox.runs.run_record import parse_record
from benchbox.scoring.score import score_predictions, scores_to_json
from benchbox.types import Predictions
from tests.report.conftest import record, replace_errors

ITEMS = 40


def lay(folder, name, items, off, seeds=2):
    """Score some predictions on items of a rendered set, as the scorer does; lay out the atlas."""
    card = protocol_card.load_protocol(name)
    found = [synthetic_items.find_item(card.dataset, item) for item in items]
    true = np.stack([np.asarray(synthetic_items.item_facts(item)["values"]) for item in found])
    people = np.array([item.split("/")[0] for item in items])
    for seed in range(seeds):
        place = run_folders.run_folder(folder / "results", name, "demo-a", f"v{seed}", 0)
        run_folders.work_folder(place).mkdir(parents=True)
        values = true + np.asarray(off) * (seed + 1)
        values[0] = np.nan
        failed = np.arange(len(items)) == 0
        prediction_files.write_predictions(
            run_folders.predictions_file(place), Predictions(np.array(items), values, failed)
        )
        truth = split.Truth(
            np.array(items),
            true,
            {group: np.ones(len(items), bool) for group in card.groups},
            people,
            sequences=people,
        )
        scores = score_predictions(
            card,
            truth,
            prediction_files.read_predictions(
                run_folders.predictions_file(place), truth, protocol=name
            ),
        )
        data = {**record()["data"], "dataset": card.dataset}
        document = scores_to_json(
            scores, protocol=card, data=data, method="demo-a", variant=f"v{seed}", kind="trained"
        )
        run_folders.save_scores(place, json.loads(json.dumps(document)), scores.errors)
        digest = array_files.hash_content(run_folders.predictions_file(place))
        digests = {"predictions.npz": digest, "weights": {}}
        facts = record(variant=f"v{seed}", card=card.card, data=data, digests=digests)
        run_folders.finish_run(
            place, parse_record({"protocol": name, "method": "demo-a", **facts}, "run.json")
        )
    return made(folder, card)


def made(folder, card):
    found, _ = stored.read_results(folder / "results")
    board = leaderboard.build_leaderboard(card, found, References({}, ()), {}, {})
    held, problems = per_item.gather_item_errors(
        card, board.tables[0], {r.page + ".html": r for r in found}
    )
    return gaze_atlas.build_gaze_atlas_page(card, held, {}, problems)


def phones(count=ITEMS):
    return [f"test-{k % 16:03d}/{(k % 16) * 24 + k // 16:05d}" for k in range(count)]


def test_truth_and_answers_lie_where_they_are_on_the_screen(tmp_path):
    page = lay(tmp_path, "synth-gazecn", phones(), [1.5, 0.0])
    face = next(face for section in page.sections for face in section.faces)
    facts = synthetic_items.item_facts(synthetic_items.find_item("synth-gazecn", face.id))
    device = device_screens.DEVICES_BY_NAME[str(facts["device"])]
    corners = [tuple(map(float, p.split())) for p in face.plot.outline[1:-1].split("L")]
    scale = (corners[1][0] - corners[0][0]) / (device.wide_mm / 10)  # px per cm
    x, y = facts["values"]
    camera = face.plot.camera
    ring = face.truth.split("a")[0][1:].split()
    assert float(ring[0]) + 6 == pytest.approx(camera[0] + scale * x, abs=0.2)
    assert float(ring[1]) == pytest.approx(camera[1] - scale * y, abs=0.2)
    answer = face.predictions[0].path[1:-2].split()
    assert float(answer[0]) == pytest.approx(float(ring[0]) + 6 + 1.5 * scale, abs=0.2)
    assert face.predictions[0].error == "1.50"
    assert face.plot.words.endswith("phone, upright")


def test_a_stare_is_drawn_with_all_its_predictions_and_its_msd(tmp_path):
    """As Fig. 1b of TAT; stares shake by a known amount, the first one most."""
    names = [f"stare-{k % 4:03d}/{(k % 4) * 120 + k // 4:05d}" for k in range(ITEMS)]
    sway = np.zeros((ITEMS, 2))
    sway[:, 0] = [(1 if k // 4 % 2 else -1) * 0.3 * (4 - k % 4) for k in range(ITEMS)]
    page = lay(tmp_path, "synth-gazestare", names, sway, seeds=1)
    stares = page.sections[0]
    assert stares.name == "stares"
    # stare 000 shakes most, but its first frame has no prediction, so it has no MSD
    assert [face.id for face in stares.faces] == [
        f"stare-{k:03d}/{k * 120:05d} and 9 more" for k in (1, 2, 3)
    ]
    assert [face.predictions[0].error for face in stares.faces] == ["0.90", "0.60", "0.30"]
    shaken = stares.faces[0]
    spots = [path.removesuffix("h0").split() for path in shaken.predictions[0].path.split("M")[1:]]
    assert len(spots) == 10
    x = sorted(float(spot[0]) for spot in spots)
    corners = [tuple(map(float, p.split())) for p in shaken.plot.outline[1:-1].split("L")]
    device = device_screens.DEVICES_BY_NAME[
        str(
            synthetic_items.item_facts(synthetic_items.find_item("synth-gazestare", names[1]))[
                "device"
            ]
        )
    ]
    scale = (corners[1][0] - corners[0][0]) / (device.wide_mm / 10)  # px per cm
    assert x[-1] - x[0] == pytest.approx(1.8 * scale, abs=0.3)
    assert shaken.truth
    assert shaken.picture
    others = lay(tmp_path / "cn", "synth-gazecn", phones(), [1.5, 0.0], seeds=1)
    assert [section.name for section in others.sections] == ["hardest", "easiest"]


def test_sections_hold_many_people_and_no_item_without_an_answer(tmp_path):
    page = lay(tmp_path, "synth-gazecn", phones(), [1.5, 0.0])
    hardest = page.sections[0]
    assert len({face.id.split("/")[0] for face in hardest.faces}) == len(hardest.faces) == 8
    shown = [face.id for section in page.sections for face in section.faces]
    assert len(shown) == len(set(shown))
    assert phones()[0] not in shown
    assert {face.pose for section in page.sections for face in section.faces} <= {
        "frontal",
        "turned left",
        "turned right",
    }


def test_a_direction_is_drawn_as_the_camera_sees_it(tmp_path):
    names = [f"faces-{k % 15:03d}/{(k % 15) * 120 + k // 15:05d}" for k in range(ITEMS)]
    page = lay(tmp_path, "synth-mpiifacegaze", names, [0.1, 0.05, 0.0])
    face = page.sections[0].faces[0]
    x, y, _ = synthetic_items.item_facts(synthetic_items.find_item("synth-mpiifacegaze", face.id))[
        "values"
    ]
    reach = float(face.plot.words.removeprefix("rings at ").split(", ")[-1].removesuffix("°"))
    scale = 92 / math.sin(math.radians(reach))
    ring = face.truth.split("a")[0][1:].split()
    assert (float(ring[0]) + 6, float(ring[1])) == pytest.approx(
        (100 - scale * x, 100 - scale * y), abs=0.2
    )
    assert face.predictions[0].ray.startswith("M100 100L")


def test_scores_of_another_rendering_bring_neither_picture_nor_truth(tmp_path):
    lay(tmp_path, "synth-gazecn", phones(), [1.5, 0.0])
    for path in (tmp_path / "results").rglob("errors.npz"):
        table = np.load(path)["errors"]
        table["error_cm"] += 0.5
        replace_errors(path.parent, table)
    page = made(tmp_path, protocol_card.load_protocol("synth-gazecn"))
    assert page.sections
    assert not page.has_pictures
    assert not page.has_truth


def test_a_licensed_set_shows_answers_alone(tmp_path, monkeypatch):
    lay(tmp_path, "synth-gazecn", phones(), [1.5, 0.0])
    card = protocol_card.load_protocol("synth-gazecn")
    licensed = type(card)(**{**card.__dict__, "dataset": "gazecn"})
    page = made(tmp_path, licensed)
    assert page.sections
    assert list(page.pictures) == []
    faces = [face for section in page.sections for face in section.faces]
    assert all(face.truth == face.plot.outline == face.plot.words == "" for face in faces)
    assert all(answer.ray == "" for face in faces for answer in face.predictions), (
        "a line from the truth would tell it"
    )


def test_the_pictures_of_an_atlas_are_written_and_known(tmp_path, monkeypatch):
    lay(
        tmp_path,
        "synth-mpiigaze",
        [f"eyes-000/{k:05d}" for k in range(12)],
        [0.1, 0.0, 0.0],
        seeds=1,
    )
    found, problems = stored.read_results(tmp_path / "results")
    card = protocol_card.load_protocol("synth-mpiigaze")
    sources = Sources((card,), (), References({}, ()), tuple(found), tuple(problems))
    monkeypatch.setattr(site, "gather_sources", lambda folder, _=(): sources)
    site.render_site(tmp_path / "results", tmp_path / "site")
    pictures = sorted(path.name for path in (tmp_path / "site" / "face").iterdir())
    assert pictures
    assert all(name.startswith("mpiigaze-v") for name in pictures)
    assert site.find_stale_files(tmp_path / "results", tmp_path / "site") == []


def test_pictures_that_came_along_are_not_drawn_again(tmp_path, monkeypatch):
    lay(
        tmp_path,
        "synth-mpiigaze",
        [f"eyes-000/{k:05d}" for k in range(12)],
        [0.1, 0.0, 0.0],
        seeds=1,
    )
    found, problems = stored.read_results(tmp_path / "results")
    sources = Sources(
        (protocol_card.load_protocol("synth-mpiigaze"),),
        (),
        References({}, ()),
        tuple(found),
        tuple(problems),
    )
    monkeypatch.setattr(site, "gather_sources", lambda folder, _=(): sources)
    site.render_site(tmp_path / "results", tmp_path / "site")
    for path in (tmp_path / "site" / ".cache").iterdir():
        path.unlink()
    monkeypatch.setattr(synthetic_items, "draw_item", lambda item: pytest.fail("drawn again"))
    site.render_site(tmp_path / "results", tmp_path / "site")
