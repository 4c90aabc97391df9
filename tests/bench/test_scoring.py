"""Faces scored per second: NME beside other people's metrics, AUC and FR, whole scores,
intervals."""

import dataclasses
import importlib.util
import warnings

import numpy as np
import pytest
import torch

from benchbox.datasets import label_checks, shape_fit
from benchbox.layouts import IBUG68
from benchbox.metrics import bootstrap, curves, landmarks, paired_tests, ranks
from benchbox.protocols import protocol_card
from benchbox.scoring import prediction_checks, slips
from benchbox.scoring.score import score_predictions
from benchbox.types import Index, Predictions, Truth

from . import pipelines
from .sizes import pick

FACES = pick(2_000, 100_000)
MANY = pick(5_000, 1_000_000)
RESAMPLED, RESAMPLES = pick(200, 2_500), pick(500, 10_000)
BATCH = 64


@pytest.fixture(scope="module")
def faces():
    return drawn(FACES)


def drawn(count):
    """Truth and predictions (N, 68, 2): the errors of the points are 2 px per axis."""
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 300, (count, 68, 2))
    truth[:, 45] = truth[:, 36] + 100
    return truth, truth + rng.normal(0, 2, truth.shape)


# --- NME, from arrays of points to one number -----------------------------------------------------


def ours(truth, predictions):
    return lambda: landmarks.nme(
        truth, predictions, landmarks.normaliser_lengths("inter_ocular", truth, IBUG68)
    ).mean()


def hrnet_style(truth, predictions):
    """A loop over faces and points, as HRNet's and many papers' `compute_nme`."""

    def compute():
        errors = np.zeros(len(truth))
        for i in range(len(truth)):
            interocular = np.linalg.norm(truth[i, 36] - truth[i, 45])
            errors[i] = np.sum(np.linalg.norm(predictions[i] - truth[i], axis=1)) / (
                interocular * truth.shape[1]
            )
        return errors.mean()

    return compute


def mmpose(truth, predictions):
    """MMPose's NME class, batches of 64 through `process`.

    The dictionaries that a runner hands it are made before.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipelines.without_coco()
        from mmengine.logging import MMLogger
        from mmpose.evaluation.metrics import NME
    MMLogger.get_current_instance().setLevel("ERROR")
    visible = np.ones((1, 68), np.float32)
    samples = [
        {
            "pred_instances": {"keypoints": p[None]},
            "gt_instances": {"keypoints": t[None], "keypoints_visible": visible},
        }
        for t, p in zip(truth, predictions, strict=True)
    ]

    def compute():
        metric = NME("keypoint_distance")
        metric.dataset_meta = {"dataset_name": "300w"}
        for first in range(0, len(samples), BATCH):
            metric.process([], samples[first : first + BATCH])
        return metric.evaluate(len(samples))["NME"]

    return compute


def torchmetrics(truth, predictions):
    """NME as a torchmetrics class keeps it: batches of 64 tensors, two sums.

    Torchmetrics has none of its own.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchmetrics import Metric

    class Nme(Metric):
        def __init__(self):
            super().__init__()
            self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
            self.add_state("count", torch.zeros(()), dist_reduce_fx="sum")

        def update(self, predicted, wanted):
            scale = (wanted[:, 36] - wanted[:, 45]).norm(dim=1)
            self.total += ((predicted - wanted).norm(dim=2).mean(dim=1) / scale).sum()
            self.count += len(wanted)

        def compute(self):
            return self.total / self.count

    wanted, predicted = torch.from_numpy(truth), torch.from_numpy(predictions)

    def compute():
        metric = Nme()
        for first in range(0, len(wanted), BATCH):
            metric.update(predicted[first : first + BATCH], wanted[first : first + BATCH])
        return float(metric.compute())

    return compute


METRICS = {
    "ours": ours,
    "MMPose metric class": mmpose,
    "torchmetrics class": torchmetrics,
    "HRNet-style loop": hrnet_style,
}
NEEDS = {
    "MMPose metric class": ("mmpose", "mmengine", "mmcv"),
    "torchmetrics class": ("torchmetrics",),
}


@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize("name", METRICS)
def test_nme(name, faces, measure):
    for package in NEEDS.get(name, ()):
        if importlib.util.find_spec(package) is None:
            pytest.skip(
                f"{package} is not installed here; docs/performance.md says how to get the peers"
            )
    compute = METRICS[name](*faces)
    group = f"mean NME of {FACES:,} faces x 68 points, one core"
    found = measure(compute, group, name, FACES, "faces/s", ours=name == "ours", rounds=5)
    # the mean of a Rayleigh variable over the eye distance
    expected = 2 * np.sqrt(np.pi / 2) / np.sqrt(2 * 100**2)
    assert found == pytest.approx(expected, rel=0.01)


