"""SIR: layer counts, the LAN, the shape model, sampling, iterations.

Reproduction spec, F5-F7, tests 14 and 15.
"""

from importlib import import_module
from types import ModuleType

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from benchbox import geometry
from benchbox.costs.op_count import count_module
from benchbox.errors import PluginError
from benchbox.layouts import IBUG68, RENDERED_LAYOUTS
from benchbox.plugins import method_card
from benchbox.types import Examples, Sample

CARD = method_card.find_card("sir")
MODULE = method_card.import_method(CARD)
SMOKE = method_card.merge_params(CARD, "sir", "smoke")
PAPER = method_card.merge_params(CARD, "sir", "paper")


def part(name: str) -> ModuleType:
    return import_module(f"{CARD.module}.{name}")


training_samples, model, recipe, shape, detector = (
    part(name) for name in ("training_samples", "model", "recipe", "shape", "detector")
)


def faces(number: int, seed: int = 0) -> np.ndarray:
    """One random face under similarities and three ways to deform it, as (n, 68, 2) in [-1, 1]²."""
    rng = np.random.default_rng(seed)
    base, ways = rng.uniform(-0.5, 0.5, (68, 2)), rng.normal(0, 0.03, (3, 68, 2))
    bent = base + np.tensordot(rng.normal(size=(number, 3)), ways, axes=1)
    angle, size = rng.normal(0, 0.2, number), rng.uniform(0.8, 1.2, number)
    cos, sin = np.cos(angle) * size, np.sin(angle) * size
    maps = np.stack(
        [
            np.stack([cos, -sin, rng.normal(0.1, 0.05, number)], -1),
            np.stack([sin, cos, sin * 0], -1),
        ],
        1,
    )
    return geometry.transform_points(maps, bent)


# --- counts (section 1.1) -------------------------------------------------------------------------


def counted(variant: str, points: int = 68, **changes: object) -> list[tuple[int, int, int]]:
    params = method_card.merge_params(CARD, variant, "paper") | changes
    made = detector.SirDetector(points, params)
    patches = (1, points, 3, params["patch"], params["patch"])
    found = [count_module(network, patches) for network in made.regressors]
    return [(one.params, one.macs, one.macs_plus_bias) for one in found]


@pytest.mark.parametrize(("bias", "params"), [(False, 3_719_872), (True, 3_720_264)])
def test_the_lan_has_the_papers_3_72_m_weights(bias, params):
    """F5; the multiply-accumulates are 68 x 5,010,096 + 208,896."""
    macs = 68 * 5_010_096 + 208_896
    assert macs == 340_895_424
    assert counted("sir", fc_bias=bias) == [(params, macs, macs + bias * (256 + 136))]


def test_the_cascade_has_four_times_as_many():
    assert sum(params for params, _, _ in counted("cr")) == 14_879_488
    assert sum(params for params, _, _ in counted("cr", fc_bias=True)) == 14_881_056


def test_the_stacked_network_has_as_many_weights_to_the_last_one():
    assert [params for params, _, _ in counted("sir-stack")] == [3_719_872]


@pytest.mark.parametrize("points", [layout.count for layout in RENDERED_LAYOUTS.values()])
def test_every_layout_has_one_subnetwork_per_point(points):
    """51,632 weights per landmark, then FC 10 K → 256 → 2 K."""
    ((params, _, _),) = counted("sir", points)
    assert params == points * (51_632 + 10 * 256 + 256 * 2)


def test_profile_is_told_every_run_of_every_network():
    """SIR runs one network four times, the cascade four networks once each."""
    sir, cr = (
        MODULE.networks(method_card.merge_params(CARD, v, "paper"), IBUG68) for v in ("sir", "cr")
    )
    assert (len(sir), len({id(network) for network, _ in sir.values()})) == (4, 1)
    assert (len(cr), len({id(network) for network, _ in cr.values()})) == (4, 4)
    for network, inputs in (*sir.values(), *cr.values()):
        assert network(*inputs).shape == (1, 68, 2)


# --- the landmarks-attention network --------------------------------------------------------------


