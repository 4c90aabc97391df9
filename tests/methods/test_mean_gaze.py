"""The baseline's answers can be worked out by hand, in cm and as directions."""

from pathlib import Path

import numpy as np
import pytest

from benchbox.errors import DataError, ResultError
from benchbox.plugins import method_card
from benchbox.types import Examples, Job, Sample


def sample(**meta: object) -> Sample:
    def unread() -> np.ndarray:
        raise AssertionError("the mean gaze looks at no pixel")

    return Sample(id="a", box=np.zeros(4), pixels=unread, meta=meta)


def job(out: Path, samples: list[Sample], values: list[list[float]], by: list[str]) -> Job:
    examples = Examples(
        samples, np.array(values, dtype=np.float64), np.array([str(k) for k in range(len(samples))])
    )
    task = "gaze2d" if len(values[0]) == 2 else "gaze3d"
    return Job(task, None, examples, (), None, out, 0, "cpu", "smoke", {"by": by})


@pytest.fixture
def method():
    return method_card.import_method(method_card.find_card("mean-gaze"))


PHONE, TABLET = (
    {"device": "iPhone 6", "orientation": 1},
    {"device": "iPad 2", "orientation": np.int64(1)},
)


def test_each_device_has_its_own_mean_and_an_unknown_one_gets_the_overall(method, tmp_path):
    samples = [sample(**PHONE), sample(**PHONE), sample(**TABLET)]
    method.train(job(tmp_path, samples, [[0, -2], [2, -4], [7, -9]], ["device", "orientation"]))
    predict = method.predictor(tmp_path, "cpu")
    turned = sample(device="iPhone 6", orientation=3)
    np.testing.assert_allclose(
        predict([samples[2], samples[0], turned]), [[7, -9], [1, -3], [3, -5]]
    )
    assert [path.name for path in tmp_path.iterdir()] == ["mean_gaze.safetensors"]


def test_the_variant_overall_and_data_without_devices_have_one_mean(method, tmp_path):
    for k, (samples, by) in enumerate(
        [([sample(**PHONE), sample(**TABLET)], []), ([sample(), sample()], ["device"])]
    ):
        out = tmp_path / str(k)
        out.mkdir()
        method.train(job(out, samples, [[0, -2], [4, -4]], by))
        np.testing.assert_allclose(method.predictor(out, "cpu")(samples), [[2, -3], [2, -3]])


def test_a_mean_direction_is_a_unit_vector(method, tmp_path):
    method.train(job(tmp_path, [sample(), sample()], [[1, 0, 0], [0, 0, 1]], ["device"]))
    np.testing.assert_allclose(
        method.predictor(tmp_path, "cpu")([sample()]), [[np.sqrt(0.5), 0, np.sqrt(0.5)]]
    )
    with pytest.raises(DataError, match="directions cancel out"):
        method.train(job(tmp_path, [sample(), sample()], [[0, 0, -1], [0, 0, 1]], ["device"]))


def test_missing_and_damaged_weights_are_named(method, tmp_path):
    with pytest.raises(ResultError, match=r"no weights here.*--fresh"):
        method.predictor(tmp_path, "cpu")
    (tmp_path / "mean_gaze.safetensors").write_bytes(b"words")
    with pytest.raises(ResultError, match=r"is no whole safetensors file.*--fresh"):
        method.predictor(tmp_path, "cpu")
