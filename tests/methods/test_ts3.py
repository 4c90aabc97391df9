"""TS3: counts, decode floors, target maps, the loop, the teacher.

Reproduction spec, F1-F4, tests 9-11.
"""

import dataclasses
from importlib import import_module
from types import ModuleType

import numpy as np
import pytest
import torch

from benchbox import geometry
from benchbox.costs.op_count import count_module
from benchbox.errors import DataError, PluginError
from benchbox.layouts import IBUG68, RENDERED_LAYOUTS
from benchbox.plugins import method_card
from benchbox.training import heatmaps
from benchbox.training.pretrained import read_pretrained
from benchbox.types import Examples, Job

from .landmark_job import examples

CARD = method_card.find_card("ts3")
MODULE = method_card.import_method(CARD)
SMOKE = method_card.merge_params(CARD, "ts3", "smoke")
PAPER = method_card.merge_params(CARD, "ts3", "paper")


def part(name: str) -> ModuleType:
    return import_module(f"{CARD.module}.{name}")


random_views, model, recipe, students, teacher = (
    part(name) for name in ("random_views", "model", "recipe", "students", "teacher")
)


def job(out, labelled: Examples, unlabelled, **changes: object) -> Job:
    return Job(
        "landmarks", IBUG68, labelled, unlabelled, None, out, 0, "cpu", "smoke", SMOKE | changes
    )


@pytest.fixture
def small(monkeypatch):
    """Let hourglasses be of depth one: what the loop does does not depend on it."""
    monkeypatch.setattr(model, "DEPTH", 1)


# --- counts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "params", "macs", "with_bias"),
    [
        ("cpm", 16_703_372, 1_719_664_640, 1_720_980_224),
        ("hg", 24_965_648, 1_596_260_352, 1_600_847_872),
    ],
)
def test_students_have_the_printed_counts_without_a_background_map(name, params, macs, with_bias):
    """F1-F4: printed are 16.70 and 24.97 millions.

    And 1720.98 and 1600.85 millions of operations, biases added.
    """
    found = count_module(
        students.make_student(name, 68, PAPER | {"background": False}), (1, 3, 64, 64)
    )
    assert (found.params, found.macs, found.macs_plus_bias) == (params, macs, with_bias)


@pytest.mark.parametrize(("maps", "params"), [(68, 2_834_369), (69, 2_835_393)])
def test_the_teacher_is_a_patch_gan_of_six_by_six(maps, params):
    made = model.Teacher(maps)
    assert sum(p.numel() for p in made.parameters()) == params
    assert made.patches(torch.zeros(1, 3 + maps, 64, 64)).shape == (1, 1, 6, 6)


@pytest.mark.parametrize("points", [layout.count for layout in RENDERED_LAYOUTS.values()])
def test_every_layout_has_a_map_per_point_and_the_background(points):
    for name, sides in (("cpm", [8] * 3), ("hg", [16] * 4)):
        params = SMOKE | {"stacks": 4}
        found = students.make_student(name, points, params).eval()(torch.zeros(1, 3, 64, 64))
        assert [tuple(maps.shape) for maps in found] == [
            (1, points + 1, side, side) for side in sides
        ]


# --- maps -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stride", "floor_px", "peak"), [(8, 0.9, 0.17), (4, 0.05, 0.65)])
def test_perfect_maps_decode_to_the_floor(stride, floor_px, peak):
    points = torch.rand(8, 200, 2, generator=torch.Generator().manual_seed(0)) * 40 + 12
    maps = random_views.ideal_maps(points, stride, PAPER)
    cells, height = heatmaps.decode_centroid(maps[:, :-1], PAPER["radius"])
    assert (heatmaps.cells_to_px(cells, stride) - points).norm(dim=-1).mean().item() < floor_px
    assert height.min().item() > peak
    assert torch.equal(maps[:, -1], 1 - maps[:, :-1].amax(dim=1))
    assert random_views.ideal_maps(points, stride, PAPER | {"background": False}).shape[1] == 200


