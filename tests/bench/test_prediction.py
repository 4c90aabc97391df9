"""Images per second of a whole prediction: crops, network and maps back to the picture, batch 1
and 32."""

import json
from importlib import import_module

import numpy as np
import pytest
import torch

from benchbox.layouts import IBUG68
from benchbox.plugins import method_card
from benchbox.training import process_setup
from benchbox.training.checkpoint import save_weights

from . import pictures as files
from .sizes import pick

COUNT = pick(4, 256)
CARD = method_card.find_card("glsr")
# the paper's sizes: 256 px, global and local stage
PARAMS = {**CARD.params, **CARD.variants["glsr"].params}


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return files.make(tmp_path_factory.mktemp("predicted"), COUNT, files.SMALL_PX).samples()


@pytest.fixture(scope="module")
def predict(tmp_path_factory):
    """An untrained G&LSR: as fast as a trained one."""
    process_setup.prepare_process("cpu", 0)
    method = method_card.import_method(CARD)
    recipe = import_module(f"{CARD.module}.recipe")
    folder = tmp_path_factory.mktemp("weights")
    system = import_module(f"{CARD.module}.detector").GlsrDetector(IBUG68, PARAMS)
    facts = {"frames": "ours", "layout": IBUG68.name, "params": json.dumps(PARAMS)}
    save_weights(folder / recipe.WEIGHTS, {"system": system}, facts)
    return method.predictor(folder, "cpu")


@pytest.mark.parametrize("batch", pick((1, 4), (1, 32)))
def test_prediction_from_files(batch, samples, predict, measure):
    def run():
        return np.concatenate(
            [predict(samples[k : k + batch]) for k in range(0, len(samples), batch)]
        )

    name = f"G&LSR from JPEG files, batch {batch}"
    found = measure(
        run,
        "prediction, 300-px JPEG, all cores",
        name,
        COUNT,
        "images/s",
        ours=batch > 1,
        rounds=pick(1, 5),
    )
    assert found.shape == (COUNT, 68, 2)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("last", [True, False], ids=["channels-last", "plain"])
def test_forward_of_the_backbone_alone(last, measure):
    """What the largest network takes by itself, batch 32: neither crop nor other stages."""
    process_setup.prepare_process("cpu", 0)
    method_card.import_method(CARD)
    net = import_module(f"{CARD.module}.model").Backbone(68, 256, "table").eval()
    inputs = torch.zeros(pick(2, 32), 3, 256, 256)
    if last:
        net, inputs = (thing.to(memory_format=torch.channels_last) for thing in (net, inputs))
    name = f"limit: backbone alone, batch {len(inputs)}, " + (
        "channels last" if last else "plain layout"
    )

    def run():
        with torch.inference_mode():
            return net(inputs)

    found = measure(run, "prediction, 300-px JPEG, all cores", name, len(inputs), "images/s")
    assert found.shape == (len(inputs), 136)
