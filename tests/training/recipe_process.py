"""One of several processes that train toy jobs of recipes together: `recipe_process.py OUT`.

Environment as `torchrun` sets it. The first process writes weights to OUT, the others elsewhere.
"""

import sys
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

import importlib  # noqa: E402

from benchbox.layouts import LAYOUTS  # noqa: E402
from benchbox.plugins import method_card  # noqa: E402
from benchbox.process_rank import process_number  # noqa: E402
from benchbox.training import process_group, process_setup  # noqa: E402
from benchbox.training.split_calls import split_calls  # noqa: E402
from benchbox.types import Job  # noqa: E402
from tests.methods import gaze_job, landmark_job  # noqa: E402

METHODS = HERE.parents[1] / "methods"
SMOOTH = {"optimiser": "sgd", "lr": 1e-4, "lr_joint": 1e-4, "gamma": 0.0}
RECIPES = (
    ("heatmap", ""),
    ("glsr", ""),
    ("sir", ""),
    ("ts3", ""),
    ("sscr", ""),
    ("tat", ""),
    ("dwo", ""),
)


def toy_job(name: str, variant: str, out: Path) -> Job:
    card = method_card.read_card(METHODS / name)
    params = dict(method_card.merge_params(card, variant or card.default, "smoke"))
    # Adam's first steps have the length of the rate whatever the gradient: noise of rounding in
    # gradients that are 0 becomes as large as anything else. Descent keeps it small.
    params |= {key: "float32" for key in ("precision", "precision_hg") if key in params}
    smooth = {key: value for key, value in SMOOTH.items() if key in params}
    if name == "ts3":  # offers no plain descent
        del smooth["optimiser"]
    params |= smooth
    if "landmarks" in card.task:
        rest = landmark_job.examples(4, 50).samples if name == "ts3" else []
        labelled, layout = landmark_job.examples(7), LAYOUTS["ibug68"]
        return Job("landmarks", layout, labelled, rest, None, out, 0, "cpu", "smoke", params)
    job = gaze_job.job(card, out, card.task[0])
    return replace(job, params=params)


def main(out: Path, *names: str) -> None:
    with process_group.join_processes("cpu"):
        for name, variant in RECIPES:
            if names and name not in names:
                continue
            place = out / str(process_number()) / name
            place.mkdir(parents=True)
            job = toy_job(name, variant, place)
            process_setup.prepare_process("cpu", 0)
            module = importlib.import_module(f"methods.{name}")
            with split_calls():
                module.train(job)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
