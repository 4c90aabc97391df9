"""TAT: which filters die, as what they are born again, who teaches.

Numbers from the paper's Algorithm 1 and tables.
"""

import fnmatch
import itertools
import json
import shutil
from importlib import import_module
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn

from benchbox.costs.op_count import count_module
from benchbox.errors import DataError, PluginError, ResultError
from benchbox.plugins import method_card
from benchbox.training.casia_net import CasiaNet, conv_norm_pairs
from benchbox.training.checkpoint import load_facts, load_weights
from benchbox.types import Sample

from .gaze_job import examples, job

CARD = method_card.find_card("tat")
METHOD = method_card.import_method(CARD)


def part(name: str) -> ModuleType:
    return import_module(f"{CARD.module}.{name}")


itracker, filter_pruning, recipe, gaze_network, targets, teachers = (
    part(name)
    for name in ("itracker", "filter_pruning", "recipe", "gaze_network", "targets", "teachers")
)
TINY = {"side": 16, "face_side": 16, "bins": [20, 20]}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# --- CSP: cosine-similarity pruning ---------------------------------------------------------------


def test_similarity_by_hand():
    """Equation 5: (0 + 1/√2)/3, (0 + 1/√2)/3 and √2/3; the lengths of the filters do not matter."""
    weight = torch.tensor([[2.0, 0], [0, 5], [3, 3]]).view(3, 2, 1, 1)
    assert filter_pruning.filter_similarity(weight).tolist() == pytest.approx(
        [0.5**0.5 / 3, 0.5**0.5 / 3, 2**0.5 / 3]
    )


def test_a_doubled_filter_is_pruned_first_and_an_opposite_pair_last():
    """RePr takes the absolute value, so there the opposite pair goes first.

    The difference the paper argues for.
    """
    basis = torch.eye(8)
    doubled = torch.cat([basis[:4], basis[:1] * 3]).view(5, 8, 1, 1)
    opposite = torch.cat([basis[:3], -basis[2:3]]).view(4, 8, 1, 1)
    (first, second) = filter_pruning.choose_filters([doubled, opposite], 2 / 9, 1.0)
    assert (first.tolist(), second.tolist()) == ([0, 4], [])
    scores = torch.cat(
        [filter_pruning.filter_similarity(doubled), filter_pruning.filter_similarity(opposite)]
    )
    assert sorted(scores.argsort()[:2].tolist()) == [5 + 2, 5 + 3]
    (first, second) = filter_pruning.choose_filters([doubled, opposite], 2 / 9, 1.0, absolute=True)
    assert (first.tolist(), second.tolist()) == ([], [2, 3])


def test_no_layer_gives_up_more_than_its_cap_and_the_next_in_rank_steps_in():
    torch.manual_seed(0)
    alike = torch.randn(1, 9, 1, 1) + 0.01 * torch.randn(
        10, 9, 1, 1
    )  # all but equal: every one ranks before the others
    apart = torch.randn(30, 50, 1, 1)
    chosen = filter_pruning.choose_filters([alike, apart], 0.2, 0.5)
    assert [len(rows) for rows in chosen] == [5, 3]
    uncapped = filter_pruning.choose_filters([alike, apart], 0.2, 1.0)
    assert [len(rows) for rows in uncapped] == [8, 0]


@pytest.mark.parametrize(("share_eyes", "pruned"), [(False, 864), (True, 576)])
def test_a_fifth_of_all_filters_is_pruned(share_eyes, pruned):
    torch.manual_seed(0)
    weights = [conv.weight for conv, _ in conv_norm_pairs(CasiaNet(10, share_eyes=share_eyes))]
    chosen = filter_pruning.choose_filters(weights, 0.2, 0.5)
    assert sum(len(rows) for rows in chosen) == pruned
    assert all(len(rows) <= len(weight) // 2 for rows, weight in zip(chosen, weights, strict=True))


# --- AOI: aligned orthogonal initialisation -------------------------------------------------------


def trained(seed: int = 0) -> CasiaNet:
    """A network whose weights and norms look as if it had been trained."""
    torch.manual_seed(seed)
    net = CasiaNet(10, inputs=1)
    for conv, norm in conv_norm_pairs(net):
        conv.weight.data.mul_(torch.rand(len(conv.weight), 1, 1, 1) * 2)
        norm.weight.data.uniform_(-2, 2)
        norm.bias.data.normal_()
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.1, 3)
    return net


