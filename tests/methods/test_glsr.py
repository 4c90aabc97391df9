"""G&LSR: layer counts, frames, losses, draws.

Numbers: the paper's tables and the reproduction spec's F8, F13-F18.

Variants, their stages and their counts: `test_glsr_variants.py`; the authors' release:
`test_glsr_release.py`.
"""

import dataclasses
from importlib import import_module
from types import ModuleType

import numpy as np
import pytest
import torch

from benchbox import geometry
from benchbox.costs.op_count import count_module
from benchbox.errors import PluginError
from benchbox.layouts import IBUG68
from benchbox.plugins import method_card
from benchbox.training.batch_norm import BatchNorm2d
from benchbox.training.crops import sample_views
from benchbox.types import Examples, Sample

CARD = method_card.find_card("glsr")
method_card.import_method(CARD)


def part(name: str) -> ModuleType:
    return import_module(f"{CARD.module}.{name}")


training_samples, frames, losses, model, detector = (
    part(name) for name in ("training_samples", "frames", "losses", "model", "detector")
)


def shapes(number: int, seed: int = 0) -> torch.Tensor:
    """One random layout under random scales and noise, as (n, 68, 2)."""
    rng = np.random.default_rng(seed)
    base = rng.uniform(-1, 1, (68, 2))
    return torch.from_numpy(
        base * rng.uniform(0.4, 0.8, (number, 1, 1)) + rng.normal(0, 0.05, (number, 68, 2))
    )


# --- counts (Tables 2 and 7) ----------------------------------------------------------------------


def test_small_backbone_meets_the_papers_48_5_m_flops_exactly():
    found = count_module(model.Backbone(68, 256, "table"), (1, 3, 256, 256))
    assert (found.params, found.macs, found.macs_plus_bias) == (
        478_168,
        48_496_768,
        48_496_768 + 256 + 256 + 136,
    )


@pytest.mark.parametrize("network", [lambda: model.Backbone(68), lambda: model.LocalRegression(9)])
def test_narrow_batch_norms_are_those_that_two_threads_do_not_slow(network):
    layers = [x for x in network().modules() if isinstance(x, torch.nn.BatchNorm2d)]
    assert layers
    assert {type(layer) for layer in layers} == {BatchNorm2d}


def test_lite_head_counts():
    found = count_module(model.Backbone(68, 256, "lite"), (1, 3, 256, 256))
    assert found.params == 336_920
    assert found.macs == pytest.approx(48.356e6, rel=1e-4)


@pytest.mark.parametrize(
    ("points", "head", "params"),
    [(98, "table", 493_588), (19, "table", 452_982), (98, "lite", 340_820), (19, "lite", 330_550)],
)
def test_other_layouts_change_only_the_last_layer(points, head, params):
    assert count_module(model.Backbone(points, 256, head), (1, 3, 256, 256)).params == params


def test_localisation_net_counts():
    found = count_module(model.GlobalReinit(), (1, 3, 128, 128))
    assert (found.params, found.macs) == (257_828, 4_141_824)


def test_local_stage_counts_over_four_parts():
    params = macs = 0
    for points in detector.glsr_parts(IBUG68.parts):
        regression = count_module(model.LocalRegression(len(points)), (1, 3, 64, 64))
        reinit = count_module(model.LocalReinit(len(points)), (1, len(points), 2))
        params += regression.params + reinit.params
        macs += regression.macs + reinit.macs
    assert (params, macs) == (1_236_502, 5_035_904)


def test_a_side_of_144_keeps_every_weight_of_the_256_px_network():
    """Any side above 128 leaves a 2x2 map.

    The quick budget trains the paper's network, not a smaller one.
    """
    small, paper = model.Backbone(68, 144).state_dict(), model.Backbone(68, 256).state_dict()
    assert {k: v.shape for k, v in small.items()} == {k: v.shape for k, v in paper.items()}
    assert model.Backbone(68, 144)(torch.zeros(2, 3, 144, 144)).shape == (2, 136)


