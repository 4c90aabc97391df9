"""DwO: the bounds of its disturbance, the bins that make it, the mix.

Equations 13 and 14 and Table 5.
"""

from dataclasses import replace
from importlib import import_module
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn

from benchbox.plugins import method_card
from benchbox.training.checkpoint import load_weights
from benchbox.training.ordinal_coding import ordinal_loss

from .gaze_job import examples, job

CARD = method_card.find_card("dwo")
METHOD = method_card.import_method(CARD)
TINY = {"side": 16, "face_side": 16, "bins": [20, 20]}


def part(name: str) -> ModuleType:
    return import_module(f"{CARD.module}.{name}")


attack, recipe = part("attack"), part("recipe")


class Toy(nn.Module):
    """Two patches of one pixel, one axis of 10 bins whose edges the first pixel walks along."""

    def __init__(self) -> None:
        super().__init__()
        self.slopes = nn.Parameter(torch.ones(10))

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        x = (first + 0.1 * second).flatten(1)
        return self.slopes * (10 * x - torch.arange(10.0))


# --- centre bins ----------------------------------------------------------------------------------


def reached(number: int, bins: int = 10) -> torch.Tensor:
    return torch.where(torch.arange(bins) < number, 1.0, -1.0)


@pytest.mark.parametrize(
    ("number", "marked"),
    [(5, [4, 5, 6, 7]), (0, [1, 2]), (1, [1, 2, 3]), (9, [8, 9, 10]), (10, [9, 10])],
)
def test_2k_bins_around_the_prediction_clipped_at_both_ends(number, marked):
    """2k = 4: with c bins reached they are c - 1 … c + 2, as many reached as not."""
    found = attack.centre_bins(reached(number)[None], (10,), 4)
    assert (torch.nonzero(found[0])[:, 0] + 1).tolist() == marked


def test_each_axis_has_its_own_centre_and_zero_means_all():
    logits = torch.cat([reached(2, 6), reached(9, 12)])[None]
    found = attack.centre_bins(logits, (6, 12), 2)[0]
    assert torch.nonzero(found)[:, 0].tolist() == [1, 2, 6 + 8, 6 + 9]
    assert attack.centre_bins(logits, (6, 12), 0).sum() == 18


# --- disturbance ----------------------------------------------------------------------------------


def disturbed(
    net: nn.Module, patches: tuple[torch.Tensor, ...], codes: torch.Tensor, **settings: float
) -> tuple:
    given = {"centre": 4, "steps": 1, "gamma": 1.0, "epsilon": 3.0} | settings
    return attack.perturb_patches(net, patches, codes, (10,), **given)


@pytest.mark.parametrize(
    ("steps", "gamma", "epsilon"), [(1, 1.0, 3.0), (3, 1.0, 3.0), (5, 1.0, 3.0), (2, 2.0, 3.0)]
)
def test_no_pixel_moves_further_than_epsilon_nor_than_all_steps(steps, gamma, epsilon):
    torch.manual_seed(0)
    patches = tuple(torch.rand(6, 1, 1, 1) for _ in range(2))
    moved = disturbed(
        Toy(), patches, torch.rand(6, 10).round(), steps=steps, gamma=gamma, epsilon=epsilon
    )
    reach = (
        max((new - old).abs().max().item() for new, old in zip(moved, patches, strict=True))
        / attack.GREY_LEVEL
    )
    assert reach <= min(epsilon, steps * gamma) + 1e-4
    assert reach == pytest.approx(min(epsilon, steps * gamma), abs=1e-3)  # and the bound is reached


def test_pixels_stay_pixels():
    moved = disturbed(
        Toy(), (torch.ones(3, 1, 1, 1), -torch.ones(3, 1, 1, 1)), torch.zeros(3, 10), steps=3
    )
    assert max(patch.abs().max().item() for patch in moved) <= 1


def test_a_step_goes_up_the_loss_of_the_centre_bins():
    """By hand: at 0.45 bins 1-5 are reached.

    Truth 0 makes every centre bin push down the loss's hill, x up.
    """
    net = Toy()
    patches = (torch.full((1, 1, 1, 1), 0.45), torch.zeros(1, 1, 1, 1))
    for truth, sign in ((torch.zeros(1, 10), 1), (torch.ones(1, 10), -1)):
        first, second = disturbed(net, patches, truth)
        assert (first.item() - 0.45) / attack.GREY_LEVEL == pytest.approx(sign, abs=1e-4)
        # every patch is disturbed
        assert second.item() / attack.GREY_LEVEL == pytest.approx(sign, abs=1e-4)


def test_bins_outside_the_centre_give_no_gradient():
    """Truth differs outside the centre bins only: the disturbance must not see it."""
    torch.manual_seed(0)
    patches = tuple(torch.rand(4, 1, 1, 1) * 0.2 + 0.4 for _ in range(2))
    logits = Toy()(*patches)
    mask = attack.centre_bins(logits.detach(), (10,), 4)
    one = torch.rand(4, 10).round()
    other = torch.where(mask.bool(), one, 1 - one)
    assert (one != other).any()
    for a, b in zip(disturbed(Toy(), patches, one), disturbed(Toy(), patches, other), strict=True):
        assert torch.equal(a, b)
    logits.retain_grad()
    ordinal_loss(logits, one, mask).backward()
    assert (logits.grad[mask == 0] == 0).all()
    assert (logits.grad[mask == 1] != 0).all()