def reborn_rows(before: nn.Conv2d, after: nn.Conv2d) -> torch.Tensor:
    return (before.weight != after.weight).flatten(1).any(dim=1)


def test_the_filters_kept_are_bit_identical_and_the_norms_of_the_others_neutral():
    net, before = trained(), trained()
    filter_pruning.renew_filters(net, "csp", "aoi", 0.2, 0.5, generator())
    total = 0
    for (conv, norm), (old, old_norm) in zip(
        conv_norm_pairs(net), conv_norm_pairs(before), strict=True
    ):
        new = reborn_rows(old, conv)
        total += int(new.sum())
        for name, value in (
            ("weight", 1.0),
            ("bias", 0.0),
            ("running_mean", 0.0),
            ("running_var", 1.0),
        ):
            now, then = getattr(norm, name), getattr(old_norm, name)
            assert (now[new] == value).all(), name
            assert torch.equal(now[~new], then[~new]), name
    assert total == round(0.2 * 1440)
    assert torch.equal(net.head.weight, before.head.weight)


def test_new_filters_are_orthogonal_to_each_other_and_to_the_kept_ones():
    net, before = trained(), trained()
    filter_pruning.renew_filters(net, "csp", "aoi", 0.2, 0.5, generator())
    checked = 0
    for (conv, _), (old, _) in zip(conv_norm_pairs(net), conv_norm_pairs(before), strict=True):
        new = reborn_rows(old, conv)
        rows = nn.functional.normalize(conv.weight.detach().flatten(1).double(), dim=1)
        cosine = (rows @ rows.T).abs()
        among = cosine[new][:, new] - torch.eye(int(new.sum()), dtype=torch.float64)
        assert (among.abs() < 1e-5).all()
        if rows.shape[0] <= rows.shape[1]:
            assert (cosine[new][:, ~new] < 1e-5).all()
            checked += int(new.sum())
    assert checked > 200


def test_conv11_has_no_room_for_32_orthogonal_filters_of_27_weights():
    """There the new rows are orthogonal to each other only.

    Asking for more would not be possible.
    """
    kept = torch.randn(20, 27, generator=generator())
    rows = filter_pruning.orthonormal_rows(kept, 12, generator())
    assert (rows @ rows.T).numpy() == pytest.approx(np.eye(12), abs=1e-12)
    assert (rows @ kept.T.double()).abs().max() > 0.1


def test_new_norms_lie_between_the_adjusted_norms_of_the_pruned():
    """Equations 6 and 7: ‖w‖ · |scale| / √var, before pruning, sets the range.

    |scale|, as a norm has no sign.
    """
    net, before = trained(), trained()
    filter_pruning.renew_filters(net, "csp", "aoi", 0.2, 0.5, generator())
    spread = 0
    for (conv, _), (old, norm) in zip(conv_norm_pairs(net), conv_norm_pairs(before), strict=True):
        new = reborn_rows(old, conv)
        if not new.any():
            continue
        adjusted = (
            old.weight.detach().flatten(1).norm(dim=1)
            * norm.weight.detach().abs()
            / norm.running_var.sqrt()
        )
        found = conv.weight.detach().flatten(1).norm(dim=1)[new]
        low, high = adjusted[new].min().item(), adjusted[new].max().item()
        assert found.min().item() >= low * (1 - 1e-3)
        assert found.max().item() <= high * (1 + 1e-3)
        spread += int((found.max() - found.min()).item() > 0.1 * (high - low))
    assert spread > 3  # a norm for each filter, not one for the layer


def test_orth_has_unit_norms_and_uniform_the_frameworks_bound():
    for init in ("orth", "uniform"):
        net, before = trained(), trained()
        filter_pruning.renew_filters(net, "csp", init, 0.2, 0.5, generator())
        for (conv, _), (old, _) in zip(conv_norm_pairs(net), conv_norm_pairs(before), strict=True):
            new = reborn_rows(old, conv)
            rows = conv.weight.detach().flatten(1)[new]
            if init == "orth":
                assert rows.norm(dim=1).tolist() == pytest.approx([1.0] * len(rows), abs=1e-5)
            elif len(rows):
                bound = rows.shape[1] ** -0.5
                assert 0.9 * bound < rows.abs().max() <= bound


