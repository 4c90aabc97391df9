"""Algorithm 1: students learn from the labelled faces.

Then in turn from what the teacher lets through.

Each training is a stage that a killed run finds done: `round2.hg.safetensors` is the hourglass
after round 2, `pseudo_labels/round2.hg.npz` what it was trained on. The weights of a student
replace those of the round before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchbox import geometry
from benchbox.errors import PluginError, ResultError
from benchbox.file_readers.numpy_files import read_npz
from benchbox.training.checkpoint import load_into, load_weights, make_once, save_weights
from benchbox.training.holdout import choose_holdout
from benchbox.training.pretrained import read_pretrained
from benchbox.types import Job

from . import students, teacher
from .model import Cpm, Teacher
from .random_views import FaceViews, LabelledViews

WEIGHTS = "ts3.safetensors"
SCRATCH = "scratch"  # as `weights`: nothing to begin from
SAVED_PARAMS = (
    "students",
    "background",
    "width",
    "stacks",
    "side",
    "crop_side",
    "expansion",
    "radius",
)
HOLDOUT_SEED = 3  # of the seeds: which labelled faces are held out
SELECTIONS = ("teacher", "own", "other")


def train(job: Job) -> None:
    """Train the students; leave their weights under the job's folder.

    With nothing unlabelled, or no rounds, this is the supervised training of both: a round would
    repeat it.
    """
    assert job.layout is not None
    if job.params["selection"] not in SELECTIONS:
        raise PluginError(
            f"selection = {job.params['selection']!r}: must be {', '.join(SELECTIONS)}"
        )
    if (job.out / WEIGHTS).exists():
        return
    loop = TrainingRounds(job)
    for name in loop.names:
        loop.retrain(0, name, {})
    for number in range(1, loop.rounds + 1):
        for name in loop.names:
            loop.update(number, name)
    facts = {key: str(job.params[key]) for key in SAVED_PARAMS}
    save_weights(job.out / WEIGHTS, loop.students, facts | {"layout": job.layout.name})
    for name in loop.names:
        loop.weights(loop.latest(name), name).unlink()


@dataclass(frozen=True, eq=False)
class PseudoLabels:
    """The faces of one retraining: rows among all faces and their pseudo-maps."""

    rows: np.ndarray
    maps: Mapping[int, Tensor]


class TrainingRounds:
    """What the rounds share: faces (the labelled ones first).

    Labels and the students as they are now.
    """

    def __init__(self, job: Job) -> None:
        assert job.layout is not None
        self.job, self.params, self.layout = job, job.params, job.layout
        self.names = students.student_names(job.params)
        self.known = np.arange(len(job.labelled))
        self.unlabelled = len(job.labelled) + np.arange(len(job.unlabelled))
        self.rounds: int = 0
        if len(job.unlabelled):
            self.rounds = job.params["rounds"]
        # without rounds, no teacher
        held_out = np.zeros(len(job.labelled), bool)
        if self.rounds:
            held_out = _choose_holdout(job)
        self.learned = np.flatnonzero(~held_out)  # by the students
        self.judged = self.learned  # what the teacher learns on
        if held_out.any():
            self.judged = np.flatnonzero(held_out)
        samples = list(job.labelled.samples)
        if self.rounds:
            samples += job.unlabelled
        self.faces = FaceViews(samples, job.layout, job.params, job.device)
        self.points = np.full((len(samples), job.layout.count, 2), np.nan)
        self.points[self.known] = geometry.transform_points(
            self.faces.to_crop[self.known], job.labelled.values
        )
        self.public = _public_weights(job)
        self.students = {
            name: students.make_student(name, job.layout.count, job.params) for name in self.names
        }

    # --- one student ------------------------------------------------------------------------------

    def weights(self, number: int, name: str) -> Path:
        """Return where a student's weights lie after a round."""
        return self.job.out / f"round{number}.{name}.safetensors"

    def latest(self, name: str) -> int:
        """Return the last round whose weights of a student are there.

        -1 before the first training.
        """
        return max(
            (k for k in range(self.rounds + 1) if self.weights(k, name).exists()), default=-1
        )

    def retrain(self, number: int, name: str, maps: Mapping[int, Tensor]) -> None:
        """Train a student on its labelled faces and those with maps, unless that was done before.

        From scratch, as the paper says, or from where the round before left it.
        """
        job, path = self.job, self.weights(number, name)
        if self.latest(name) < number:
            self._seed(number, name)
            if number == 0 or self.params["start"] == "scratch":
                self.students[name] = self._untrained(name)
            rows = np.concatenate([self.learned, np.array(sorted(maps), np.int64)])
            seed = self._stage(number, name)
            draws = LabelledViews(
                self.faces,
                self.points,
                rows,
                maps,
                seed,
                self.params["flip"],
                self.params["batch"],
                labelled_share=self.params["labelled_share"],
            )
            make_once(
                path,
                students.fit_student,
                job,
                f"round{number}.{name}",
                name,
                self.students[name],
                draws,
            )
        if self.latest(name) == number:
            load_into(self.students[name], name, load_weights(path))
            self.students[name].to(job.device).eval()
        if number and path.exists():
            self.weights(number - 1, name).unlink(missing_ok=True)

    def _untrained(self, name: str) -> students.Student:
        """Make a student as each training starts it.

        CPM's trunk from public VGG-16 weights where a file is named.
        """
        made = students.make_student(name, self.layout.count, self.params)
        if self.public and isinstance(made, Cpm):
            made.load_trunk(self.public, str(self.params["weights"]))
        return made

    # --- one step of a round ----------------------------------------------------------------------

    def update(self, number: int, name: str) -> None:
        """Label, judge, pick and retrain one student; the other one stays as it is."""
        maps: Mapping[int, Tensor] = {}
        if self.latest(name) < number:
            maps = self._pseudo(number, name)
        self.retrain(number, name, maps)

    def _pseudo(self, number: int, name: str) -> Mapping[int, Tensor]:
        """Return the pseudo-maps of the faces that are let through, by row.

        Their file tells all scores.
        """
        found = self._maps(name, self.unlabelled)
        path = self.job.out / "pseudo_labels" / f"round{number}.{name}.npz"
        make_once(path, self._pick, number, name, found)
        self._teacher(number, name).unlink(missing_ok=True)
        picked = np.flatnonzero(read_npz(path, fault=ResultError)["accepted"])
        if self.params["pseudo"] == "points":
            known = students.decode_points(found[picked], self.layout.count, self.params["radius"])
            found = teacher.ideal_maps(known, students.MAP_STRIDE, self.params).half()
            return {int(self.unlabelled[k]): found[place] for place, k in enumerate(picked)}
        return {int(self.unlabelled[k]): found[k] for k in picked}

    def _pick(self, path: Path, number: int, name: str, maps: Tensor) -> None:
        """Score every pseudo-label and write what `benchbox run` keeps of it.

        Scores, who is accepted, the points.
        """
        scores = self._scores(number, name, maps)
        count = teacher.count_accepted(self.params["ratio"], number, len(maps))
        accepted = np.zeros(len(maps), bool)
        accepted[teacher.best_rows(scores, count)] = True
        points = np.full((len(self.points), self.layout.count, 2), np.nan)
        decoded = students.decode_points(maps, self.layout.count, self.params["radius"])
        points[self.unlabelled] = decoded.double().numpy()
        inside = self.faces.to_pictures(points)[self.unlabelled]
        ids = np.array([one.id for one in self.job.unlabelled], dtype=np.str_)
        with path.open("wb") as file:
            about = {"ids": ids, "round": np.array(number), "student": np.array(name)}
            np.savez_compressed(file, **about, scores=scores, accepted=accepted, points=inside)

    def _maps(self, name: str, rows: np.ndarray) -> Tensor:
        """Label faces by the students that are asked."""
        networks = [self.students[student] for student in self._asked(name)]
        return students.predict_maps(networks, self.faces, rows, self._mirrored)

    def _scores(self, number: int, name: str, maps: Tensor) -> np.ndarray:
        """Return what faces are ranked by; the highest are the best."""
        if self.params["selection"] == "teacher":
            return self._taught(number, name, maps)
        judges = [other for other in self.names if other != name] or [name]
        if self.params["selection"] == "own":
            judges = [name]
        networks = [self.students[judge] for judge in judges]
        judging = students.predict_maps(networks, self.faces, self.unlabelled, self._mirrored)
        return teacher.pseudo_agreement(maps, judging, self.layout.count, self.faces)

    @property
    def _mirrored(self) -> bool:
        return bool(self.params["label_views"] == "mirrored")

    def _taught(self, number: int, name: str, maps: Tensor) -> np.ndarray:
        """Train a teacher from scratch on labelled faces, then let it judge."""
        path = self._teacher(number, name)
        self._seed(number, name, 1)
        made = Teacher(maps.shape[1], self.params["width"])
        size = min(self.params["batch_teacher"], len(self.judged))
        seed = [*self._stage(number, name), 1]
        reach = self.params["teacher_reach"]
        draws = LabelledViews(
            self.faces, self.points, self.judged, {}, seed, True, size, reach=reach
        )
        make_once(
            path,
            teacher.fit_teacher,
            self.job,
            path.stem,
            made,
            draws,
            self._answers(name),
        )
        load_into(made, "teacher", load_weights(path))
        return teacher.judge_quality(made.to(self.job.device), self.faces, self.unlabelled, maps)

    def _answers(self, name: str) -> teacher.StudentMaps:
        """Return how students answer the random views that the teacher learns on."""
        if self.params["teacher_asked"] == "upright":
            return teacher.upright_answers(self._maps(name, self.known), self.faces)
        return teacher.view_answers([self.students[student] for student in self._asked(name)])

    def _asked(self, name: str) -> Sequence[str]:
        """Return who labels for a student: all together; SPL's students for themselves."""
        if self.params["selection"] == "own":
            return [name]
        return self.names

    def _teacher(self, number: int, name: str) -> Path:
        return self.job.out / f"round{number}.{name}.teacher.safetensors"

    def _stage(self, number: int, name: str) -> list[int]:
        return [self.job.seed, number, students.STUDENT_NAMES["both"].index(name)]

    def _seed(self, number: int, name: str, part: int = 0) -> None:
        """Seed a training alike whether those before it were made now or read from disk."""
        _, _, place = self._stage(number, name)
        torch.manual_seed(((self.job.seed * 100 + number) * 2 + place) * 2 + part)


def _choose_holdout(job: Job) -> np.ndarray:
    """Choose the labelled faces (n,) that students do not learn from, none where the share is 0."""
    share, count = job.params["held_out"], len(job.labelled)
    if not 0 <= share < 1:
        raise PluginError(f"held_out = {share}: must be a share from 0 up to, not including, 1")
    if not share:
        return np.zeros(count, bool)
    found = choose_holdout(
        job.labelled.clusters, share, np.random.default_rng([job.seed, HOLDOUT_SEED])
    )
    if found.all():
        raise PluginError(
            f"held_out = {share}: leaves the students none of the {count} labelled faces"
        )
    return found


def _public_weights(job: Job) -> Mapping[str, Tensor]:
    """Read the public weights that `weights` names; none for "scratch"."""
    if job.params["weights"] == SCRATCH:
        return {}
    if job.weights is None:
        raise PluginError(f"weights = {job.params['weights']!r} but the job was given no such file")
    if "cpm" not in students.student_names(job.params):
        raise PluginError(
            f"weights = {job.params['weights']!r}: "
            "the hourglass has no public weights, only CPM's trunk"
        )
    return read_pretrained(job.weights)