def test_maps_have_the_sides_of_table_1():
    """57 → 29 → 15 → 8: pooling rounds up and the 2x2 convolutions keep the side."""
    lan, sides = model.AttentionNetwork(2), []
    for layer in lan.features:
        layer.register_forward_hook(
            lambda _, inputs, output: sides.append((inputs[0].shape[-1], output.shape[-1]))
        )
    lan(torch.zeros(1, 2, 3, 57, 57))
    assert sides[::3] == [(57, 57), (29, 29), (15, 15)]  # convolutions
    assert sides[2::3] == [(57, 29), (29, 15), (15, 8)]  # poolings
    assert lan.fc1.weight.shape == (20, 64, 8, 8)


def test_a_patch_is_seen_by_its_own_subnetwork_only():
    """The trap of shared or mixed groups.

    Another patch 7 changes the features of landmark 7 and of no other.
    """
    torch.manual_seed(0)
    lan = model.AttentionNetwork(12, 15)
    patches = torch.rand(2, 12, 3, 15, 15)
    other = patches.clone()
    other[:, 7] = torch.rand(2, 3, 15, 15)
    changed = (lan.landmark_features(patches) != lan.landmark_features(other)).any(dim=2)
    assert changed.nonzero().tolist() == [[0, 7], [1, 7]]


def test_groups_agree_with_a_loop_over_landmarks():
    torch.manual_seed(0)
    lan = model.AttentionNetwork(5, 57)
    patches = torch.rand(2, 5, 3, 57, 57) * 2 - 1
    convs = [layer for layer in lan.features if isinstance(layer, torch.nn.Conv2d)]
    for k in range(5):
        x = patches[:, k]
        for conv, (kernel, pad) in zip(
            convs, ((3, (1, 1, 1, 1)), (2, (0, 1, 0, 1)), (2, (0, 1, 0, 1))), strict=True
        ):
            own = conv.weight.chunk(5)[k]
            assert own.shape[-1] == kernel
            x = F.max_pool2d(F.relu(F.conv2d(F.pad(x, pad), own)), 2, ceil_mode=True)
        features = F.relu(x.flatten(1) @ lan.fc1.weight.chunk(5)[k].flatten(1).T)
        assert lan.landmark_features(patches)[:, k].detach().numpy() == pytest.approx(
            features.detach().numpy(), abs=1e-4
        )


@pytest.mark.parametrize("network", [model.AttentionNetwork, model.StackedNetwork])
def test_an_untrained_network_moves_nothing(network):
    assert not network(3, 15)(torch.rand(2, 3, 3, 15, 15)).any()


# --- the shape model ------------------------------------------------------------------------------


def test_zero_parameters_are_the_mean_face():
    found = shape.ShapeModel.fit(faces(200), 0.98)
    assert found.shapes(np.zeros((1, found.size)))[0] == pytest.approx(
        found.mean + found.centre, abs=1e-12
    )
    assert found.mean.mean(axis=0) == pytest.approx(np.zeros(2), abs=1e-12)
    assert found.centre == pytest.approx(faces(200).mean(axis=(0, 1)))


def test_pose_enters_as_equation_3_says():
    """θ = f R_β (S0 + A α) + t, with t in radii of the mean face or in sides of the box.

    Β in radians and log f.
    """
    found = shape.ShapeModel.fit(faces(200), 0.98)
    assert found.unit == pytest.approx(np.sqrt((found.mean**2).sum(axis=1).mean()))
    assert shape.ShapeModel.fit(faces(200), 0.98, "box").unit == 2.0  # of [-1, 1]²
    with pytest.raises(PluginError, match="must be sd or face or box"):
        shape.ShapeModel.fit(faces(200), 0.98, "eye")
    parameters = np.zeros((1, found.size))
    parameters[0, :2], parameters[0, -4:] = (1.0, -2.0), (0.25, -0.5, 0.3, np.log(1.5))
    turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    bent = found.mean + found.axes[0] - 2 * found.axes[1]
    assert found.shapes(parameters)[0] == pytest.approx(
        1.5 * bent @ turn.T + found.centre + found.unit * np.array([0.25, -0.5])
    )


def test_parameters_and_shapes_are_inverse():
    found = shape.ShapeModel.fit(faces(200), 0.98)
    parameters = np.random.default_rng(1).normal(0, 0.3, (50, found.size))
    assert found.parameters(found.shapes(parameters)) == pytest.approx(parameters, abs=1e-9)