# --- AUC and FR -----------------------------------------------------------------------------------


def exact(errors):
    return curves.auc(errors, 0.08), curves.failure_rate(errors, 0.08)


def sampled(errors):
    """Count the errors below each of 801 thresholds and integrate, as most repositories do."""
    grid = np.arange(0, 0.08 + 1e-4, 1e-4)
    curve = [np.count_nonzero(errors <= x) / len(errors) for x in grid]
    return np.trapezoid(curve, grid) / 0.08, 1 - curve[-1]


@pytest.mark.parametrize(
    ("name", "rule"), [("ours, exact", exact), ("801 thresholds, one by one", sampled)]
)
def test_auc_and_fr(name, rule, measure):
    errors = np.random.default_rng(1).gamma(4, 0.01, FACES)
    group = f"AUC and FR at 0.08 of {FACES:,} errors"
    auc, rate = measure(lambda: rule(errors), group, name, ours=rule is exact)
    assert auc == pytest.approx(curves.auc(errors, 0.08), abs=2e-3)
    assert rate == pytest.approx(curves.failure_rate(errors, 0.08), abs=2e-3)


# --- a whole score --------------------------------------------------------------------------------


@pytest.mark.parametrize("resamples", [0, RESAMPLES], ids=["values", "intervals"])
def test_score_of_many_faces_with_all_groups(resamples, measure):
    """Everything that 300w-full reports: two normalisers, three point sets, three groups, AUC,
    FR, a row per face."""
    card = dataclasses.replace(protocol_card.load_protocol("300w-full"), resamples=resamples)
    truth, values = drawn(MANY)
    ids = np.char.add("face/", np.arange(MANY).astype(str))
    common = np.arange(MANY) % 5 != 0
    groups = {"common": common, "challenging": ~common, "full": np.ones(MANY, bool)}
    given = Predictions(ids, values, np.zeros(MANY, bool))
    wanted = Truth(ids, truth, groups, clusters=ids)
    name = f"with {resamples:,} resamples" if resamples else "values alone"
    found = measure(
        lambda: score_predictions(card, wanted, given),
        f"score of {MANY:,} faces, 300w-full: all metrics and groups",
        name,
        MANY,
        "faces/s",
        ours=not resamples,
        rounds=pick(2, 3),
        warmup=pick(1, 0),
    )
    assert found.groups["full"]["nme_inter_ocular"].value == pytest.approx(1.77, rel=0.01)


@pytest.fixture(scope="module")
def face_shapes():
    """Truth and predictions (N, 68, 2) that are faces, of which no check has anything to say."""
    rng = np.random.default_rng(0)
    size, place = rng.uniform(0.6, 3, (FACES, 1, 1)), rng.uniform(350, 450, (FACES, 1, 2))
    truth = shape_fit.mean_face("ibug68")[:, :2] * size + place + rng.normal(0, 1, (FACES, 68, 2))
    return truth, truth + rng.normal(0, 1, truth.shape)


def with_checks(truth, predictions):
    """What `score` does for one number: labels and predictions are looked at, then the mean NME."""
    card = protocol_card.load_protocol("300w-full")
    ids = np.char.add("face/", np.arange(FACES).astype(str))
    parts = np.full(FACES, "test")
    said: list[str] = []

    def compute():
        index = Index("300w", ids, parts, truth, {}, ids, read=str)
        assert label_checks.find_faults(index, "ibug68") == []
        wanted = Truth(ids, truth, {"full": np.ones(FACES, bool)}, clusters=ids)
        answers = Predictions(ids, predictions, np.zeros(FACES, bool))
        kept = prediction_checks.drop_placeholders(wanted, answers, where="f", say=said.append)
        prediction_checks.note_repeated_rows(wanted, kept, where="f", say=said.append)
        assert (slips.find_slips(card, wanted, kept), said) == ((), [])
        return ours(truth, kept.values)()

    return compute


@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize("name", ["ours, labels and predictions checked", "MMPose metric class"])
def test_nme_with_all_checks(name, face_shapes, measure):
    """Placeholders, order, turn and repeats of labels; placeholders, frames, repeats, far faces."""
    for package in NEEDS.get(name, ()):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed here")
    is_ours = name.startswith("ours")
    compute = (with_checks if is_ours else mmpose)(*face_shapes)
    group = f"mean NME of {FACES:,} faces x 68 points with all checks, one core"
    found = measure(compute, group, name, FACES, "faces/s", ours=is_ours, rounds=5)
    assert found == pytest.approx(ours(*face_shapes)(), rel=1e-4)


# --- intervals ------------------------------------------------------------------------------------


def clustered(terms, clusters):
    return bootstrap.bootstrap_intervals(terms, np.ones_like(terms), clusters, resamples=RESAMPLES)[
        0
    ]