@pytest.mark.parametrize("variant", CARD.variants)
def test_a_variant_learns_from_one_batch(variant):
    params = method_card.merge_params(CARD, variant, "smoke")
    known = examples(4)
    faces = random_views.FaceViews(known.samples, IBUG68, params, "cpu")
    points = geometry.transform_points(faces.to_crop, known.values)
    batch = random_views.LabelledViews(faces, points, np.arange(4), {}, [0], True, 4).batch(0)
    for name in students.student_names(params):
        student = students.make_student(name, 68, params)
        found = students.map_loss(student, batch)
        found.backward()
        assert torch.isfinite(found)
        assert all(p.grad is not None for p in student.parameters())


# --- public weights -------------------------------------------------------------------------------


def vgg16() -> torch.nn.Sequential:
    """Build VGG-16 up to conv4_3 as public code does.

    Its state dict is `features.0.weight` … `features.21.bias`.
    """
    layers: list[torch.nn.Module] = []
    before = 3
    for width, repeats in ((64, 2), (128, 2), (256, 3), (512, 3)):
        for _ in range(repeats):
            layers += [torch.nn.Conv2d(before, width, 3, padding=1), torch.nn.ReLU(inplace=True)]
            before = width
        layers.append(torch.nn.MaxPool2d(2))
    return torch.nn.Sequential(*layers[:-1])


def test_cpm_begins_from_public_weights_and_sees_their_pixels(tmp_path):
    """The trunk gives what VGG-16 gives on ImageNet's normalised pixels, but near the border.

    Where ours pads grey.
    """
    torch.manual_seed(0)
    theirs = vgg16().eval()
    tensors = {f"features.{key}": value for key, value in theirs.state_dict().items()}
    torch.save(tensors | {"classifier.0.weight": torch.zeros(2, 2)}, tmp_path / "vgg16.pth")
    ours = model.Cpm(5).eval()
    ours.load_trunk(read_pretrained(tmp_path / "vgg16.pth"), "vgg16.pth")
    pixels = torch.rand(1, 3, 128, 128)
    mean, deviation = (
        torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    with torch.inference_mode():
        expected, found = theirs((pixels - mean) / deviation), ours.trunk(pixels * 2 - 1)
    inner = slice(6, 10)
    assert found[..., inner, inner].numpy() == pytest.approx(
        expected[..., inner, inner].numpy(), abs=1e-4
    )
    assert expected[..., inner, inner].abs().max() > 0.01


def test_public_weights_that_cannot_serve_are_refused(tmp_path):
    torch.save(
        {f"features.{key}": value for key, value in vgg16().state_dict().items()},
        tmp_path / "vgg16.pth",
    )

    def loop(**changes):
        file = changes.pop("file", tmp_path / "vgg16.pth")
        params = SMOKE | {"weights": "vgg16.pth"} | changes
        return recipe.TrainingRounds(
            Job(
                "landmarks",
                IBUG68,
                examples(2),
                (),
                None,
                tmp_path,
                0,
                "cpu",
                "smoke",
                params,
                file,
            )
        )

    with pytest.raises(
        DataError, match=r"vgg16.pth: features.0.weight must be \(4, 3, 3, 3\), is \(64, 3, 3, 3\)"
    ):
        loop()._untrained("cpm")
    with pytest.raises(PluginError, match="the hourglass has no public weights"):
        loop(students="hg")
    with pytest.raises(PluginError, match="was given no such file"):
        loop(file=None)


# --- the loop -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "quotas"), [(2834, [283, 566, 850, 1133, 1417, 1700]), (10, [1, 2, 3, 4, 5, 6])]
)
def test_quotas_grow_by_a_tenth(of, quotas):
    assert [teacher.count_accepted(0.1, k, of) for k in range(1, 7)] == quotas


@pytest.mark.usefixtures("small")
def test_a_whole_run_writes_scores_keeps_labels_and_predicts(tmp_path):
    """Two rounds of two students.

    Four files of pseudo-labels, the quota taken from the top of the scores.
    """
    known, others = examples(4), examples(10, 100)
    before = known.values.copy()
    made = job(tmp_path, known, others.samples)
    MODULE.train(made)
    assert np.array_equal(known.values, before)
    for number, quota in ((1, 3), (2, 6)):
        for name in ("cpm", "hg"):
            with np.load(
                tmp_path / f"pseudo_labels/round{number}.{name}.npz", allow_pickle=False
            ) as kept:
                assert kept["ids"].tolist() == [str(100 + k) for k in range(10)]
                assert (kept["round"], kept["student"]) == (number, name)
                assert kept["accepted"].sum() == quota
                assert (
                    kept["scores"][kept["accepted"]].min()
                    >= kept["scores"][~kept["accepted"]].max()
                )
                assert kept["points"].shape == (10, 68, 2)
    found = MODULE.predictor(tmp_path, "cpu")(others.samples)
    assert found.shape == (10, 68, 2)
    assert np.isfinite(found).all()
    assert sorted(p.name for p in tmp_path.glob("*.safetensors")) == ["ts3.safetensors"]