def test_scratch_keeps_nothing_none_keeps_all_and_another_word_is_refused():
    net, before = trained(), trained()
    filter_pruning.renew_filters(net, "none", "aoi", 0.2, 0.5, generator())
    assert all(
        torch.equal(a, b)
        for a, b in zip(net.state_dict().values(), before.state_dict().values(), strict=True)
    )
    filter_pruning.renew_filters(net, "scratch", "aoi", 0.2, 0.5, generator())
    was = before.state_dict()
    same = [k for k, v in net.state_dict().items() if torch.equal(v, was[k]) and "tracked" not in k]
    assert same == []
    with pytest.raises(PluginError, match=r"prune = 'l1'"):
        filter_pruning.renew_filters(net, "l1", "aoi", 0.2, 0.5, generator())


# --- teachers -------------------------------------------------------------------------------------


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_teachers_by_hand():
    errors = [2.0, 1.5, 1.55, 1.7]
    assert teachers.pick_teachers("none", errors, 1.05, rng()) == []
    assert teachers.pick_teachers("random", [], 1.05, rng()) == []
    assert teachers.pick_teachers("last", errors, 1.05, rng()) == [3]
    assert teachers.pick_teachers("best", errors, 1.05, rng()) == [1]
    assert teachers.pick_teachers("mean", errors, 1.05, rng()) == [1, 2]  # 1.5 x 1.05 = 1.575
    assert teachers.pick_teachers("mean", errors, 10, rng()) == [0, 1, 2, 3]


def test_random_teachers_are_drawn_evenly_among_the_admitted():
    draw = rng()
    drawn = [teachers.pick_teachers("random", [1.0, 9.0, 1.01], 1.05, draw)[0] for _ in range(2000)]
    assert set(drawn) == {0, 2}
    assert np.mean(np.array(drawn) == 0) == pytest.approx(0.5, abs=0.05)


def test_a_teacher_speaks_in_evaluation_mode_and_the_mean_is_of_probabilities(tmp_path):
    METHOD.train(job(CARD, tmp_path, variant="mg1", **TINY))
    one, two = (gaze_network.load_network(tmp_path / f"mg{k}.safetensors", "cpu") for k in (0, 1))
    inputs = tuple(torch.rand(3, 3, 16, 16) for _ in range(3))
    word = recipe.teacher_answer([one, two], inputs)
    with torch.inference_mode():
        expected = (one.network(*inputs).sigmoid() + two.network(*inputs).sigmoid()) / 2
    assert torch.allclose(word, expected)
    assert not word.requires_grad
    alone = recipe.teacher_answer([one], tuple(x[:1] for x in inputs))
    # no batch statistics
    assert torch.allclose(alone, recipe.teacher_answer([one], inputs)[:1], atol=1e-5)
    assert recipe.teacher_answer([], inputs) is None


# --- objective ------------------------------------------------------------------------------------


def test_equation_9_by_hand():
    """0.2 hard + 0.4 mixed + 0.6 soft, worked out from the network's own outputs."""
    torch.manual_seed(0)
    params = dict(CARD.params)
    target = targets.fit_target("ordinal", torch.tensor([[0.0, 0], [9, 9]]), (5, 5))
    form = part("gaze_network").PatchForm(("",), 16, 16, 4)
    net = gaze_network.build_network(params, "gaze2d", form, target, "cpu")
    net.network.eval()
    inputs, codes = (torch.rand(4, 3, 16, 16),), target.encode(torch.rand(4, 2) * 9)
    word = torch.rand(4, 10)
    with torch.inference_mode():
        z = net.network.features(*inputs)
        out = net.network.head(z)
        draw = np.random.default_rng(7)
        a = torch.from_numpy(draw.uniform(0, 1, 4)).float()[:, None]
        j = torch.from_numpy(draw.permutation(4))
        mixed = net.network.head(a * z + (1 - a) * z[j])
        expected = 0.2 * target.loss(out, codes) + 0.4 * target.loss(
            mixed, a * codes + (1 - a) * codes[j]
        )
        mixing = recipe.Mixing.draw(np.random.default_rng(7), 4, "cpu")
        found = recipe.generation_loss(net, inputs, codes, None, mixing, params)
        assert found.item() == pytest.approx(expected.item(), rel=1e-6)
        taught = recipe.generation_loss(net, inputs, codes, word, mixing, params)
        assert taught.item() == pytest.approx(
            expected.item() + 0.6 * target.loss(out, word).item(), rel=1e-6
        )
        plain = recipe.generation_loss(net, inputs, codes, None, mixing, params | {"mix": "off"})
        assert plain.item() == pytest.approx(0.2 * target.loss(out, codes).item(), rel=1e-6)
    with pytest.raises(PluginError, match="mix = 'both'"):
        recipe.generation_loss(net, inputs, codes, None, mixing, params | {"mix": "both"})


