"""SSCR: its losses in closed form, its views that keep the gaze, its encoder, its two stages."""

import math
from importlib import import_module
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn

from benchbox.errors import PluginError
from benchbox.plugins import method_card
from benchbox.training.checkpoint import load_weights
from benchbox.training.gaze_inputs import PatchForm
from benchbox.types import Sample

from .gaze_job import examples, job

CARD = method_card.find_card("sscr")
METHOD = method_card.import_method(CARD)


def part(name: str) -> ModuleType:
    return import_module(f"{CARD.module}.{name}")


losses, model, recipe, views = (part(name) for name in ("losses", "model", "recipe", "views"))


def random_pair(n: int = 16, d: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(n, d, generator=generator, dtype=torch.float64)
    return z, z + 0.5 * torch.randn(n, d, generator=generator, dtype=torch.float64)


# --- losses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("tau", [0.1, 0.5, 1.0])
def test_nt_xent_of_aligned_orthogonal_pairs(tau):
    """n orthogonal pictures, views equal: log(1 + (2n - 2) e^(-1/τ)), whatever the lengths."""
    z = torch.eye(6, dtype=torch.float64)[:4]
    found = losses.ntxent_loss(z * 3, z * torch.arange(1.0, 5)[:, None], tau)
    assert found.item() == pytest.approx(math.log(1 + 6 * math.exp(-1 / tau)))


def test_nt_xent_by_brute_force():
    z1, z2 = random_pair()
    z = nn.functional.normalize(torch.cat([z1, z2]), dim=1)
    total, n = 0.0, len(z1)
    for i in range(2 * n):
        partner = (i + n) % (2 * n)
        scores = [math.exp(float(z[i] @ z[j]) / 0.2) for j in range(2 * n) if j != i]
        total -= math.log(math.exp(float(z[i] @ z[partner]) / 0.2) / sum(scores))
    assert losses.ntxent_loss(z1, z2, 0.2).item() == pytest.approx(total / (2 * n))


def test_redundancy_is_zero_for_whitened_identical_views():
    z = torch.from_numpy(np.linalg.qr(np.random.default_rng(0).normal(size=(40, 7)) - 0.0)[0])
    z = z - z.mean(dim=0)
    u, _, _ = torch.linalg.svd(z, full_matrices=False)
    assert losses.redundancy_loss(u, u).item() == pytest.approx(0, abs=1e-6)
    assert losses.barlow_loss(u, u, 0.005).item() == pytest.approx(0, abs=1e-6)


def test_redundancy_by_hand():
    """Two dimensions that say the same: C is all ones, so two off-diagonal ones.

    Opposite signs count alike.
    """
    z = torch.tensor([[1.0, 2], [3, 4], [2, 3]], dtype=torch.float64)
    assert losses.redundancy_loss(z, z).item() == pytest.approx(2, abs=1e-6)
    assert losses.redundancy_loss(z * torch.tensor([1.0, -1]), z).item() == pytest.approx(
        2, abs=1e-6
    )


def test_barlow_by_hand():
    """Uncorrelated views: C_uu = 0 costs 1 a dimension; the off-diagonal has its weight."""
    z1 = torch.tensor([[1.0], [-1], [1], [-1]], dtype=torch.float64)
    z2 = torch.tensor([[1.0], [1], [-1], [-1]], dtype=torch.float64)
    assert losses.barlow_loss(z1, z2, 0.005).item() == pytest.approx(1)
    pair = torch.cat([z1, z1], dim=1)
    assert losses.barlow_loss(pair, pair, 0.25).item() == pytest.approx(0.5, abs=1e-6)


def test_gamma_zero_is_simclr_and_its_weight_is_linear():
    z1, z2 = random_pair()
    params = dict(CARD.params)
    simclr = method_card.merge_params(CARD, "simclr", "quick")
    assert recipe.pretrain_loss(z1, z2, params | {"gamma": 0.0}) == losses.ntxent_loss(z1, z2, 0.1)
    assert recipe.pretrain_loss(z1, z2, simclr) == losses.ntxent_loss(z1, z2, 0.1)
    more = recipe.pretrain_loss(z1, z2, params | {"gamma": 0.01}) - losses.ntxent_loss(z1, z2, 0.1)
    assert more.item() == pytest.approx(0.01 * losses.redundancy_loss(z1, z2).item())
    alone = recipe.pretrain_loss(z1, z2, method_card.merge_params(CARD, "redundancy-only", "quick"))
    assert alone.item() == pytest.approx(losses.redundancy_loss(z1, z2).item())
    assert recipe.pretrain_loss(
        z1, z2, method_card.merge_params(CARD, "barlow", "quick")
    ) == losses.barlow_loss(z1, z2, 0.005)
    with pytest.raises(PluginError, match="loss = 'triplet'"):
        recipe.pretrain_loss(z1, z2, params | {"loss": "triplet"})


# --- views ----------------------------------------------------------------------------------------


def wedge() -> Sample:
    """Brighter to the right and darker downwards: a mirrored or turned view shows at once."""
    x = np.linspace(40, 200, 120)
    picture = np.broadcast_to(
        (0.7 * x[None, :] - 0.2 * x[:, None] + 60)[..., None], (120, 120, 3)
    ).astype(np.uint8)
    return Sample("w", np.array([20.0, 20, 100, 100]), lambda: picture)


@pytest.mark.parametrize("strength", ["weak", "strong"])
def test_views_are_never_mirrored_or_turned(strength):
    """The label would be wrong: across a hundred views the slope keeps its direction."""
    pool = views.ViewPool([wedge()], PatchForm(("",), 32, 32, 4), "cpu", strength)
    seen = torch.cat([pool.view(np.zeros(20, int), 0, number) for number in range(5)]).mean(dim=1)
    across = (seen[:, :, 16:].mean(dim=(1, 2)) - seen[:, :, :16].mean(dim=(1, 2))).numpy()
    down = (seen[:, 16:].mean(dim=(1, 2)) - seen[:, :16].mean(dim=(1, 2))).numpy()
    assert (across > 0.1).all()
    assert (down < 0).all()
    # a turn by 10° would change this ratio by more than half of itself
    assert np.abs(down / across + 2 / 7).max() < 0.15
    assert (
        views.AUGMENTATIONS[strength][0].flip == views.AUGMENTATIONS[strength][0].rotation_deg == 0
    )


def test_two_views_differ_and_each_can_be_drawn_again():
    pool = views.ViewPool([wedge(), wedge()], PatchForm(("",), 32, 32, 4), "cpu", "strong")
    rows = np.array([0, 1])
    assert torch.equal(pool.view(rows, 3, 8), pool.view(rows, 3, 8))
    assert not torch.equal(pool.view(rows, 3, 8), pool.view(rows, 3, 9))
    assert pool.view(rows, 3, 8).abs().max() <= 1
    with pytest.raises(PluginError, match="weak or strong"):
        views.ViewPool([wedge()], PatchForm(("",), 32, 32, 4), "cpu", "mild")


# --- encoder --------------------------------------------------------------------------------------


def test_dilation_changes_reach_and_no_weight():
    wide, narrow = (
        model.Encoder(8, 64, 64, dilated=dilated, flatten=False) for dilated in (True, False)
    )
    assert {k: v.shape for k, v in wide.state_dict().items()} == {
        k: v.shape for k, v in narrow.state_dict().items()
    }
    assert [layer.dilation[0] for layer in wide.modules() if isinstance(layer, nn.Conv2d)].count(
        5
    ) == 4

    for encoder in (wide, narrow):
        for layer in encoder.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.constant_(layer.weight, 0.1)
    # 1 + 2 · (1 + 2 + 5) against 1 + 2 · 3
    assert (reach_of(wide), reach_of(narrow)) == (17, 7)


def reach_of(encoder: nn.Module) -> int:
    """Width of the square of inputs that one output of the first block depends on."""
    block = encoder.trunk[3].eval()
    x = torch.ones(1, 8, 31, 31, requires_grad=True)
    block(x)[0, :, 15, 15].sum().backward()
    return int((x.grad.abs().sum(dim=(0, 1)) > 0).any(dim=0).sum())


@pytest.mark.parametrize(("height", "width"), [(64, 64), (20, 32), (90, 100)])
def test_flatten_keeps_every_cell_of_the_last_map(height, width):
    x = torch.rand(2, 3, height, width)
    flat = model.Encoder(4, height, width, dilated=True, flatten=True).eval()
    gap = model.Encoder(4, height, width, dilated=True, flatten=False).eval()
    assert flat(x).shape == (2, flat.features)
    assert gap(x).shape == (2, 32)
    assert flat.features == 32 * math.ceil(height / 16) * math.ceil(width / 16)


# --- stages ---------------------------------------------------------------------------------------


def test_a_frozen_encoder_is_the_pretrained_one_and_a_full_one_is_not(tmp_path):
    for variant, same in (("frozen", True), ("full-ft", False)):
        out = tmp_path / variant
        out.mkdir()
        METHOD.train(job(CARD, out, "gaze3d", variant, eyes=False))
        before, after = (
            load_weights(out / "encoder.safetensors"),
            load_weights(out / "sscr.safetensors"),
        )
        kept = [torch.equal(value, after[f"network.{key}"]) for key, value in before.items()]
        assert all(kept) is same


def test_pretraining_sees_all_pictures_of_the_training_set_and_fine_tuning_the_labelled_only(
    tmp_path,
):
    todo = job(CARD, tmp_path, "gaze3d", eyes=False)
    pool = recipe.unlabelled_pool(todo)
    assert len(pool) == len(todo.unlabelled) + len(todo.labelled)
    assert len(recipe.unlabelled_pool(job(CARD, tmp_path, "gaze3d", eyes=False, pool_most=7))) == 7


def test_scratch_does_not_pretrain(tmp_path):
    METHOD.train(job(CARD, tmp_path, "gaze3d", "scratch", eyes=False))
    assert not (tmp_path / "encoder.safetensors").exists()
    assert (tmp_path / "sscr.safetensors").exists()


@pytest.mark.parametrize(
    "variant", sorted(set(CARD.variants) - {"gap", "strong", "frozen", "no-redundancy"})
)
def test_every_variant_trains_and_answers(variant, tmp_path):
    METHOD.train(job(CARD, tmp_path, "gaze3d", variant, eyes=False))
    answers = METHOD.predictor(tmp_path, "cpu")(examples("gaze3d", 5, seed=9, eyes=False).samples)
    assert np.linalg.norm(answers, axis=1) == pytest.approx(np.ones(5))


def test_names_of_one_run_have_one_set_of_parameters():
    for alias in ("gap", "strong", "frozen"):
        assert CARD.variants[alias].params == CARD.variants["sscr"].params
    assert CARD.variants["no-redundancy"].params == CARD.variants["simclr"].params


def test_the_profile_counts_what_answers():
    ((net, inputs),) = METHOD.networks(
        method_card.merge_params(CARD, "sscr", "quick"), None
    ).values()
    assert net.eval()(*inputs).shape == (1, 2)