@pytest.mark.usefixtures("small")
def test_each_step_replaces_one_student_and_the_second_sees_the_first(tmp_path, monkeypatch):
    """Algorithm 1: round i retrains CPM, then labels anew for HG.

    The other one stays bit for bit.
    """
    seen = []
    fit = students.fit_student

    def noted(path, job, stage, name, student, drawn):
        before = {
            k: v.clone()
            for other, s in loop.students.items()
            if other != name
            for k, v in s.state_dict().items()
        }
        seen.append((stage, len(drawn.rows) - 4))
        fit(path, job, stage, name, student, drawn)
        after = {
            k: v
            for other, s in loop.students.items()
            if other != name
            for k, v in s.state_dict().items()
        }
        assert all(torch.equal(before[k], after[k]) for k in before)

    monkeypatch.setattr(students, "fit_student", noted)
    loop = recipe.TrainingRounds(job(tmp_path, examples(4), examples(10, 100).samples, ratio=0.1))
    for name in loop.names:
        loop.retrain(0, name, {})
    for number in (1, 2):
        for name in loop.names:
            loop.update(number, name)
    assert seen == [
        ("round0.cpm", 0),
        ("round0.hg", 0),
        ("round1.cpm", 1),
        ("round1.hg", 1),
        ("round2.cpm", 2),
        ("round2.hg", 2),
    ]
    folder = tmp_path / "pseudo_labels"
    with np.load(folder / "round1.cpm.npz") as first, np.load(folder / "round1.hg.npz") as second:
        assert not np.array_equal(first["points"], second["points"])  # CPM was another one by then


@pytest.mark.usefixtures("small")
def test_an_oracle_teacher_picks_the_faces_it_scores_highest(tmp_path, monkeypatch):
    """Quotas of 10, 20, … 60 %, chosen anew each round, from the top.

    True labels stay as they are.
    """
    truth = np.arange(10, dtype=np.float32)[::-1].copy()
    monkeypatch.setattr(
        recipe.TrainingRounds, "_taught", lambda self, number, name, maps: np.roll(truth, number)
    )
    loop = recipe.TrainingRounds(
        job(tmp_path, examples(4), examples(10, 100).samples, students="cpm", rounds=6, ratio=0.1)
    )
    points = loop.points[:4].copy()
    loop.retrain(0, "cpm", {})
    for number in range(1, 7):
        picked = loop._pseudo(number, "cpm")
        assert sorted(picked) == sorted(4 + (k + number) % 10 for k in range(number))
    assert np.array_equal(loop.points[:4], points)
    assert np.isnan(loop.points[4:]).all()