def test_the_parts_cover_all_but_the_contour_once():
    parts = detector.glsr_parts(IBUG68.parts)
    assert [len(points) for points in parts] == [11, 11, 9, 20]
    assert sorted(k for points in parts for k in points) == list(range(17, 68))


# --- frames ---------------------------------------------------------------------------------------


def test_theta_star_puts_the_tight_box_on_the_unit_square():
    """Algorithm 1: the inverse of θ* takes S* to a shape whose tight box is [-1, 1]².

    To rounding.
    """
    truth = shapes(5)
    reference = torch.from_numpy(frames.mean_shape(truth.numpy(), IBUG68.flip))
    theta = frames.supervised_theta(truth, reference)
    moved = frames.transform_points(frames.invert_maps(theta), truth)
    assert moved.amin(dim=1).numpy() == pytest.approx(-np.ones((5, 2)), abs=1e-9)
    assert moved.amax(dim=1).numpy() == pytest.approx(np.ones((5, 2)), abs=1e-9)
    # … and nothing else was done to it: θ* brings it back.
    assert frames.transform_points(theta, moved).numpy() == pytest.approx(truth.numpy(), abs=1e-9)


def test_theta_star_straightens_a_rotated_face():
    truth = shapes(1)
    reference = torch.from_numpy(frames.mean_shape(truth.numpy(), IBUG68.flip))
    angle = torch.tensor(0.3, dtype=torch.float64)
    turn = torch.stack(
        [torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])]
    )
    upright, turned = (
        frames.transform_points(frames.invert_maps(frames.supervised_theta(s, reference)), s)
        for s in (truth, truth @ turn.T)
    )
    assert turned.numpy() == pytest.approx(upright.numpy(), abs=1e-9)


def test_a_margin_of_1_4_leaves_the_shape_in_the_middle():
    truth = shapes(3)
    reference = torch.from_numpy(frames.mean_shape(truth.numpy(), IBUG68.flip))
    moved = frames.transform_points(
        frames.invert_maps(frames.supervised_theta(truth, reference, 1.4)), truth
    )
    assert moved.amax(dim=1).numpy() == pytest.approx(np.full((3, 2), 1 / 1.4), abs=1e-9)


def test_maps_agree_with_geometry():
    rng = np.random.default_rng(3)
    outer, inner = np.eye(2, 3) + rng.normal(size=(2, 4, 2, 3))
    points = rng.normal(size=(4, 7, 2))
    torch_outer, torch_inner = torch.from_numpy(outer), torch.from_numpy(inner)
    assert frames.compose_maps(torch_outer, torch_inner).numpy() == pytest.approx(
        geometry.compose_maps(outer, inner)
    )
    assert frames.invert_maps(torch_outer).numpy() == pytest.approx(geometry.invert_maps(outer))
    assert frames.transform_points(torch_outer, torch.from_numpy(points)).numpy() == pytest.approx(
        geometry.transform_points(outer, points)
    )
    fitted = frames.fit_affine(torch.from_numpy(points), torch.from_numpy(points[0]))
    assert fitted.numpy() == pytest.approx(geometry.fit_affine(points, points[0]))


def test_the_mean_shape_is_symmetric_and_tight():
    mean = frames.mean_shape(shapes(20).numpy(), IBUG68.flip)
    assert (mean * [-1, 1])[list(IBUG68.flip)] == pytest.approx(mean)
    assert geometry.tight_box(mean) == pytest.approx([-1, -1, 1, 1])


def test_a_box_without_errors_is_drawn_back_exactly():
    """Perturbation draws other faces' box errors.

    Where the boxes are the tight boxes there is nothing to draw.
    """
    truth = shapes(6).numpy()
    errors = frames.BoxErrors.measure(geometry.tight_box(truth), truth)
    assert errors.rows == pytest.approx(np.zeros((6, 3)), abs=1e-12)
    drawn, mirrored = errors.perturb(truth, np.random.default_rng(0), 0.0, 1.2, flip=False)
    assert drawn == pytest.approx(frames.box_frame(geometry.tight_box(truth), 1.2))
    assert not mirrored.any()