def test_three_ways_to_deform_leave_three_axes_of_unit_spread():
    """The fewest axes that explain 98 %, in standard deviations of the training shapes."""
    found = shape.ShapeModel.fit(faces(400), 0.98)
    assert len(found.axes) == 3
    alpha = found.parameters(faces(400))[:, :3]
    assert alpha.mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-6)
    assert alpha.std(axis=0) == pytest.approx(np.ones(3), abs=1e-6)
    few = shape.ShapeModel.fit(faces(400), 0.5)
    assert len(few.axes) < 3


def test_a_set_of_one_shape_has_no_axes():
    found = shape.ShapeModel.fit(np.repeat(faces(1), 5, axis=0), 0.98)
    assert found.size == shape.POSE_SIZE
    assert found.shapes(np.zeros((1, 4)))[0] == pytest.approx(faces(1)[0])


def test_a_sigma_in_deviations_draws_every_entry_as_far_as_it_varies():
    """Trap: σ = 0.2 by the face's radii is 2.4 deviations of log f and 0.2 of α."""
    known = faces(400)
    found = shape.ShapeModel.fit(known, 0.98, "sd")
    varies = found.parameters(known).std(axis=0)
    drawn = found.sample(known[:1].repeat(40_000, axis=0), 0.5, 0.0, np.random.default_rng(2))
    assert found.parameters(drawn).std(axis=0) == pytest.approx(0.5 * varies, rel=0.02)
    assert varies[-4:].max() < 0.5  # the pose varies by less than one of its units


@pytest.mark.parametrize("around_truth", [0.0, 1.0])
def test_draws_spread_by_sigma_in_every_unit(around_truth):
    """N(S_0, σ) or N(S_gt, σ): the same σ for α in deviations, t in box sides.

    Β in radians and log f.
    """
    found, truth = shape.ShapeModel.fit(faces(200), 0.98), faces(1, seed=0)
    drawn = found.sample(
        np.repeat(truth, 40_000, axis=0), 0.2, around_truth, np.random.default_rng(2)
    )
    parameters = found.parameters(drawn)
    assert parameters.std(axis=0) == pytest.approx(np.full(found.size, 0.2), rel=0.02)
    assert parameters.mean(axis=0) == pytest.approx(
        around_truth * found.parameters(truth)[0], abs=0.005
    )


def test_half_of_the_shapes_are_drawn_around_the_truth():
    found = shape.ShapeModel.fit(faces(200), 0.98)
    truth = found.shapes(np.full((4000, found.size), 2.0))
    near = found.parameters(found.sample(truth, 0.05, 0.5, np.random.default_rng(0)))[:, 0] > 1
    assert near.mean() == pytest.approx(0.5, abs=0.03)


# --- the system -----------------------------------------------------------------------------------


class Oracle(torch.nn.Module):
    """A regressor that knows where one landmark's bright dot lies in its patch.

    The exact increment.
    """

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        weight = (patches + 1).mean(dim=2)
        weight = weight / weight.sum(dim=(2, 3), keepdim=True)
        side = patches.shape[-1]
        offset = torch.arange(side, dtype=torch.float32) - (side - 1) / 2
        return (
            torch.stack(
                [(weight.sum(2) * offset).sum(-1), (weight.sum(3) * offset).sum(-1)], dim=-1
            )
            / side
        )


def dots(points: torch.Tensor, side: int) -> torch.Tensor:
    """Black pictures (n, 3, side, side) with a Gaussian dot at each point (n, 1, 2).

    Points are in the [-1, 1]² frame.
    """
    grid = torch.arange(side, dtype=torch.float32)
    px = ((points + 1) * side / 2 - 0.5)[:, 0]
    x, y = (torch.exp(-0.5 * ((grid - px[:, axis, None]) / 2) ** 2) for axis in (0, 1))
    return (y[:, :, None] * x[:, None, :])[:, None].expand(-1, 3, -1, -1) * 255


def test_an_exact_regressor_converges_in_one_iteration_and_stays():
    """The whole frame path: unit frame → pixels → patch → patch sides → unit frame.

    Half a pixel would show.
    """
    made = detector.SirDetector(1, PAPER | {"patch_input": "fixed"})
    made.regressors[0] = Oracle()
    truth = torch.tensor([[[0.11, -0.07]], [[-0.05, 0.093]]])
    images = dots(truth, 256)
    for iterations in (1, 4):
        found = made.descend(images, torch.zeros(2, 1, 2), iterations)
        assert ((found - truth) * 128).abs().max().item() < 0.01  # px