@pytest.mark.usefixtures("small")
def test_a_teacher_may_learn_on_faces_that_no_student_has_seen(tmp_path, monkeypatch):
    """Section 3.4: on faces that the students know by heart it sees good maps only.

    Whole clusters are held out.
    """
    known = examples(10)
    known = Examples(known.samples, known.values, np.array(list("aabbccddee")))
    seen: dict[str, set[int]] = {}
    for module, name in ((students, "fit_student"), (teacher, "fit_teacher")):
        fit = getattr(module, name)

        def noted(*args, fit=fit):
            drawn = next(arg for arg in args if isinstance(arg, random_views.LabelledViews))
            seen[args[2]] = {int(row) for row in drawn.rows if row < 10}
            fit(*args)

        monkeypatch.setattr(module, name, noted)
    changes = {"held_out": 0.4, "rounds": 1, "students": "hg"}
    MODULE.train(job(tmp_path, known, examples(6, 100).samples, **changes))
    assert seen["round0.hg"] == seen["round1.hg"]
    assert seen["round1.hg.teacher"] == set(range(10)) - seen["round0.hg"]
    assert len(seen["round1.hg.teacher"]) == 4  # two clusters of five
    assert {row // 2 for row in seen["round0.hg"]}.isdisjoint(
        {row // 2 for row in seen["round1.hg.teacher"]}
    )


@pytest.mark.parametrize(
    ("share", "said"), [(-0.1, "must be a share"), (1.0, "must be a share"), (0.9, "leaves the")]
)
def test_a_share_that_leaves_no_face_is_refused(tmp_path, share, said):
    with pytest.raises(PluginError, match=f"held_out = {share}: {said}"):
        MODULE.train(job(tmp_path, examples(4), examples(4, 100).samples, held_out=share))


def trained(out, known: Examples, others) -> list[np.ndarray]:
    """Train to the end and return the weights."""
    from benchbox.training.checkpoint import load_weights

    MODULE.train(job(out, known, others))
    return [value.numpy() for _, value in sorted(load_weights(out / "ts3.safetensors").items())]


@pytest.mark.parametrize("stop", ["round0.hg", "round1.hg.teacher", "round2.cpm"])
@pytest.mark.usefixtures("small")
def test_a_killed_run_goes_on_and_ends_the_same(tmp_path, monkeypatch, stop):
    """Killed at the last step of a training.

    Its own checkpoint, the files before it, nothing twice.
    """
    known, others = examples(4), examples(10, 100).samples
    whole_folder, again = tmp_path / "whole", tmp_path / "again"
    whole_folder.mkdir()
    again.mkdir()
    whole = trained(whole_folder, known, others)
    step, killed = students.TrainLog.step, []

    def kill(self, number, loss):
        step(self, number, loss)
        if self.stage == stop and number == self.steps and not killed:
            killed.append(stop)
            raise KeyboardInterrupt

    monkeypatch.setattr(students.TrainLog, "step", kill)
    with pytest.raises(KeyboardInterrupt):
        MODULE.train(job(again, known, others))
    fitted = []
    fit = students.fit_student
    monkeypatch.setattr(students, "fit_student", lambda *args: (fitted.append(args[2]), fit(*args)))
    for one, other in zip(whole, trained(again, known, others), strict=True):
        assert np.array_equal(one, other)
    order = ["round0.cpm", "round0.hg", "round1.cpm", "round1.hg", "round2.cpm", "round2.hg"]
    assert fitted == order[order.index(stop.removesuffix(".teacher")) :]


@pytest.mark.usefixtures("small")
def test_with_nothing_unlabelled_it_is_the_supervised_training(tmp_path):
    """At 100 % labels a round has nothing to choose from.

    The same weights as variant `supervised`.
    """
    from benchbox.training.checkpoint import load_weights

    known, found = examples(4), []
    for place, rounds in (("all", 2), ("none", 0)):
        (tmp_path / place).mkdir()
        MODULE.train(job(tmp_path / place, known, (), rounds=rounds))
        assert not list((tmp_path / place).glob("pseudo*/*"))
        found.append(load_weights(tmp_path / place / "ts3.safetensors"))
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[1])


@pytest.mark.parametrize("selection", ["own", "other"])
@pytest.mark.usefixtures("small")
def test_self_paced_curricula_run_without_a_teacher(tmp_path, selection):
    MODULE.train(
        job(tmp_path, examples(4), examples(5, 100).samples, selection=selection, pseudo="points")
    )
    assert len(list(tmp_path.glob("pseudo_labels/*.npz"))) == 4
    assert "teacher" not in (tmp_path / "log.csv").read_text()


# --- views ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mirror", [False, True])
def test_maps_follow_a_view_to_where_its_points_are(mirror):
    """A pseudo-map turned with the picture peaks where the true points of that view do.

    Left stays left.
    """
    known = examples(6)
    faces = random_views.FaceViews(known.samples, IBUG68, PAPER, "cpu")
    points = geometry.transform_points(faces.to_crop, known.values)
    drawn = random_views.LabelledViews(faces, points, np.arange(6), {}, [3], mirror, 6).draw(0)
    batch = drawn.batch
    upright = torch.from_numpy(faces.px(points[drawn.rows] / faces.zoom)).float()
    maps = random_views.ideal_maps(upright, 4, PAPER)
    seen = random_views.view_maps(maps, drawn.views, drawn.mirrored, faces, 16)
    clear = (
        (batch.maps[4][:, :-1].amax(dim=(2, 3)) > 0.85)
        & (upright > 8).all(2)
        & (upright < 56).all(2)
    )
    found, truth = (students.decode_points(one, 68, 2) for one in (seen, batch.maps[4]))
    assert drawn.mirrored.any() == mirror
    assert clear.sum() > 100
    assert (found - truth).norm(dim=-1)[clear].mean() < 0.6  # px of 64


