"""A small set of faces whose predictions are wrong in a known way."""

import dataclasses

import numpy as np
import pytest

from benchbox.layouts import IBUG68
from benchbox.types import Index, Predictions, Protocol, Truth

FACES = 40


@dataclasses.dataclass(frozen=True)
class Case:
    """A toy protocol's data, with predictions made from the truth."""

    protocol: Protocol
    index: Index
    truth: Truth

    def answer(self, values: np.ndarray, failed: tuple[int, ...] = ()) -> Predictions:
        flags = np.isin(np.arange(len(values)), failed)
        return Predictions(self.truth.ids, np.where(flags[:, None, None], np.nan, values), flags)

    def noisy(self, seed: int = 1) -> np.ndarray:
        return self.truth.values + np.random.default_rng(seed).normal(0, 2, self.truth.values.shape)


@pytest.fixture
def case() -> Case:
    """Forty faces of different size; eyes where eyes belong."""
    from benchbox.protocols import protocol_card as protocols

    rng = np.random.default_rng(0)
    size = rng.uniform(0.5, 2, FACES)
    face = rng.uniform(0, 150, (68, 2))
    face[36:42], face[42:48] = (60.0, 50.0), (120.0, 50.0)
    face[36], face[39], face[42], face[45] = (
        (40.0, 50.0),
        (80.0, 50.0),
        (100.0, 50.0),
        (140.0, 50.0),
    )
    values = face * size[:, None, None] + rng.normal(0, 1.5, (FACES, 68, 2))
    ids = np.array([f"helen/testset/{row}" for row in range(FACES)])
    parts = np.where(np.arange(FACES) < 20, "helen/testset", "ibug")
    boxes = np.concatenate([values.min(axis=1) - 20, values.max(axis=1) + 20], axis=1)
    index = Index("300w", ids, parts, values, {"detector": boxes}, ids, read=lambda row: None)
    visible = rng.random((FACES, 68)) < 0.8
    groups = {
        "full": np.ones(FACES, bool),
        "common": parts == "helen/testset",
        "challenging": parts == "ibug",
    }
    truth = Truth(ids, values, groups, ids, visible=visible)
    assert IBUG68.count == values.shape[1]
    return Case(
        dataclasses.replace(protocols.load_protocol("300w-full"), resamples=100), index, truth
    )