def test_a_perturbed_box_has_the_shift_and_the_scale_of_another_faces_error():
    """Trap: perturbation by shifts alone; boxes half as large again stayed as large as the points.

    One known error: a box 1.5 times the side of the tight one, moved by 0.1 and -0.2 of a side.
    """
    truth = shapes(5).numpy()
    tight = geometry.square_boxes(geometry.tight_box(truth))
    side = (tight[:, 2] - tight[:, 0])[:, None]
    centre = (tight[:, :2] + tight[:, 2:]) / 2 + side * [0.1, -0.2]
    given = np.concatenate([centre - 0.75 * side, centre + 0.75 * side], axis=1)
    errors = frames.BoxErrors.measure(given, truth)
    assert errors.rows == pytest.approx(np.tile([0.1, -0.2, np.log(1.5)], (5, 1)))
    drawn, _ = errors.perturb(truth, np.random.default_rng(0), 0.0, 1.2, flip=False)
    assert drawn == pytest.approx(frames.box_frame(given, 1.2))


def test_identity_reproduces_a_bilinear_resize():
    """θ = identity: the sampler is a plain resize.

    With corners aligned instead of edges it would be up to 1 px off.
    """
    pictures = torch.rand(2, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    seen = sample_views(pictures, frames.identity_maps(2, pictures), 20)
    resized = torch.nn.functional.interpolate(
        pictures, size=20, mode="bilinear", align_corners=False
    )
    assert seen.numpy() == pytest.approx(resized.numpy(), abs=1e-6)


def test_a_shape_that_goes_through_all_frames_comes_back():
    """S → S_g → S_l → back-projection T_R T_g T_l is the identity."""
    truth = shapes(4)
    reference = torch.from_numpy(frames.mean_shape(truth.numpy(), IBUG68.flip))
    theta_g = frames.supervised_theta(truth, reference)
    global_shape = frames.transform_points(frames.invert_maps(theta_g), truth)
    for points in detector.glsr_parts(IBUG68.parts):
        part_shape = global_shape[:, points]
        for theta_l in (
            frames.supervised_theta(part_shape, reference[points], 1.4),
            frames.part_box(part_shape),
        ):
            local_shape = frames.transform_points(frames.invert_maps(theta_l), part_shape)
            back = frames.transform_points(frames.compose_maps(theta_g, theta_l), local_shape)
            assert back.numpy() == pytest.approx(truth[:, points].numpy(), abs=1e-9)


def test_an_upright_part_box_has_a_quarter_of_margin_on_each_side():
    points = torch.tensor([[[0.0, 0.1], [0.4, 0.1], [0.2, 0.3]]])
    moved = frames.transform_points(frames.invert_maps(frames.part_box(points)), points)
    assert moved[0].tolist() == pytest.approx(
        np.array([[-2 / 3, -1 / 3], [2 / 3, -1 / 3], [0, 1 / 3]]), abs=1e-6
    )


def test_the_second_crop_of_b2_levels_the_eyes_and_holds_the_face():
    """A turned face comes upright, its tight box's longer side at 1 / 1.2 of the frame.

    Nothing sheared.
    """
    truth = shapes(3)
    angle = torch.tensor(0.4, dtype=torch.float64)
    turn = torch.stack(
        [torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])]
    )
    upright, turned = (
        frames.transform_points(frames.invert_maps(frames.upright_box(s, (36, 45), 1.2)), s)
        for s in (truth, truth @ turn.T)
    )
    assert turned.numpy() == pytest.approx(upright.numpy(), abs=1e-9)
    assert (turned[:, 36, 1] - turned[:, 45, 1]).numpy() == pytest.approx(np.zeros(3), abs=1e-9)
    assert turned.abs().amax(dim=(1, 2)).numpy() == pytest.approx(np.full(3, 1 / 1.2), abs=1e-9)


# --- losses ---------------------------------------------------------------------------------------


def test_equal_errors_weigh_one():
    assert losses.coordinate_weights(torch.full((8, 68, 2), 3.0)) == pytest.approx(
        np.ones((8, 68, 2))
    )


