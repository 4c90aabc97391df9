"""`new protocol --from` of gaze files: what is found, what is asked, and the right figures."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchbox.authoring.new_gaze_protocol import GazeWishes, recognise_gaze
from benchbox.authoring.new_protocol import Wishes, new_protocol
from benchbox.cli.main_group import main
from benchbox.datasets import open_protocol_dataset
from benchbox.errors import DataError

PACK = Path(__file__).parents[3] / "shared" / "formats" / "gaze"
ROWS = "a.png,ann,train,9.5,-3\nb.png,bob,test,1,-2\nc.png,cleo,test,-2,4\n"


@pytest.fixture
def tmp_path(tmp_path):
    """Lie deep: `new protocol` looks for pictures two folders up, where other tests have theirs."""
    deep = tmp_path / "one" / "two"
    deep.mkdir(parents=True)
    return deep


def table(folder, header, rows=ROWS, name="labels.csv"):
    path = folder / name
    path.write_text(f"{header}\n{rows}")
    return path


def make(folder, source, name="mine", **said):
    return new_protocol(name, Wishes(source=source, gaze=GazeWishes(**said)), folder)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_of_angles_becomes_a_card(tmp_path, separator):
    """The trap: order and unit stand in names, the side of a positive number nowhere."""
    text = ("\ufeffpicture,subject,set,yaw_deg,pitch_deg\n" + ROWS).replace(",", separator)
    source = tmp_path / "labels.csv"
    source.write_text(text)
    with pytest.raises(DataError, match=r"say --positive left\|right,up\|down$"):
        make(tmp_path, source)
    made = make(tmp_path, source, positive=("right", "up"))
    protocol = made.protocol
    assert (protocol.train_expected, protocol.test_expected) == (1, 2)
    assert protocol.source.gaze.columns == ("yaw=yaw_deg", "pitch=pitch_deg")
    assert (protocol.source.gaze.unit, protocol.source.gaze.image) == ("deg", "picture")
    index = open_protocol_dataset(protocol).index(made.root, pixels=False)
    # 9.5 degrees to the right of the picture and 3 down: x of the house points to the left
    assert index.values[0].round(4).tolist() == [-0.1648, -0.0523, 0.9849]
    assert index.clusters.tolist() == ["ann", "bob", "cleo"]


def test_everything_that_numbers_do_not_say_is_asked_in_one_line(tmp_path):
    rows = "a.png,9,-3\nb.png,1,-2\n"
    source = table(tmp_path, "image,x,y", rows)
    with pytest.raises(DataError) as caught:
        make(tmp_path, source)
    for option in ("--unit", "--origin camera", "--positive left|right,up|down", "--person COLUMN"):
        assert option in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "mine.toml").exists()
    with pytest.raises(DataError, match="the screen: say --screen WIDTH,HEIGHT"):
        make(tmp_path, source, positive=("right", "down"), unit="px", person="none")
    screen = "344,194,172,9,1024,768"
    made = make(
        tmp_path, source, positive=("right", "down"), unit="px", person="none", screen=screen
    )
    (known,) = [made.protocol.source.gaze.screen]
    assert (known.camera_x_mm, known.width_px) == (172, 1024)
    assert made.protocol.task == "gaze2d"


def test_two_kinds_of_gaze_in_a_table_are_asked_for(tmp_path):
    rows = "a.png,ann,0.1,0.2,0.3,0.4,0.5\n"
    source = table(tmp_path, "image,person,pitch,yaw,gaze_x,gaze_y,gaze_z", rows)
    with pytest.raises(DataError, match=r"which columns are gaze \(pitch, yaw, gaze_x"):
        make(tmp_path, source, positive=("up", "left"), unit="rad")
    made = make(tmp_path, source, columns=("pitch", "yaw"), positive=("up", "left"), unit="rad")
    assert made.protocol.source.gaze.columns == ("pitch", "yaw")


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("image,x0,y0,x1,y1", "a.png,1,2,3,4"),
        ("image,head_pitch,head_yaw", "a.png,1,2"),
        ("image,eye_x,eye_y", "a.png,1,2"),
        ("pitch,yaw", "1,2"),
    ],
)
def test_what_is_no_gaze_is_not_taken_for_it(tmp_path, header, row):
    assert recognise_gaze(table(tmp_path, header, f"{row}\n")) == ""


def test_a_wrong_side_is_refused_by_what_is_allowed(tmp_path):
    source = table(tmp_path, "image,person,split,yaw,pitch")
    with pytest.raises(DataError, match=r"--positive says; allowed: .*yaw"):
        make(tmp_path, source, positive=("up", "right"), unit="deg")


def test_the_command_writes_a_card_that_scores(tmp_path):
    table(tmp_path, "image,person,split,yaw,pitch")
    command = ["new", "protocol", "mine", "--from", str(tmp_path), "--to", str(tmp_path)]
    said = ["--positive", "right,up", "--unit", "deg", "--data", str(tmp_path)]
    result = CliRunner().invoke(main, [*command, *said])
    assert result.exit_code == 0, result.output
    (tmp_path / "p.csv").write_text("image,yaw,pitch\nc.png,-2,4\nb.png,1,-2\n")
    score = ["score", str(tmp_path / "p.csv"), "--protocol", str(tmp_path / "mine.toml")]
    result = CliRunner().invoke(main, [*score, "--method", "m", "--json", "--data", str(tmp_path)])
    assert result.exit_code == 0, result.output
    scores = json.loads(result.stdout)["scores"]["all"]
    assert scores["error_deg"]["value"] == pytest.approx(0, abs=1e-9)


@pytest.mark.skipif(not PACK.is_dir(), reason="the shared samples are not here")
@pytest.mark.parametrize(
    ("folder", "file", "options", "predictions"),
    [
        ("p01_yaw_pitch_deg", "", "--positive right,up --unit deg", "predictions.csv"),
        ("p02_pitch_yaw_rad", "", "--positive up,left --unit rad --head up,left",
         "predictions.csv"),
        ("p04_screen_mm", "", "--positive right,down --origin screen", "predictions.csv"),
        ("p05_screen_px_and_normalised", "labels_px.csv", "--positive right,down --unit px",
         "predictions_px.csv"),
        ("p06_camera_cm", "labels_ydown.csv", "--positive right,down --origin camera",
         "predictions_ydown.csv"),
        ("p08_mpiifacegaze_txt", "", "", "predictions.csv"),
        ("p09_gaze360", "", "", "predictions.csv"),
    ],
)  # fmt: skip
def test_shared_samples_score_right_through_a_card_that_was_written(
    tmp_path, folder, file, options, predictions
):
    source = PACK / folder / file
    command = ["new", "protocol", "mine", "--from", str(source), "--to", str(tmp_path)]
    root = ["--data", str(PACK / folder)]
    result = CliRunner().invoke(main, [*command, *options.split(), *root])
    assert result.exit_code == 0, result.output
    score = ["score", str(PACK / folder / predictions), "--protocol", str(tmp_path / "mine.toml")]
    result = CliRunner().invoke(main, [*score, "--method", "m", "--json", *root])
    assert result.exit_code == 0, result.output
    scores = json.loads(result.stdout)["scores"]["all"]
    right = json.loads((PACK / folder / "right.json").read_text())["right"]
    unit = "deg" if "error_deg" in scores else "cm"
    right = right.get(unit, right) if isinstance(right.get(unit, right), dict) else right
    assert scores[f"error_{unit}"]["value"] == pytest.approx(right["mean_frame"], abs=1e-5)
    assert scores[f"error_{unit}_person"]["value"] == pytest.approx(right["mean_person"], abs=1e-5)
