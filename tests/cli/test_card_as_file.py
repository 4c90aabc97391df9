"""A card given as a file goes on to work in everything that `run` names next."""

import json

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from benchbox.cli.main_group import main

CARD = """name = "mine"
title = "My faces"
dataset = "files"
layout = "five"
[source]
images = "faces"
parts = {train = "train.csv", test = "test.csv"}
[train]
parts = ["train"]
expected = 8
[test]
overall = "all"
expected = 6
[test.groups]
all = ["test"]
[box]
source = "ground_truth"
[score]
normalisers = ["inter_pupil"]
resamples = 100
"""
RUN = "mine/mean-shape/mean-shape/0"


def call(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "faces").mkdir()
    random = np.random.default_rng(3)
    lines = ["image," + ",".join(f"x{k},y{k}" for k in range(5))]
    for number in range(14):
        points = np.array([[30, 40], [66, 40], [48, 55], [35, 75], [61, 75]])
        points = points + random.normal(0, 3, (5, 2))
        picture = random.integers(0, 255, (96, 96, 3), np.uint8)
        cv2.imwrite(str(folder / "faces" / f"{number}.png"), picture)
        lines.append(f"{number}.png," + ",".join(f"{v:.2f}" for v in points.ravel()))
    (folder / "train.csv").write_text("\n".join(lines[:9]) + "\n")
    (folder / "test.csv").write_text("\n".join([lines[0], *lines[9:]]) + "\n")
    (folder / "mine.toml").write_text(CARD)
    other = CARD.replace('"mine"', '"other"').replace('"test.csv"', '"few.csv"')
    (folder / "other.toml").write_text(other.replace("expected = 6", "expected = 4"))
    (folder / "few.csv").write_text("\n".join([lines[0], *lines[11:]]) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done = call("run", "--method", "mean-shape", "--protocol", "mine.toml", "--data", ".")
        assert done.exit_code == 0, done.output
        yield folder


FURTHER = [
    ("list results --protocol mine.toml", "mine: % NME inter-pupil on all"),
    ("list results --protocol mine", "mean-shape/mean-shape"),
    ("show protocol mine.toml", "mine: My faces"),
    ("data manifest --protocol mine.toml --split test --data .", "test/"),
    ("data verify mine.toml --data .", "test: 6 faces"),
    (f"results rescore {RUN} --data .", RUN),
    (f"results predictions {RUN} --out p.csv", "p.csv: 6 rows"),
    (f"results export {RUN} --format eval-results --dataset-id me/faces", 'task_id: "mine"'),
    (f"results export {RUN} --format every-eval-ever --organization me", '"mine'),
    ("score p.csv --protocol mine.toml --data . --method theirs --results results", "inter_pupil"),
    (f"compare {RUN} mine/theirs/submitted", "nme_inter_pupil"),
    (
        "submit p.csv --protocol mine.toml --data . --method sent --trained-on mine --seen-test no",
        "submissions/mine/sent",
    ),
    (
        f"run --method mean-shape --weights-of {RUN} --protocol other.toml --data .",
        "results/other/mean-shape/mean-shape+weights_of=mine/0",
    ),
    (
        "sweep --methods mean-shape --protocols mine.toml --test-on other.toml --data . --dry-run",
        "mine.toml",
    ),
    ("check --write-baseline b.json", "b.json"),
    ("report --out site", "open site"),
]


@pytest.mark.parametrize(("line", "said"), FURTHER)
def test_the_next_command_takes_the_file_or_what_it_left(folder, line, said):
    """In the order of the list: what one leaves the next one reads."""
    done = call(*line.split())
    assert done.exit_code == 0, done.output
    assert said in done.output.replace(str(folder), "")


def test_score_says_where_the_row_is_kept_and_what_shows_it(folder):
    """Trap: --results wrote somewhere and said nothing; `run` names the place."""
    assert call(*f"results predictions {RUN} --out kept.csv".split()).exit_code == 0
    line = ["score", "kept.csv", "--protocol", "mine.toml", "--data", ".", "--method", "kept"]
    alone = call(*line)
    assert "run: " not in alone.stdout
    done = call(*line, "--results", "results", "--seen-test", "no")
    assert done.exit_code == 0, done.output
    score, run, following = done.stdout.splitlines()[-3:]
    assert score.startswith("score: ")
    assert "% NME inter-pupil on all" in score
    assert run == "run:  results/mine/kept/submitted/0"
    assert following == "next: benchbox report"
    other = call(*line, "--results", "others", "--seen-test", "no")
    assert other.stdout.splitlines()[-1] == "next: benchbox report --results others"
    document = json.loads(call(*line, "--results", "results", "--seen-test", "no", "--json").stdout)
    assert document["run"] == "results/mine/kept/submitted/0"


SEEDLESS = "mine/mean-shape/mean-shape"


@pytest.mark.parametrize(
    "line",
    [
        "results rescore PLACE --data .",
        "results predictions PLACE --out q.csv",
        "results export PLACE --format eval-results --dataset-id me/faces",
    ],
)
@pytest.mark.parametrize(
    ("place", "said"),
    [
        (SEEDLESS, f"is no single run, it holds the seeds 0; name one: {RUN}"),
        (f"results/{SEEDLESS}", f"is no single run, it holds the seeds 0; name one: results/{RUN}"),
        ("mine/mean-shape", f"is no single run, it holds the variants mean-shape; name one: {RUN}"),
        (
            "mine/mean-shop/mean-shape/0",
            "no finished run here or below results; `benchbox list results` names them: "
            "PROTOCOL/METHOD/VARIANT/SEED",
        ),
    ],
)
def test_a_run_without_its_seed_is_told_the_seeds_that_are_there(folder, line, place, said):
    """Trap: "run.json: cannot be read: there is no such file"; `compare` takes such a place."""
    done = call(*line.replace("PLACE", place).split())
    assert done.exit_code == 2
    assert done.stderr == f"error: {place}: {said}\n"


def test_one_file_to_train_and_to_test_on_is_refused(folder):
    """Trap: ids begin with the part, so no id is in both; the score would be of faces seen."""
    seen = CARD.replace('"mine"', '"seen"').replace('train = "train.csv"', 'train = "test.csv"')
    (folder / "seen.toml").write_text(seen.replace("expected = 8", "expected = 6"))
    done = call("run", "--method", "mean-shape", "--protocol", "seen.toml", "--data", ".")
    assert done.exit_code == 2
    assert "are one face with the same points" in done.output