def test_weights_by_hand():
    """Errors -1, 1: μ = 0, σ = 1 (population), so w = exp(-1) for both."""
    z = torch.tensor([-1.0, 1.0]).view(2, 1, 1)
    assert losses.coordinate_weights(z).flatten().tolist() == pytest.approx([np.exp(-1)] * 2)


def test_weights_fall_with_the_standard_deviation_not_the_variance():
    """Trap: with σ = 1 both are the same. Errors -2, 2: σ = 2 and |z - μ| = 2; -½, ½: ½ and ½."""
    for size in (2.0, 0.5):
        z = torch.tensor([-size, size]).view(2, 1, 1)
        weights = losses.coordinate_weights(z).flatten().tolist()
        assert weights == pytest.approx([np.exp(-size * size)] * 2)


def test_the_weighted_loss_by_hand():
    """Errors ±1/16 of a frame 2 wide are ±2 px of 64: w = exp(-4); distance 1/2."""
    error = torch.tensor([-1.0, 1.0]).view(2, 1, 1) / 16
    zero, distance = torch.zeros_like(error), torch.full((2,), 0.5)
    got = losses.shape_loss(error, zero, distance, "weighted", 64).item()
    assert got == pytest.approx(np.exp(-4) / 16 / 0.5)


def test_the_weighted_loss_tends_to_l1_in_unit_coordinates_and_to_nothing_in_256_px():
    """The trap of the z unit: w depends on the scale of z.

    So the unit is a parameter and recorded.
    """
    generator = torch.Generator().manual_seed(0)
    error = torch.randn(512, 68, 2, generator=generator) * 0.03
    zero, one = torch.zeros_like(error), torch.ones(512)
    l1 = losses.shape_loss(error, zero, one, "l1").item()
    weighted = {
        unit: losses.shape_loss(error, zero, one, "weighted", unit).item() / l1
        for unit in (2, 64, 256)
    }
    assert weighted[2] == pytest.approx(1, abs=0.01)
    assert 0.3 < weighted[64] < 0.6
    assert weighted[256] < 0.02


def test_without_spread_the_weighted_loss_is_l1():
    """σ → 0: every weight tends to 1."""
    error = torch.randn(64, 68, 2, generator=torch.Generator().manual_seed(0)) * 1e-4
    zero, one = torch.zeros_like(error), torch.ones(64)
    l1 = losses.shape_loss(error, zero, one, "l1")
    assert losses.shape_loss(error, zero, one, "weighted", 64).item() == pytest.approx(
        l1.item(), rel=1e-4
    )


def test_no_gradient_flows_through_the_weights():
    error = torch.tensor([0.5, -0.25]).view(2, 1, 1).requires_grad_()
    losses.shape_loss(error, torch.zeros_like(error), torch.ones(2), "weighted", 2).backward()
    weights = losses.coordinate_weights(error.detach())
    assert error.grad.flatten().tolist() == pytest.approx(
        (weights * error.detach().sign() / 2).flatten().tolist()
    )


def test_l1_and_l2_by_hand():
    error, zero = torch.tensor([[[3.0, -1.0]]]), torch.zeros(1, 1, 2)
    assert losses.shape_loss(error, zero, torch.tensor([2.0]), "l1").item() == pytest.approx(1.0)
    assert losses.shape_loss(error, zero, torch.tensor([2.0]), "l2").item() == pytest.approx(
        (2.25 + 0.25) / 2
    )


def test_the_norms_of_the_paper_are_sums_over_coordinates():
    """Equations 5, 6 and 8; trap: a mean weighs decay 2k times as much against SGD's gradient."""
    generator = torch.Generator().manual_seed(0)
    error = torch.randn(3, 68, 2, generator=generator)
    zero, distance = torch.zeros_like(error), torch.tensor([0.5, 1.0, 2.0])
    for kind in ("l1", "l2", "weighted"):
        mean = losses.shape_loss(error, zero, distance, kind, 64, "mean").item()
        total = losses.shape_loss(error, zero, distance, kind, 64, "sum").item()
        assert total == pytest.approx(136 * mean)


@pytest.mark.parametrize(("budget", "coordinates"), [("paper", "sum"), ("quick", "mean")])
def test_the_budget_says_how_coordinates_are_joined(budget, coordinates):
    params = method_card.merge_params(CARD, "glsr", budget)
    assert params["coordinates"] == coordinates


