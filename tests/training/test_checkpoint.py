"""Files of a training appear whole or not at all, and hold no pickle."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn

from benchbox.errors import ResultError
from benchbox.training.checkpoint import (
    Checkpoint,
    load_facts,
    load_into,
    load_weights,
    make_once,
    save_weights,
)
from benchbox.training.optim import WeightAverage


def test_once_makes_a_file_one_time_and_never_a_half_one(tmp_path):
    made = []

    def make(path, text):
        made.append(text)
        path.write_text(text)
        if text == "broken":
            raise RuntimeError("killed")

    target = tmp_path / "deep" / "file"
    with pytest.raises(RuntimeError, match="killed"):
        make_once(target, make, "broken")
    assert not target.exists()
    assert make_once(target, make, "whole").read_text() == "whole"
    assert make_once(target, make, "again").read_text() == "whole"
    assert made == ["broken", "whole"]


def test_weights_and_facts_come_back(tmp_path):
    torch.manual_seed(0)
    net, other = nn.Linear(3, 2), nn.Linear(3, 2)
    save_weights(tmp_path / "w.safetensors", {"net": net}, {"side": "144"})
    load_into(other, "net", load_weights(tmp_path / "w.safetensors"))
    assert torch.equal(net.weight, other.weight)
    assert load_facts(tmp_path / "w.safetensors") == {"side": "144"}
    with safe_open(tmp_path / "w.safetensors", framework="pt") as file:
        assert sorted(file.keys()) == ["net.bias", "net.weight"]
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


def test_equal_weights_are_equal_bytes(tmp_path):
    """Digests of records can be compared.

    Several entries of a header would stand in an order of chance.
    """
    torch.manual_seed(0)
    net, facts = (
        nn.Linear(3, 2),
        dict.fromkeys(("side", "patch", "network", "cascade", "layout"), "1"),
    )
    files = [tmp_path / f"{number}.safetensors" for number in range(6)]
    for file in files:
        save_weights(file, {"net": net}, facts)
    assert len({file.read_bytes() for file in files}) == 1


@pytest.mark.parametrize("read", [load_weights, load_facts])
def test_missing_and_damaged_weights_are_one_line(tmp_path, read):
    with pytest.raises(ResultError, match="no weights here; train first"):
        read(tmp_path / "none.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"\x80\x04not weights")
    with pytest.raises(ResultError, match=r"bad\.safetensors: is no whole safetensors file"):
        read(tmp_path / "bad.safetensors")


def training(tmp_path, steps, stop=None):
    """SGD with momentum and an average on random data; stops after `stop` steps as a kill would."""
    torch.manual_seed(0)
    net = nn.Linear(4, 1)
    optim = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
    average = WeightAverage([net], 0.9)
    state = Checkpoint(tmp_path / "c", net=net, optim=optim, average=average)
    for step in range(state.load(), steps):
        loss = net(torch.randn(8, 4)).square().mean()
        optim.zero_grad()
        loss.backward()
        optim.step()
        average.update()
        state.save(step + 1)
        if step + 1 == stop:
            return None
    average.apply()
    return net.weight.detach().clone()


def test_a_killed_training_goes_on_to_the_same_weights(tmp_path):
    """Weights, momentum, average and the random generator are all part of the state."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    straight = training(tmp_path / "a", 10)
    training(tmp_path / "b", 10, stop=4)
    assert torch.equal(training(tmp_path / "b", 10), straight)


def test_a_damaged_checkpoint_costs_the_stage_not_the_run(tmp_path):
    (tmp_path / "c").write_bytes(b"half a file")
    assert training(tmp_path, 2) is not None


def test_a_checkpoint_runs_no_code(tmp_path):
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"step": 1, "parts": Evil()}, tmp_path / "c")
    assert Checkpoint(tmp_path / "c").load() == 0
    assert not (tmp_path / "ran").exists()


def test_one_flipped_bit_of_a_checkpoint_costs_the_stage_and_never_a_number(tmp_path):
    """The trap: 10 of 12 flipped bits ended in other predictions without a word."""
    net = nn.Linear(64, 64)
    kept = Checkpoint(tmp_path / "c", net=net)
    kept.save(3)
    assert kept.load() == 3
    whole = (tmp_path / "c").read_bytes()
    weights = {name: value.clone() for name, value in net.state_dict().items()}
    for place in range(len(whole) // 24, len(whole), len(whole) // 12):
        flipped = bytearray(whole)
        flipped[place] ^= 4
        (tmp_path / "c").write_bytes(flipped)
        step = kept.load()
        assert step in (0, 3)
        for name, value in net.state_dict().items():  # padding may flip, numbers may not
            assert torch.equal(value, weights[name])


def test_one_flipped_bit_of_weights_is_refused(tmp_path):
    file = tmp_path / "w.safetensors"
    save_weights(file, {"net": nn.Linear(4, 4)}, {"side": "64"})
    assert load_facts(file) == {"side": "64"}
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    with pytest.raises(ResultError, match=r"damaged weights"):
        load_weights(file)