def test_l2_targets_come_back_in_cm():
    axes = torch.tensor([[0.0, -3], [4, 5], [1, 1]])
    target = targets.fit_target("l2", axes, (5, 5))
    assert target.decode(target.encode(axes)).numpy() == pytest.approx(axes.numpy(), abs=1e-5)
    assert target.encode(axes).square().mean().item() == pytest.approx(1)
    assert target.loss(torch.tensor([[1.0, 2], [0, 0]]), torch.zeros(2, 2)).item() == pytest.approx(
        2.5
    )
    back = targets.target_from_facts(target.facts())
    assert torch.equal(back.mean, target.mean)
    assert torch.equal(back.deviation, target.deviation)


# --- bookkeeping ----------------------------------------------------------------------------------


def test_five_generations_are_36_epochs_with_0_to_4_teachers_and_the_last_snapshot_is_returned(
    tmp_path,
):
    """The paper's Algorithm 1 would prune once more after the last generation.

    The weights returned are not pruned.
    """
    paper = {key: CARD.params[key] for key in ("generations", "epochs", "warmup_epochs")}
    METHOD.train(job(CARD, tmp_path, **TINY, **paper, epoch_draws=4, tolerance=100.0))
    facts = [load_facts(tmp_path / f"mg{k}.safetensors") for k in range(5)]
    assert [int(fact["epochs"]) for fact in facts] == [8, 7, 7, 7, 7]
    assert sum(int(fact["epochs"]) for fact in facts) == 36
    taught = [fact["taught_by"].split() for fact in facts]
    assert taught[0] == ["-"] * 8
    for number, who in enumerate(taught[1:], start=1):
        assert set(who) <= {str(k) for k in range(number)}
        assert len(who) == 7
    assert len(set(itertools.chain(*taught[3:]))) > 2  # teachers differ from epoch to epoch
    last, final = (
        load_weights(tmp_path / "mg4.safetensors"),
        load_weights(tmp_path / "tat.safetensors"),
    )
    assert all(torch.equal(last[key], final[key]) for key in last)
    assert len(last) == len(final)
    assert not list(tmp_path.glob("*.checkpoint"))


def test_two_trainings_leave_the_same_bytes(tmp_path):
    """Trap: the header held the seconds that each generation took, so no digest came twice."""
    files = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        METHOD.train(job(CARD, tmp_path / name, variant="mg1", **TINY))
        weights = sorted((tmp_path / name).glob("*.safetensors"))
        files.append({path.name: path.read_bytes() for path in weights})
    assert sorted(files[0]) == ["mg0.safetensors", "mg1.safetensors", "tat.safetensors"]
    assert files[0] == files[1]


def test_a_generation_that_is_there_is_not_trained_again(tmp_path):
    METHOD.train(job(CARD, tmp_path, variant="mg1", **TINY))
    first = (tmp_path / "mg0.safetensors").stat().st_mtime_ns
    METHOD.train(job(CARD, tmp_path, variant="mg2", **TINY))
    assert (tmp_path / "mg0.safetensors").stat().st_mtime_ns == first
    assert (tmp_path / "mg2.safetensors").exists()


def test_mg1_is_the_prefix_of_tat_bit_by_bit(tmp_path):
    """The column MG.k of Tables 2-4: a shorter run is what the full run held at that point."""
    (tmp_path / "short").mkdir()
    (tmp_path / "long").mkdir()
    METHOD.train(job(CARD, tmp_path / "short", variant="mg1", **TINY))
    METHOD.train(job(CARD, tmp_path / "long", variant="mg2", **TINY))
    short, long = (load_weights(tmp_path / name / "mg1.safetensors") for name in ("short", "long"))
    assert all(torch.equal(short[key], long[key]) for key in short)


