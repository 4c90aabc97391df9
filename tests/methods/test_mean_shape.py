"""The baseline's number can be worked out by hand, so it must come out of the whole path."""

from pathlib import Path

import numpy as np
import pytest

from benchbox.errors import ResultError
from benchbox.layouts import IBUG68
from benchbox.plugins import method_card
from benchbox.types import Examples, Job, Sample


def sample(name: str, box: list[float]) -> Sample:
    def unread() -> np.ndarray:
        raise AssertionError("the mean shape looks at no pixel")

    return Sample(id=name, box=np.array(box, dtype=np.float64), pixels=unread)


def job(out: Path, samples: list[Sample], values: list[list[list[float]]]) -> Job:
    clusters = np.array([one.id for one in samples])
    examples = Examples(samples, np.array(values, dtype=np.float64), clusters)
    return Job("landmarks", IBUG68, examples, (), None, out, 0, "cpu", "smoke", {})


def test_shapes_are_averaged_in_their_boxes_and_placed_in_another(tmp_path):
    method = method_card.import_method(method_card.find_card("mean-shape"))
    # Relative to their boxes the point lies at (0.25, 0.5) and (0.75, 0.5): on average in the
    # middle.
    samples = [sample("a", [0, 0, 100, 100]), sample("b", [100, 0, 120, 40])]
    method.train(job(tmp_path, samples, [[[25, 50]], [[115, 20]]]))
    predict = method.predictor(tmp_path, "cpu")
    np.testing.assert_allclose(predict([sample("c", [10, 20, 30, 60])]), [[[20, 40]]], atol=1e-12)
    assert [path.name for path in tmp_path.iterdir()] == ["mean_shape.safetensors"]


def test_equal_training_gives_equal_bytes(tmp_path):
    method = method_card.import_method(method_card.find_card("mean-shape"))
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        method.train(job(tmp_path / name, [sample("a", [0, 0, 3, 7])], [[[1, 2], [2, 5]]]))
    one, two = (
        (tmp_path / name / "mean_shape.safetensors").read_bytes() for name in ("one", "two")
    )
    assert one == two


def test_missing_and_damaged_weights_are_named(tmp_path):
    method = method_card.import_method(method_card.find_card("mean-shape"))
    with pytest.raises(ResultError, match=r"no weights here.*--fresh"):
        method.predictor(tmp_path, "cpu")
    (tmp_path / "mean_shape.safetensors").write_bytes(b"words")
    with pytest.raises(ResultError, match=r"is no whole safetensors file.*--fresh"):
        method.predictor(tmp_path, "cpu")