# --- system and draws -----------------------------------------------------------------------------


def examples(number: int = 6) -> Examples:
    """Pictures that encode position: red grows with x, green with y."""
    ramp = np.arange(200, dtype=np.uint8)
    picture = np.stack(
        np.broadcast_arrays(ramp[None, :], ramp[:, None], np.uint8(7)), axis=-1
    ).copy()
    values = shapes(number).numpy() * 50 + 100
    boxes = geometry.tight_box(values)
    samples = [Sample(str(k), boxes[k], lambda: picture) for k in range(number)]
    return Examples(samples, values, np.array([str(k) for k in range(number)]))


PARAMS = (
    dict(CARD.params)
    | dict(CARD.budgets["smoke"])
    | {"crop_side": 200, "colour": 0.0, "batch": 6, "flip": True}
)


def test_a_view_shows_the_true_points_where_the_batch_says_they_are():
    """The whole pixel path: stored crop → perturbed, rotated, mirrored box → view.

    A slip of half a pixel shows.
    """
    drawn = training_samples.PerturbedFaces(examples(), IBUG68, PARAMS, seed=0, device="cpu")
    batch = drawn.batch(stage=2, step=0)
    picture = batch.sampler(batch.frame, 400)
    grid = batch.shape[:, :, None, :]
    seen = torch.nn.functional.grid_sample(picture, grid, align_corners=False)[..., 0].transpose(
        1, 2
    )
    rows = drawn.rows(2, 0)
    for place, row in enumerate(rows):
        truth = examples().values[row]
        red_green = (seen[place, :, :2].numpy() + 1) * 127.5
        # A mirrored view shows the points in mirrored order.
        expected = min(
            truth, truth[list(IBUG68.flip)], key=lambda points: np.abs(red_green - points).mean()
        )
        inside = ((expected > 5) & (expected < 194)).all(axis=1) & (
            batch.shape[place].abs() < 0.95
        ).all(1).numpy()
        assert inside.sum() > 10
        # Two roundings to uint8 leave up to a grey level on a point and no offset on the mean.
        assert np.abs(red_green - expected)[inside].max() < 1.1
        assert np.abs((red_green - expected)[inside].mean(axis=0)).max() < 0.2
    assert len(set(rows)) == 6


def drawn_errors(faces):
    """Standard deviations (3,) and means (3,) of the box errors that a training draws."""
    drawn = training_samples.PerturbedFaces(faces, IBUG68, PARAMS, seed=0, device="cpu")
    return drawn.errors.rows.std(axis=0), drawn.errors.rows.mean(axis=0)


def test_a_test_on_true_boxes_trains_with_the_errors_of_the_detector():
    """Trap: under +box=ground_truth no box was moved or scaled in training: errors of sd 0."""
    faces = examples()
    tight = geometry.square_boxes(geometry.tight_box(faces.values))
    side = (tight[:, 2] - tight[:, 0])[:, None]
    moves = np.array([[0.1, 0.0], [-0.1, 0.0], [0.3, 0.0], [0.3, 0.2], [0.1, 0.1], [0.1, 0.0]])
    detected = tight + np.tile(moves, 2) * side
    spread, mean = drawn_errors(dataclasses.replace(faces, detector_boxes=detected))
    assert spread == pytest.approx([*moves.std(axis=0), 0.0], abs=1e-9)
    assert mean == pytest.approx(np.zeros(3), abs=1e-9)  # about the boxes that are tested on
    # a face that the detector missed lends no error
    detected[5] = np.nan
    spread, _ = drawn_errors(dataclasses.replace(faces, detector_boxes=detected))
    assert spread == pytest.approx([*moves[:5].std(axis=0), 0.0], abs=1e-9)