def test_a_snapshot_of_another_run_is_adopted_and_one_of_another_course_is_refused(
    tmp_path,
):
    """MG.0 has neither teacher nor pruning, so all rows of Tables 2-4 share it.

    From MG.1 on they part.
    """
    full, short, other = (tmp_path / name for name in ("full", "short", "other"))
    for folder in (full, short, other):
        folder.mkdir()
    METHOD.train(job(CARD, full, variant="mg1", **TINY))
    spent = json.loads((full / "training.json").read_text())
    shutil.copy(full / "mg0.safetensors", short)
    METHOD.train(job(CARD, short, variant="mg0", **TINY))
    found = json.loads((short / "training.json").read_text())
    assert list(found["stages"]) == ["mg0"]
    assert found["samples"] == spent["stages"]["mg0"]["samples"] > 0
    assert found["generations"] == spent["generations"][:1]
    first, taken = load_weights(full / "mg0.safetensors"), load_weights(short / "tat.safetensors")
    assert all(torch.equal(first[key], taken[key]) for key in first)
    shutil.copy(full / "mg0.safetensors", other)
    METHOD.train(job(CARD, other, variant="finetune", **TINY, generations=1))  # the same beginning
    shutil.copy(full / "mg1.safetensors", other)
    with pytest.raises(
        ResultError, match=r"mg1\.safetensors: a snapshot of other data, parameters or seed"
    ):
        METHOD.train(job(CARD, other, variant="finetune", **TINY, generations=2))
    shutil.rmtree(short)
    short.mkdir()
    shutil.copy(full / "mg0.safetensors", short)
    with pytest.raises(ResultError, match="other data, parameters or seed"):
        METHOD.train(job(CARD, short, variant="mg0", **TINY, lr=0.5))


def test_rows_take_over_no_more_than_they_have_in_common():
    """What differs from `tat` enters after the generations that are taken over, and is named."""
    sharing = {name: variant.shares for name, variant in CARD.variants.items() if variant.shares}
    assert set(CARD.variants) - set(sharing) == {"tat", "ordinal", "l2", "itracker"}
    tat = method_card.merge_params(CARD, "tat", "quick")
    for name, shares in sharing.items():
        own = method_card.merge_params(CARD, name, "quick")
        assert {key for key in tat if own[key] != tat[key]} == set(shares.apart), name
        taken = [k for k in range(5) if fnmatch.fnmatch(f"mg{k}.safetensors", shares.files)]
        later = set(shares.apart) - {"generations"}
        assert later <= set(recipe._LATER_PARAMS)
        assert taken == ([0] if later else list(range(own["generations"]))), name


def test_plain_training_lasts_as_long_as_tat():
    def length(variant, budget):
        params = method_card.merge_params(CARD, variant, budget)
        epochs = (
            params["generations"] * params["epochs"]
            + params["warmup_epochs"]
            + params["head_start"]
        )
        return epochs, params["epoch_draws"]

    assert length("tat", "paper") == (36, 0)
    for name in ("ordinal", "l2", "itracker"):
        assert length(name, "paper") == (36, 0)
    assert length("ordinal", "quick") == length("l2", "quick") == length("tat", "quick")


def test_a_head_start_lengthens_the_first_generation_alone(tmp_path):
    METHOD.train(job(CARD, tmp_path, variant="mg1", **TINY, head_start=3))
    facts = [load_facts(tmp_path / f"mg{k}.safetensors") for k in range(2)]
    assert [int(fact["epochs"]) for fact in facts] == [1 + 1 + 3, 1]


def test_a_generation_from_scratch_begins_as_the_first_one_does(tmp_path):
    """Trap: begun alike before the restart reset it, the last layer sat at the mean gaze."""
    made = job(CARD, tmp_path, variant="scratch", **TINY)
    course = recipe.TrainingGazes.of(made)
    first = tmp_path / "mg0.safetensors"
    recipe._initial_network(made, course, 0, ()).save(first)
    again = recipe._initial_network(made, course, 1, (first,)).network
    head = recipe._initial_network(made, course, 0, ()).network.head
    assert again.head.bias.tolist() == head.bias.tolist()  # the training share of each bin
    rows = again.head.weight[: made.params["bins"][0]]
    assert bool((rows == rows[0]).all())  # one number for all bins of an axis
    before = load_weights(first)["network.join.weight"]
    assert not torch.equal(again.join.weight, before)  # and the rest is born again


def test_half_width_halves_every_convolution_and_is_loaded_again(tmp_path):
    made = job(CARD, tmp_path, **(TINY | {"width": 0.5}))
    course = recipe.TrainingGazes.of(made)
    net = recipe._initial_network(made, course, 0, ())
    assert net.network.streams[0].trunk[0].out_channels == 16
    net.save(tmp_path / "half.safetensors")
    again = gaze_network.load_network(tmp_path / "half.safetensors", "cpu")
    assert again.network.streams[0].trunk[0].out_channels == 16


# --- iTracker -------------------------------------------------------------------------------------


