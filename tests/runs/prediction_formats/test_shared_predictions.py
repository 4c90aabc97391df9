"""Every prediction sample of the shared pack, through `score`: the error of each face.

The pack is no part of the tree; the same kinds with samples of our own are in
`test_prediction_writers.py`.
"""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from benchbox.authoring.new_protocol import Wishes, new_protocol
from benchbox.errors import ResultError
from benchbox.runs.prediction_formats.found_face import NO_HINTS, Hints
from benchbox.runs.score_file import score_predictions_file

PACK = Path(__file__).resolve().parents[4] / "shared" / "formats" / "landmarks"
OUT = PACK / "predictions"
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not PACK.is_dir(), reason="needs ../shared/formats"),
]
COCO = PACK / "annotations" / "coco-keypoints" / "faces68.json"
ONE = Hints(origin=1.0)
FRAMES = Hints(frames=OUT / "openface" / "FeatureExtraction" / "frames.csv")
# the truth has two faces, p5 and p6, that no sample answers
NOT_ANSWERED = 2
# sample → what a person says of it, expected errors, faces without an answer
SAMPLES = {
    "benchbox-csv/predictions.csv": (NO_HINTS, "expected_nme", 0),
    "pts-folder": (NO_HINTS, "expected_nme", 0),
    "coco-results/keypoints_results.json": (Hints(names=COCO), "expected_nme", 0),
    "openface/FeatureExtraction/sequence.csv": (FRAMES, "../expected_nme_sequence", 3),
    "openface/FaceLandmarkImg": (NO_HINTS, "", 2),
    "dlib-xml/predictions.xml": (NO_HINTS, "expected_nme", 0),
    "mat/predictions.mat": (ONE, "expected_nme", 0),
    "mat/predictions_rows.mat": (ONE, "expected_nme", 0),
    "mat/predictions_v73.mat": (ONE, "expected_nme", 0),
    "parquet/wide.parquet": (NO_HINTS, "expected_nme", 0),
    "parquet/long.parquet": (NO_HINTS, "expected_nme", 0),
    "parquet/nested.parquet": (NO_HINTS, "expected_nme", 0),
    "numpy/face_alignment_stack.npy": (NO_HINTS, "expected_nme", 0),
}


@pytest.fixture
def truth_card(tmp_path, monkeypatch):
    monkeypatch.delenv("BENCHBOX_DATA", raising=False)

    def make(name="ibug68", **said):
        source = PACK / "truth" / f"{name}.csv"
        made = new_protocol("own", Wishes(source=source, origin=0.0, **said), tmp_path)
        return str(made.card), made.root

    return make


def read_expected(path):
    with path.open(newline="") as stream:
        return {row["id"]: float(row["nme_inter_ocular_percent"]) for row in csv.DictReader(stream)}


def expected_of(folder):
    beside = folder / "expected_nme.csv"
    return beside if beside.is_file() else folder.parent / "expected_nme_images.csv"


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_scores_as_it_is_expected(sample, truth_card):
    if sample.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    hints, expected, failed = SAMPLES[sample]
    card, root = truth_card()
    file = OUT / sample
    hints = replace(hints, missing_failed=True)
    scored = score_predictions_file(file, card, "x", root, hints=hints)
    right = read_expected(file.parent / f"{expected}.csv" if file.suffix else expected_of(file))
    mean = right.pop("mean")
    errors = scored.scores.errors
    found = sorted(100 * errors["nme_inter_ocular"][~errors["failed"]])
    assert found == pytest.approx(sorted(right.values()), abs=0.01)
    assert scored.scores.groups["all"]["nme_inter_ocular"].value == pytest.approx(mean, abs=0.01)
    assert scored.scores.failed == failed + NOT_ANSWERED


def test_five_points_of_insightface_are_scored_in_their_own_layout(truth_card):
    card, root = truth_card("kp5")
    said = []
    file = OUT / "numpy" / "insightface.npz"
    scored = score_predictions_file(file, card, "x", root, say=said.append)
    assert scored.scores.failed == 1 + NOT_ANSWERED  # p3
    assert scored.scores.groups["all"]["nme_inter_pupil"].value < 10
    assert any("p3" in line for line in said)


def test_mediapipe_needs_a_map_and_sizes_and_says_which(truth_card):
    """Trap: one size for all pictures, or a map that takes the jaw the wrong way round."""
    card, root = truth_card()
    file = OUT / "mediapipe" / "face_mesh.json"
    with pytest.raises(ResultError, match="--layout 478to68-peizhiyan"):
        score_predictions_file(file, card, "x", root)
    for sizes in (None, OUT / "mediapipe" / "sizes.csv"):
        hints = Hints(layout="478-to-68-peizhiyan", sizes=sizes)
        scored = score_predictions_file(file, card, "x", root, hints=hints)
        value = scored.scores.groups["all"]["nme_inter_ocular"].value
        assert value == pytest.approx(5.534, abs=0.01)
    tasks = file.with_name("face_landmarker_tasks.json")  # p1 and p2 only
    newer = score_predictions_file(tasks, card, "x", root, hints=hints)
    first = [result.scores.errors["nme_inter_ocular"][:2] for result in (scored, newer)]
    assert first[0] == pytest.approx(first[1])
    assert "478to68-peizhiyan" in str(scored.document["read_as"])


def test_sixty_six_points_of_openseeface_are_not_those_of_300vw(truth_card):
    """Trap: 1.5 % becomes 5.0 % when the 66 are taken for 300-VW's."""
    card, root = truth_card()
    file = OUT / "openseeface" / "tracking.csv"
    frames = OUT / "openseeface" / "frames.csv"
    with pytest.raises(ResultError, match="--layout 68to66-openseeface"):
        score_predictions_file(file, card, "x", root, hints=Hints(frames=frames))
    hints = Hints(frames=frames, layout="68to66-openseeface")
    right = score_predictions_file(file, card, "x", root, hints=hints)
    assert right.scores.groups["all"]["nme_inter_ocular"].value == pytest.approx(4.2, abs=0.4)
    assert right.scores.failed == 3 + NOT_ANSWERED


@pytest.mark.parametrize(
    ("sample", "asked"),
    [
        ("mat/predictions.mat", "--origin 0"),
        ("openface/FeatureExtraction/sequence.csv", "--frames FILE"),
        ("coco-results/keypoints_results.json", "--names FILE"),
        ("numpy/face_alignment_list.npy", "pickled objects, which are refused"),
    ],
)
def test_what_a_file_cannot_say_is_asked_for(sample, asked, truth_card):
    card, root = truth_card()
    with pytest.raises(ResultError, match=asked):
        score_predictions_file(OUT / sample, card, "x", root)