def test_the_highest_cell_of_a_plateau_does_not_hang_on_rounding():
    """Trap: another batch size rounds otherwise.

    And a student that has learned little jumped by seven pixels.
    """
    torch.manual_seed(0)
    plateau = torch.full((4, 3, 16, 16), 0.0123)
    rounded = [plateau * (1 + 1e-7 * torch.randn_like(plateau)) for _ in range(2)]
    assert not torch.equal(*(maps.flatten(2).argmax(2) for maps in rounded))
    assert torch.allclose(*(students.decode_points(maps, 3, 2) for maps in rounded), atol=1e-3)


def test_decoded_points_come_back_to_the_picture():
    known = examples(3)
    faces = random_views.FaceViews(known.samples, IBUG68, PAPER, "cpu")
    upright = faces.px(geometry.transform_points(faces.to_crop, known.values) / faces.zoom)
    assert faces.to_pictures(upright) == pytest.approx(known.values, abs=1e-9)


def test_a_point_that_is_not_annotated_costs_nothing():
    known = examples(4)
    faces = random_views.FaceViews(known.samples, IBUG68, SMOKE, "cpu")
    points = geometry.transform_points(faces.to_crop, known.values)
    points[:, 5] = np.nan
    batch = random_views.LabelledViews(faces, points, np.arange(4), {}, [0], False, 4).batch(0)
    assert not batch.known[:, 5].any()
    assert batch.known.sum() == 4 * 68  # 67 points and the background

    class Fixed(torch.nn.Module):
        stride = 4

        def forward(self, images):
            answer = batch.maps[4].clone()
            answer[:, 5] += 7
            return [answer]

    assert students.map_loss(Fixed(), batch).item() == 0


# --- the teacher ----------------------------------------------------------------------------------


def test_a_teacher_ranks_maps_by_how_far_they_were_moved(tmp_path):
    """Test 11: maps shifted by d px are scored in the order of -d, on faces it has not seen.

    Rank correlation > 0.9.
    """
    torch.manual_seed(0)
    rng, params = np.random.default_rng(0), SMOKE | {"width": 0.125, "background": False}

    def corrupted(number: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, np.ndarray]:
        true = torch.from_numpy(rng.uniform(16, 48, (number, 3, 2))).float()
        moved_px, angle = rng.uniform(0, 8, number), rng.uniform(0, 2 * np.pi, number)
        shift = torch.from_numpy(
            np.stack([np.cos(angle), np.sin(angle)], 1) * moved_px[:, None]
        ).float()
        ideal = random_views.ideal_maps(true, 4, params)
        seen = random_views.ideal_maps(true + shift[:, None], 4, params)
        pictures = torch.nn.functional.interpolate(ideal, size=(64, 64), mode="bilinear") * 2 - 1
        return pictures, seen, teacher.map_quality(seen, ideal, torch.ones(number, 3)), moved_px

    made = model.Teacher(3, 0.125)
    optim = torch.optim.Adam(made.parameters(), 0.003)
    for step in range(150):
        for group in optim.param_groups:
            group["lr"] = 0.003 * (0.1 if step > 110 else 1)
        pictures, seen, target, _ = corrupted(32)
        found = (made(pictures, seen) - target).abs().mean()
        optim.zero_grad()
        found.backward()
        optim.step()
    with torch.no_grad():
        pictures, seen, _, moved_px = corrupted(200)
        score = made.eval()(pictures, seen).numpy()
    ranks = [np.argsort(np.argsort(one)) for one in (score, -moved_px)]
    assert np.corrcoef(*ranks)[0, 1] > 0.9


# --- what a short training may do otherwise -------------------------------------------------------