def test_itracker_counts():
    patch = (1, 3, 224, 224)
    found = count_module(itracker.ITracker(), patch, patch, patch, (1, 625))
    assert found.params == 6_286_274
    assert found.macs == pytest.approx(1.324e9, rel=1e-3)


def test_the_face_grid_by_hand():
    """x, y, width, height count cells from 1.

    Columns 3-5 of rows 1-2, and rows of the grid are y.
    """
    sample = Sample(
        "a",
        np.zeros(4),
        lambda: np.zeros((1, 1, 3), np.uint8),
        {},
        {"face_grid": np.array([3, 1, 3, 2])},
    )
    grid = itracker.face_grid([sample])[0].reshape(25, 25)
    assert np.argwhere(grid).tolist() == [[0, 2], [0, 3], [0, 4], [1, 2], [1, 3], [1, 4]]
    off = Sample("b", np.zeros(4), sample.pixels, {}, {"face_grid": np.array([-2, 24, 5, 9])})
    assert np.argwhere(itracker.face_grid([off])[0].reshape(25, 25)).tolist() == [
        [23, 0],
        [23, 1],
        [24, 0],
        [24, 1],
    ]
    with pytest.raises(DataError, match="no face grid"):
        itracker.face_grid([Sample("c", np.zeros(4), sample.pixels)])


def test_itracker_without_eyes_is_its_face_path(tmp_path):
    """The adaptation to sets of one patch: the face's convolutions and layers keep their shapes."""
    face, whole = itracker.FacePath().state_dict(), itracker.ITracker().state_dict()
    assert all(
        value.shape == whole[key].shape for key, value in face.items() if key.startswith("face")
    )
    METHOD.train(
        job(CARD, tmp_path, "gaze3d", "itracker", eyes=False, epochs=1, batch=2, epoch_draws=2)
    )
    answers = METHOD.predictor(tmp_path, "cpu")(examples("gaze3d", 2, eyes=False, seed=9).samples)
    assert np.linalg.norm(answers, axis=1) == pytest.approx(np.ones(2))


def test_networks_for_the_profile_are_those_of_the_paper():
    for variant, params in (
        ("tat", 5_471_210),
        ("itracker", 6_286_274),
        ("l2", 5_471_210 - 264 * 129),
    ):
        found = METHOD.networks(method_card.merge_params(CARD, variant, "paper"), None)
        ((net, inputs),) = found.values()
        assert count_module(net, *(x.shape for x in inputs)).params == params


# --- whole ways -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "variant", sorted(set(CARD.variants) - {"itracker", "random", "csp", "aoi"})
)
def test_every_variant_trains_and_answers(variant, tmp_path):
    generations = min(
        2,
        CARD.params["generations"]
        if variant == "tat"
        else CARD.variants[variant].params.get("generations", 2),
    )
    METHOD.train(job(CARD, tmp_path, variant=variant, **TINY, epochs=1, generations=generations))
    answers = METHOD.predictor(tmp_path, "cpu")(examples("gaze2d", 5, seed=9).samples)
    assert answers.shape == (5, 2)
    assert np.isfinite(answers).all()


def test_unit_vectors_from_one_patch(tmp_path):
    METHOD.train(job(CARD, tmp_path, "gaze3d", "mg0", eyes=False, **TINY))
    answers = METHOD.predictor(tmp_path, "cpu")(examples("gaze3d", 5, eyes=False, seed=9).samples)
    assert np.linalg.norm(answers, axis=1) == pytest.approx(np.ones(5))


def test_the_ordinal_network_learns_the_toy_gaze(tmp_path):
    """30 short epochs bring the error well below that of the mean, on other frames."""
    METHOD.train(
        job(
            CARD,
            tmp_path,
            variant="ordinal",
            side=16,
            bins=[40, 40],
            epochs=30,
            epoch_draws=16,
            batch=8,
            lr=0.003,
        )
    )
    test = examples("gaze2d", 40, seed=9)
    answers = METHOD.predictor(tmp_path, "cpu")(test.samples)
    error = np.linalg.norm(answers - test.values, axis=1).mean()
    assert error < 0.6 * np.linalg.norm(test.values, axis=1).mean()


def test_the_card_names_every_parameter():
    assert set(method_card.merge_params(CARD, CARD.default, "quick", {})) == set(CARD.params)
    for alias in ("random", "csp", "aoi"):
        assert CARD.variants[alias].params == CARD.variants["tat"].params