def face_by_face(terms, clusters):
    """Resample faces in a loop, blind to clusters."""
    rng = np.random.default_rng(0)
    scores = [terms[rng.integers(0, len(terms), len(terms))].mean(axis=0) for _ in range(RESAMPLES)]
    return np.quantile([s[0] for s in scores], [0.025, 0.975])


@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize(
    ("name", "rule"),
    [("ours, clusters", clustered), ("loop over resamples of faces", face_by_face)],
)
def test_bootstrap(name, rule, measure):
    rng = np.random.default_rng(2)
    terms, clusters = rng.random((RESAMPLED, 12)), rng.integers(0, int(0.9 * RESAMPLED), RESAMPLED)
    group = f"95 % intervals of 12 metrics, {RESAMPLED:,} faces, {RESAMPLES:,} resamples"
    low, high = measure(
        lambda: rule(terms, clusters), group, name, ours=rule is clustered, rounds=pick(2, 5)
    )
    assert low < terms[:, 0].mean() < high


# --- paired tests and ranks -----------------------------------------------------------------------


def flips(terms, clusters):
    return paired_tests.sign_flip_test(terms, clusters, flips=RESAMPLES)[0]


def flip_by_flip(terms, clusters):
    """Flip the signs of clusters in a loop."""
    rng = np.random.default_rng(0)
    codes = np.unique(clusters, return_inverse=True)[1]
    wanted = np.abs(terms.sum(axis=0))
    hits = np.zeros(terms.shape[1])
    for _ in range(RESAMPLES):
        hits += (
            np.abs((terms * rng.choice([-1, 1], codes.max() + 1)[codes, None]).sum(axis=0))
            >= wanted
        )
    return (1 + hits[0]) / (1 + RESAMPLES)


@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize(("name", "rule"), [("ours", flips), ("loop over flips", flip_by_flip)])
def test_sign_flips(name, rule, measure):
    rng = np.random.default_rng(3)
    terms, clusters = (
        rng.normal(0.02, 1, (RESAMPLED, 12)),
        rng.integers(0, int(0.9 * RESAMPLED), RESAMPLED),
    )
    group = f"paired p of 12 metrics, {RESAMPLED:,} faces, {RESAMPLES:,} sign flips by cluster"
    p = measure(lambda: rule(terms, clusters), group, name, ours=rule is flips, rounds=pick(2, 3))
    assert 0 < p <= 1


METHODS = pick(5, 60)


def test_ranks_of_a_board(measure):
    """All pairs of a board, tested and corrected together."""
    rng = np.random.default_rng(4)
    values = (
        rng.gamma(4, 1, (RESAMPLED, 1))
        + rng.normal(0, 0.3, (RESAMPLED, METHODS))
        + 0.1 * np.arange(METHODS)
    )
    group = f"ranks with ties of {METHODS} methods on {RESAMPLED:,} faces"
    found = measure(
        lambda: ranks.rank_methods(values, np.ones_like(values), np.arange(RESAMPLED)),
        group,
        "ours, all pairs",
        ours=True,
    )
    assert found.ranks[0] == 1
    assert found.ranks[-1] > 1


FRAMES = pick(5_000, 180_000)


def test_score_of_gaze_with_dots_people_and_stares(measure):
    """As many frames as GazeCapture tests on: per frame, dot, person and stare, by device, with
    intervals."""
    card = dataclasses.replace(
        protocol_card.load_protocol("gazecapture"),
        metrics=("error_cm", "error_cm_dot", "error_cm_person"),
    )
    card = dataclasses.replace(card, resamples=RESAMPLES)
    rng = np.random.default_rng(5)
    dots = np.arange(FRAMES) // 15
    truth, ids = rng.uniform(-8, 8, (FRAMES // 15 + 1, 2))[dots], np.arange(FRAMES).astype(str)
    people = np.char.add("p", (dots // 80).astype(str))
    phone = dots % 7 > 1
    groups = {"total": np.ones(FRAMES, bool), "phone": phone, "tablet": ~phone}
    wanted = Truth(ids, truth, groups, people, sequences=np.char.add("d", dots.astype(str)))
    given = Predictions(ids, truth + rng.normal(0, 2, truth.shape), np.zeros(FRAMES, bool))
    group = f"score of {FRAMES:,} gaze frames, {RESAMPLES:,} resamples by person"
    found = measure(
        lambda: score_predictions(card, wanted, given),
        group,
        "ours",
        FRAMES,
        "frames/s",
        ours=True,
        rounds=pick(2, 3),
    )
    assert found.groups["total"]["error_cm"].value == pytest.approx(
        2 * np.sqrt(np.pi / 2), rel=0.05
    )
    assert found.groups["total"]["error_cm_dot"].value < 1