def views_of(known: Examples, params: dict, maps=(), **options: object):
    faces = random_views.FaceViews(known.samples, IBUG68, params, "cpu")
    points = geometry.transform_points(faces.to_crop, known.values)
    return random_views.LabelledViews(
        faces, points, np.arange(len(known)), dict.fromkeys(maps), [0], True, 8, **options
    )


def test_a_quarter_of_each_batch_is_labelled_however_few_there_are():
    """Trap: drawn by count, 2 labelled faces of 12 would be one in six."""
    draws = views_of(examples(12), SMOKE, range(2, 12), labelled_share=0.25)
    draws.maps = {}  # what is drawn does not depend on what the maps show
    seen = [draws.draw(step).rows for step in range(5)]
    assert [(rows < 2).sum() for rows in seen] == [2] * 5
    assert set(np.concatenate(seen)) == set(range(12))


def test_a_reach_of_two_turns_and_moves_twice_as_far():
    faces = random_views.FaceViews(examples(2).samples, IBUG68, PAPER, "cpu")
    near, far = (
        faces.random_views(np.random.default_rng(0), 4000, False, reach)[0] for reach in (1.0, 2.0)
    )
    turned = [np.degrees(np.arctan2(maps[:, 1, 0], maps[:, 0, 0])) for maps in (near, far)]
    assert np.abs(turned[0]).max() == pytest.approx(30, abs=0.1)
    assert np.abs(turned[1]).max() == pytest.approx(60, abs=0.2)
    assert np.abs(far[:, :, 2]).max() == pytest.approx(0.32, abs=0.001)


@pytest.mark.usefixtures("small")
def test_labels_with_the_mirror_image_are_the_same_in_the_mirror():
    known = examples(2)
    turned = []
    for one in known.samples:
        x0, y0, x1, y1 = one.box
        picture = one.pixels()[:, ::-1].copy()
        box = np.array([199 - x1, y0, 199 - x0, y1])
        turned.append(dataclasses.replace(one, box=box, pixels=lambda picture=picture: picture))
    torch.manual_seed(0)
    student = students.make_student("hg", 68, SMOKE)
    for answer in student.answers:
        torch.nn.init.normal_(answer.weight, std=0.5)
    here, there = (
        random_views.FaceViews(samples, IBUG68, SMOKE, "cpu") for samples in (known.samples, turned)
    )
    rows = np.arange(2)
    straight = students.predict_maps([student], here, rows, mirrored=True).float()
    mirror = students.predict_maps([student], there, rows, mirrored=True).float()
    again = mirror.flip(-1)[:, here.map_flip]
    scale = straight.std().item()
    assert (again - straight).abs().mean().item() < 0.05 * scale
    alone = students.predict_maps([student], here, rows).float()
    assert (alone - straight).abs().mean().item() > 0.05 * scale


@pytest.mark.usefixtures("small")
def test_a_teacher_asks_students_in_the_views_that_it_learns_on():
    """Trap: upright, they know the labelled faces by heart."""
    draws = views_of(examples(4), SMOKE, reach=2.0)
    student = students.make_student("hg", 68, SMOKE)
    drawn = draws.draw(0)
    with torch.no_grad():
        expected = students.mean_maps([student.eval()], drawn.batch.images)
    assert torch.equal(teacher.view_answers([student])(drawn), expected)


@pytest.mark.usefixtures("small")
def test_a_warm_start_goes_on_from_the_round_before(tmp_path, monkeypatch):
    began = []

    def fit(path, job, stage, name, student, draws):
        began.append(student.state_dict()["stem.0.weight"].clone())
        with torch.no_grad():
            student.stem[0].weight += 1
        students.save_weights(path, {name: student}, {"stage": stage})

    monkeypatch.setattr(students, "fit_student", fit)
    changes = {"students": "hg", "selection": "own", "rounds": 1, "start": "warm"}
    made = job(tmp_path, examples(4), examples(6, 100).samples, **changes)
    recipe.train(made)
    assert torch.equal(began[1], began[0] + 1)


def test_a_cosine_rises_for_a_tenth_of_a_short_training():
    rates = [students._student_rate("cosine", "hg", step, 50) for step in (0, 4, 5, 27, 49)]
    assert rates[:3] == pytest.approx([0.2, 1.0, 1.0])
    assert rates[3:] == pytest.approx([0.517, 0.0012], abs=2e-3)
    assert students._student_rate("halved", "hg", 25, 50) == 0.5