def test_boxes_of_a_detector_lend_their_own_errors():
    faces = examples()
    tight = geometry.square_boxes(geometry.tight_box(faces.values))
    given = tight + np.tile(np.linspace(0, 10, 6)[:, None], 4)
    samples = [
        dataclasses.replace(sample, box=box)
        for sample, box in zip(faces.samples, given, strict=True)
    ]
    own = frames.BoxErrors.measure(given, faces.values).rows
    for detected in (given, None):  # as a split gives them; as a job made by hand does
        spread, mean = drawn_errors(
            dataclasses.replace(faces, samples=samples, detector_boxes=detected)
        )
        assert spread == pytest.approx(own.std(axis=0))
        assert mean == pytest.approx(own.mean(axis=0))


def test_a_set_without_any_detector_draws_the_errors_that_its_card_describes():
    faces = examples()
    many = [index for index in range(6) for _ in range(500)]
    samples = [
        dataclasses.replace(faces.samples[index], box=geometry.tight_box(faces.values[index]))
        for index in many
    ]
    crowd = dataclasses.replace(
        faces, samples=samples, values=faces.values[many], clusters=faces.clusters[many]
    )
    spread, _ = drawn_errors(crowd)
    assert spread == pytest.approx([0.032, 0.032, 0.06], rel=0.05)


def test_plain_and_differentiable_views_agree():
    drawn = training_samples.PerturbedFaces(examples(), IBUG68, PARAMS, seed=0, device="cpu")
    batch = drawn.batch(stage=2, step=0)
    plain = batch.sampler(batch.frame, 96)
    differentiable = batch.sampler(batch.frame.clone().requires_grad_(), 96)
    # uint8 rounding and OpenCV's 1/32-px interpolation table: two grey levels of 255 at most on
    # this ramp
    inside = (differentiable > -0.99).all(dim=1, keepdim=True) & (plain > -0.99).all(
        dim=1, keepdim=True
    )
    assert ((plain - differentiable.detach()).abs() * inside).max().item() < 2.1 / 127.5


def test_any_batch_can_be_drawn_again():
    first, second = (
        training_samples.PerturbedFaces(examples(), IBUG68, PARAMS, seed=3, device="cpu")
        for _ in range(2)
    )
    first.batch(2, 0)
    assert torch.equal(first.batch(2, 5).shape, second.batch(2, 5).shape)
    assert not torch.equal(first.batch(2, 5).shape, first.batch(3, 5).shape)


def test_each_epoch_visits_every_face_once():
    drawn = training_samples.PerturbedFaces(
        examples(), IBUG68, PARAMS | {"batch": 4}, seed=0, device="cpu"
    )
    rows = np.concatenate([drawn.rows(2, step) for step in range(3)])
    assert sorted(rows[:6]) == sorted(rows[6:]) == list(range(6))


def test_an_untrained_system_returns_its_start():
    """With θ at the identity and no offsets the prediction is S_g0, through all stages and back."""
    torch.manual_seed(0)
    net = detector.GlsrDetector(IBUG68, PARAMS).eval()
    for layer in [net.backbone.head[-1], *(local.head[-1] for local in net.local_regression)]:
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    net.start.copy_(shapes(1)[0].float())
    drawn = training_samples.PerturbedFaces(examples(), IBUG68, PARAMS, seed=0, device="cpu")
    batch = drawn.batch(2, 0)
    with torch.inference_mode():
        found = net(batch.sampler, batch.frame)
    expected = frames.transform_points(batch.frame, net.start.expand(6, -1, -1))
    assert found.numpy() == pytest.approx(expected.numpy(), abs=1e-5)


def test_the_card_names_every_parameter_the_recipe_reads():
    settings = method_card.merge_params(CARD, CARD.default, "quick", {})
    assert set(settings) == set(CARD.params)
    assert dataclasses.is_dataclass(CARD)


def test_parts_of_an_own_layout_have_three_points_or_more():
    """The trap: an affine frame through two points is not determined and every answer is NaN."""
    parts = {"left_eye": (0, 1), "right_eye": (2, 3, 4), "nose": (5,), "mouth": (6, 7, 8, 9)}
    assert detector.glsr_parts(parts) == [[2, 3, 4], [6, 7, 8, 9]]
    with pytest.raises(PluginError, match=r"parts of three points or more.*--variant gsr"):
        detector.glsr_parts({"left_eye": (0, 1)})