def test_a_face_stops_once_its_increments_no_longer_halve():
    """Algorithm 2's "till converges", face by face; the first two iterations are free."""

    class Steps(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.sizes = iter(
                torch.tensor([[0.1, 0.4], [0.4, 0.4], [0.1, 0.3], [0.04, 0.1], [0.03, 0.01]])
            )

        def forward(self, patches: torch.Tensor) -> torch.Tensor:
            step = torch.zeros(2, 1, 2)
            step[:, 0, 0] = next(self.sizes)
            return step

    found = {}
    for stop in (0.5, 0.0):
        made = detector.SirDetector(1, SMOKE | {"iterations": 5, "stop": stop})
        made.regressors[0] = Steps()
        moved = made(torch.zeros(2, 3, 48, 48, dtype=torch.uint8))[:, 0, 0] / made.unit
        found[stop] = moved.tolist()
    # the first face goes on until 0.03 >= 0.5 x 0.04; the second stops at 0.3 >= 0.5 x 0.4
    assert found[0.5] == pytest.approx([0.64, 0.8], abs=1e-6)
    assert found[0.0] == pytest.approx([0.67, 1.21], abs=1e-6)


def test_patches_are_normalised_one_by_one():
    """A dark patch beside a bright one looks the same; a flat one stays flat."""
    patch = torch.randn(1, 1, 3, 11, 11) * 0.1
    three = torch.cat([patch, 0.3 * patch + 0.5, torch.full_like(patch, 0.7)], dim=1)
    found = detector.normalise_patches(three)
    assert found[0, 0].mean().item() == pytest.approx(0.0, abs=1e-6)
    assert found[0, 0].square().mean().sqrt().item() == pytest.approx(0.5, rel=1e-5)
    assert found[0, 1].numpy() == pytest.approx(found[0, 0].numpy(), abs=1e-4)
    assert found[0, 2].abs().max().item() < 1e-4


def test_centred_units_see_a_flat_input_as_nothing():
    """Trap: inputs are never negative, so a unit whose weights sum to less than 0 is dead."""
    centred = model.AttentionNetwork(3, 11, init="centred")
    plain = model.AttentionNetwork(3, 11, init="he")
    sums = [abs(net.fc2.weight.sum(dim=1)).max().item() for net in (centred, plain)]
    assert sums[0] < 1e-4
    assert sums[1] > 0.1
    assert centred.features[0].weight.sum(dim=(1, 2, 3)).abs().max().item() > 0.1  # sees bytes


def test_sir_calls_one_network_and_the_cascade_each_of_its_own():
    calls: list[int] = []

    class Noted(torch.nn.Module):
        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

        def forward(self, patches: torch.Tensor) -> torch.Tensor:
            calls.append(self.number)
            return torch.zeros(len(patches), patches.shape[1], 2)

    for variant in ("sir", "cr"):
        made = detector.SirDetector(2, method_card.merge_params(CARD, variant, "smoke"))
        for k in range(len(made.regressors)):
            made.regressors[k] = Noted(k)
        made(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
    assert calls == [0, 0, 0, 0, 0, 1, 2, 3]


def test_an_unknown_network_is_told_what_there_is():
    with pytest.raises(PluginError, match="must be lan or stack"):
        detector.SirDetector(3, SMOKE | {"network": "resnet"})


def examples(number: int = 6) -> Examples:
    """Pictures that encode position: red grows with x, green with y."""
    ramp = np.arange(200, dtype=np.uint8)
    picture = np.stack(
        np.broadcast_arrays(ramp[None, :], ramp[:, None], np.uint8(7)), axis=-1
    ).copy()
    values = faces(number) * 40 + 100
    boxes = geometry.tight_box(values)
    samples = [Sample(str(k), boxes[k], lambda: picture) for k in range(number)]
    return Examples(samples, values, np.array([str(k) for k in range(number)]))


@pytest.mark.parametrize("flip", [False, True])
def test_a_batch_shows_the_true_points_where_it_says_they_are(flip):
    """Crop, frame and mirror image.

    Red and green under the target are the coordinates of the true points.
    """
    from benchbox.training import point_patches

    params = SMOKE | {"side": 160, "flip": flip, "batch": 6}
    drawn = training_samples.SampledShapes(examples(), IBUG68, params, seed=0, device="cpu")
    batch = drawn.batch(0, 0, 0.5)
    centres = (batch.target + 1) * 80 - 0.5
    seen = point_patches.gather_patches(batch.images, centres, 1)[:, :, :2, 0, 0].numpy()
    mirrored = 0
    for place, row in enumerate(drawn.rows(0, 0)):
        truth = examples().values[row]
        gaps = [np.abs(seen[place] - points).max() for points in (truth, truth[list(IBUG68.flip)])]
        assert min(gaps) < 1.1  # one rounding to bytes
        mirrored += int(gaps[1] < gaps[0])
    assert (mirrored > 0) == flip


def test_any_batch_can_be_drawn_again():
    first, second = (
        training_samples.SampledShapes(examples(), IBUG68, SMOKE, seed=3, device="cpu")
        for _ in range(2)
    )
    first.batch(0, 0, 0.5)
    assert torch.equal(first.batch(0, 5, 0.5).theta, second.batch(0, 5, 0.5).theta)
    assert not torch.equal(first.batch(0, 5, 0.5).theta, first.batch(1, 5, 0.5).theta)


def test_the_card_names_every_parameter_that_is_read():
    assert set(method_card.merge_params(CARD, "sir", "quick")) == set(CARD.params)


# --- every variant --------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", CARD.variants)
def test_a_variant_learns_from_one_batch(variant):
    """Build, forward, backward: every regressor gets a gradient.

    And an untrained one has the loss of its draws.
    """
    params = method_card.merge_params(CARD, variant, "smoke")
    torch.manual_seed(0)
    drawn = training_samples.SampledShapes(examples(), IBUG68, params, seed=0, device="cpu")
    made = detector.SirDetector(68, params)
    made.start.copy_(drawn.start())
    number = len(made.regressors) - 1
    batch = drawn.batch(number, 0, recipe._share_around_truth(params))
    found = recipe.increment_loss(made, number, batch, "mean")
    # Nothing is moved before training, so the loss is the mean square of what is missing, in patch
    # sides.
    assert found.item() == pytest.approx(
        ((batch.target - batch.theta) / made.unit).square().mean().item(), rel=1e-5
    )
    found.backward()
    assert made.regressors[number].fc3.weight.grad.abs().sum() > 0
    assert torch.isfinite(made(batch.images)).all()


def test_equation_6_sums_over_coordinates():
    """A norm is a sum: the mean, 136 times smaller, drowns in Adadelta's weight decay."""
    params = method_card.merge_params(CARD, "sir", "paper")
    assert params["coordinates"] == "sum"
    drawn = training_samples.SampledShapes(examples(), IBUG68, SMOKE, seed=0, device="cpu")
    made, batch = detector.SirDetector(68, SMOKE), drawn.batch(0, 0, 0.5)
    losses = [recipe.increment_loss(made, 0, batch, kind).item() for kind in ("sum", "mean")]
    assert losses[0] == pytest.approx(136 * losses[1], rel=1e-5)


def test_cascades_start_from_the_mean_face_and_sir_from_both():
    def around(variant: str) -> float:
        return recipe._share_around_truth(method_card.merge_params(CARD, variant, "paper"))

    assert [around(v) for v in ("sir", "cr", "gt-only", "mean-only")] == [0.5, 0.0, 1.0, 0.0]


def test_the_first_losses_of_a_smoke_run_are_pinned(tmp_path):
    """Any change of what is drawn, gathered or learned shows here first."""
    from benchbox.types import Job

    params = SMOKE | {"draws": 24}
    job = Job("landmarks", IBUG68, examples(), (), None, tmp_path, 0, "cpu", "smoke", params)
    torch.manual_seed(0)
    MODULE.train(job)
    rows = (tmp_path / "log.csv").read_text().splitlines()[1:]
    assert [float(row.split(",")[3]) for row in rows] == pytest.approx(
        [0.0167489, 0.0113347, 0.0211902], rel=1e-3
    )