def test_all_bins_are_plain_pgd():
    torch.manual_seed(1)
    net, codes = Toy(), torch.rand(5, 10).round()
    patches = tuple(torch.rand(5, 1, 1, 1) for _ in range(2))
    expected = [patch.clone().requires_grad_() for patch in patches]
    nn.functional.binary_cross_entropy_with_logits(
        net(*expected), codes, reduction="sum"
    ).backward()
    for found, old in zip(disturbed(net, patches, codes, centre=0), expected, strict=True):
        plain = (old + attack.GREY_LEVEL * old.grad.sign()).clamp(-1, 1)
        assert torch.allclose(found, plain)


def test_the_network_is_left_as_it_was():
    """It answers in evaluation mode.

    Running statistics must not see adversarial samples, nor weights a slope.
    """
    net = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(3), nn.Linear(3, 10)).train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    attack.perturb_patches(
        net,
        (torch.rand(4, 3, 1, 1),),
        torch.zeros(4, 10),
        (10,),
        centre=4,
        steps=2,
        gamma=1.0,
        epsilon=3.0,
    )
    assert net.training
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())


# --- the mix --------------------------------------------------------------------------------------


def course(tmp_path, **params):
    todo = job(CARD, tmp_path, **TINY, **params)
    return todo, recipe.CodedGazes.of(todo)


def test_org_is_the_share_of_samples_left_alone(tmp_path):
    todo, made = course(tmp_path, batch=50)
    for original in (0.9, 0.5, 0.0, 1.0):
        params = dict(todo.params) | {"original": original}
        turned = torch.cat([made.batch(params, 0, step)[2] for step in range(20)])
        assert turned.float().mean().item() == pytest.approx(1 - original, abs=0.04)


def test_every_org_sees_the_same_pictures_and_nested_choices(tmp_path):
    """Rows of Table 5 differ in what is disturbed, not in what is drawn."""
    todo, made = course(tmp_path, batch=40)
    ten, half = (made.batch(dict(todo.params) | {"original": share}, 0, 3) for share in (0.9, 0.5))
    assert all(torch.equal(a, b) for a, b in zip(ten[0], half[0], strict=True))
    assert (half[2] | ~ten[2]).all()
    assert half[2].sum() > ten[2].sum()


def test_only_chosen_samples_are_replaced_in_all_three_patches(tmp_path):
    todo, made = course(tmp_path)
    torch.manual_seed(0)
    net = part("recipe").CasiaNet(40)
    patches, codes, _ = made.batch(todo.params, 0, 0)
    turned = torch.tensor([False, True, False, True])
    for old, new in zip(
        patches, recipe.mix_adversarial(net, patches, codes, turned, made, todo.params), strict=True
    ):
        moved = (old != new).flatten(1).any(dim=1)
        assert moved.tolist() == turned.tolist()
        assert (old - new).abs().max().item() <= attack.GREY_LEVEL * 1.01


# --- whole ways -----------------------------------------------------------------------------------

ROWS = sorted(set(CARD.variants) - {"ctr-8", "t1", "org90"})


def test_rows_that_are_dwo_itself_take_over_its_training():
    for name in ("ctr-8", "t1", "org90"):
        assert method_card.merge_params(CARD, name, "quick") == method_card.merge_params(
            CARD, "dwo", "quick"
        )
        assert CARD.variants[name].shares.files == "dwo.safetensors"
    assert sum(variant.shares is not None for variant in CARD.variants.values()) == 3


def test_table_5_is_complete():
    """Nine rows and the baseline; three names of the recommended row are one run."""
    settings = {name: method_card.merge_params(CARD, name, "paper") for name in CARD.variants}
    rows = {(s["centre_bins"], s["steps"], s["original"]) for s in settings.values()}
    assert rows == {
        (8, 0, 1.0), (0, 1, 0.9), (32, 1, 0.9), (16, 1, 0.9), (8, 1, 0.9), (8, 2, 0.9), (8, 3, 0.9),
        (8, 1, 0.8), (8, 1, 0.5), (8, 1, 0.0),
    }  # fmt: skip
    assert len(ROWS) == len(rows)
    assert {s["gamma"] for s in settings.values()} == {1.0}


@pytest.mark.parametrize("variant", ROWS)
def test_every_row_trains_and_answers(variant, tmp_path):
    METHOD.train(job(CARD, tmp_path, variant=variant, **TINY, epochs=2))
    answers = METHOD.predictor(tmp_path, "cpu")(examples("gaze2d", 5, seed=9).samples)
    assert answers.shape == (5, 2)
    assert np.isfinite(answers).all()
    assert not (tmp_path / "dwo.checkpoint").exists()


def test_the_baseline_and_dwo_start_alike_and_part(tmp_path):
    outs = {}
    for variant in ("baseline", "org0"):
        (tmp_path / variant).mkdir()
        METHOD.train(job(CARD, tmp_path / variant, variant=variant, **TINY, epochs=2))
        outs[variant] = load_weights(tmp_path / variant / "dwo.safetensors")
    assert any(not torch.equal(outs["baseline"][key], outs["org0"][key]) for key in outs["org0"])


def test_unit_vectors_from_one_patch_and_no_answer_without_an_eye(tmp_path):
    METHOD.train(job(CARD, tmp_path, "gaze3d", eyes=False, **TINY, epochs=1))
    answers = METHOD.predictor(tmp_path, "cpu")(examples("gaze3d", 4, eyes=False, seed=9).samples)
    assert np.linalg.norm(answers, axis=1) == pytest.approx(np.ones(4))


def test_a_face_without_an_eye_gets_no_answer(tmp_path):
    METHOD.train(job(CARD, tmp_path, **TINY, epochs=1))
    samples = list(examples("gaze2d", 3, seed=9).samples)
    samples[1] = replace(samples[1], boxes={**samples[1].boxes, "left_eye": np.full(4, np.nan)})
    answers = METHOD.predictor(tmp_path, "cpu")(samples)
    assert np.isnan(answers).all(axis=1).tolist() == [False, True, False]
