"""The values that flow through benchbox; nouns only, no behaviour beyond what keeps a value whole.

Two coordinate frames exist and never mix:

* the **dataset's own frame**: what its annotation files say (iBUG `.pts`: the first pixel's centre
  is (1, 1)). `Index`, `Truth` and `Predictions` live here, so a stored prediction compares with the
  official files as it is;
* the **pixel frame**: the first pixel's centre is (0, 0), as arrays are indexed. `Sample`,
  `Examples` and everything that a method sees or returns live here.

`Index.origin` is the difference; `datasets.split` and `pipeline` are the only places that add or
subtract it. Boxes are corners `x0 y0 x1 y1`, width `x1 - x0`. Importing this module loads neither
NumPy nor torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from typing import Protocol as Interface

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from benchbox.datasets.gaze.conventions import GazeRows
    from benchbox.runs.run_record import RunRecord

    Floats = npt.NDArray[np.float64]
    Bools = npt.NDArray[np.bool_]
    Rows = npt.NDArray[np.intp]  # places in an array
    Bytes = npt.NDArray[np.uint8]
    Strings = npt.NDArray[np.str_]

Task = Literal["landmarks", "gaze2d", "gaze3d"]
RunKind = Literal["paper", "weights", "trained", "submitted"]


# --- what a dataset is ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Layout:
    """A landmark scheme: what each point index means."""

    name: str
    count: int
    flip: tuple[int, ...]  # flip[k] is the point that k becomes in a mirrored picture
    # outer corners, image-left first: the inter-ocular distance; None where none are marked
    eye_corners: tuple[int, int] | None
    inner_eye_corners: tuple[int, int] | None  # the other two, image-left first
    # points whose means are the eye centres: the inter-pupil distance
    eyes: tuple[tuple[int, ...], tuple[int, ...]]
    # contour, brows, eyes, nose, mouth …: per-part errors, local stages
    parts: Mapping[str, tuple[int, ...]]
    subsets: Mapping[int, tuple[int, ...]]  # 51, 49, 66 …: indices into this layout
    names: tuple[str, ...] = ()  # of the points, where the layout gives them names


@dataclass(frozen=True)
class Access:
    """How a person gets a dataset and what they may do with it."""

    title: str
    folder: str  # under the data root; "" for data that benchbox makes itself
    where: str  # where it is asked for or downloaded
    terms: str  # licence in one line
    citation: str
    layout: str  # the expected files, a few lines


@dataclass(frozen=True, eq=False)
class Index:
    """A dataset as columns, one row per face, made without touching a pixel."""

    dataset: str
    ids: Strings  # (N,) unique
    parts: Strings  # (N,) "helen/trainset", "common" …: what cards build splits and groups from
    values: Floats  # (N, K, 2) px | (N, 2) cm | (N, 3), in the dataset's own frame
    # box source → (N, 4) in the dataset's own frame; NaN where there is none
    boxes: Mapping[str, Floats]
    clusters: Strings  # (N,) photo, person or video: what is resampled together
    read: Callable[[int], Bytes]  # row → RGB (H, W, 3) uint8, decoded when called
    origin: float = 0.0  # coordinate of the first pixel's centre in the dataset's own frame
    visible: Bools | None = None  # (N, K)
    # (N, K) points that are not marked; their values are NaN. None: every point is
    absent: Bools | None = None
    # further groups that the annotations carry
    attributes: Mapping[str, Bools] = field(default_factory=dict)
    # (N,) video, dot or stare, "" in none; its rows stand in the order of time
    sequences: Strings | None = None
    # (N, …) what a running system knows: orientation …
    meta: Mapping[str, np.ndarray] = field(default_factory=dict)
    # (N, 4) the dataset's own face boxes, for the face-size normaliser
    scale_boxes: Floats | None = None
    notes: tuple[str, ...] = ()  # what is partial or unusual in this copy, in words
    faults: tuple[str, ...] = ()  # what the reader finds wrong with the labels, in words
    variant: str = "complete"  # named variant of the data, e.g. "train 2,012 of 3,148"
    # row → what changes when its picture's file does (`images.file_cache_key`)
    cache_key: Callable[[int], str] | None = None
    # row → the file, and the line in it, that its label stands in: what messages name
    label_place: Callable[[int], str] | None = None
    # (N,) names of the pictures' files, by which predictions per picture find their faces
    images: Strings | None = None
    # own gaze files: how predictions of these rows may be written
    gaze: GazeRows | None = None


@dataclass(frozen=True)
class Finding:
    """One line of a dataset's examination."""

    # a note is worth knowing and no fault
    level: Literal["ok", "note", "partial", "missing", "wrong"]
    what: str  # "helen/trainset: 870 of 2,000 faces"


class Dataset(Interface):
    """What a module in `benchbox.datasets` offers."""

    ACCESS: Access

    def index(self, root: Path, *, pixels: bool = True) -> Index:
        """Read the annotations under a data root.

        `pixels=False` asks for no image to be present.
        """

    def verify(self, root: Path) -> list[Finding]:
        """Say what is complete, partial, missing or wrong."""


# --- what a protocol fixes ------------------------------------------------------------------------


@dataclass(frozen=True)
class GazeConvention:
    """How a file writes gaze: which columns, their unit, where their positive numbers point.

    What the words mean: `datasets.gaze.notation`.
    """

    columns: tuple[str, ...]  # "yaw", or "yaw=horizontal": what a column is, its name
    positive: tuple[str, ...]  # per column, where somebody looks whose number is above 0
    unit: str = ""  # rad, deg | cm, mm, m, px, share | "" for vectors
    origin: str = ""  # of points: "camera", or "screen": its upper left corner
    frame: str = "camera"  # of directions: "camera", "normalised"


@dataclass(frozen=True)
class GazeScreen:
    """A screen and where the camera is: camera plane = screen plane, no tilt."""

    width_mm: float
    height_mm: float
    camera_x_mm: float  # from the left edge to the right, as the viewer sees it
    camera_above_mm: float  # above the upper edge
    width_px: float = 0.0
    height_px: float = 0.0


@dataclass(frozen=True)
class PositionColumns:
    """Columns of a head's direction (two angles) or of an eye's position (three lengths)."""

    columns: tuple[str, ...]
    positive: tuple[str, ...]
    unit: str


@dataclass(frozen=True)
class GazeFiles:
    """How a card's own gaze files are read, see `datasets.custom_gaze`."""

    files: str = "table"  # or the name of an official tree of files
    columns: tuple[str, ...] = ()  # this and the next three: as `GazeConvention`
    positive: tuple[str, ...] = ()
    unit: str = ""
    origin: str = ""
    image: str = "image"  # column of the picture's name
    # columns that name a person together; None: the column `person` or `cluster`
    person: tuple[str, ...] | None = None
    sequence: str = "sequence"  # column of the dot, stare or video
    split: str = ""  # column whose cells name the part
    people: str = ""  # json file: part → people
    screen: GazeScreen | None = None  # the one screen
    # several, by the name that the column `screen` holds
    screens: Mapping[str, GazeScreen] = field(default_factory=dict)
    screens_file: str = ""  # CSV of them
    eye: PositionColumns | None = None  # position of the eyes in the camera's frame
    head: PositionColumns | None = None  # direction of the head
    also: tuple[str, ...] = ("device", "orientation")  # columns that methods are given
    expect: tuple[str, ...] = ()  # what holds in this set, for `data verify`

    @property
    def convention(self) -> GazeConvention:
        """Return how the labels are written."""
        return GazeConvention(self.columns, self.positive, self.unit, self.origin)


@dataclass(frozen=True)
class CustomFiles:
    """A card's own files: what `dataset = "files"` reads.

    Paths lie below the data root and decide no number.
    """

    images: str  # folder of the pictures
    parts: Mapping[str, str]  # part → CSV or json
    origin: float = 0.0  # coordinate of the first pixel's centre in those files
    # "coco": the third number of a keypoint is 2 visible, 1 hidden
    visible: Literal["", "coco"] = ""
    # who wrote the files: a name of `datasets.formats.writers`; "": benchbox's own CSV or COCO json
    format: str = ""
    # whose left and right the names of points mean; "": they name none
    sides: Literal["", "picture", "person"] = ""
    # which of several things a file holds: a MATLAB variable, VIA's attribute, COCO's category
    field: str = ""
    # pictures with an EXIF turn: "stored", "upright", "": as their points fit
    orientation: Literal["", "stored", "upright"] = ""
    gaze: GazeFiles | None = None  # of gaze: how it is written


@dataclass(frozen=True)
class ExtraPictures:
    """Pictures of another dataset that a card may add to the training, without their labels."""

    dataset: str
    parts: tuple[str, ...]  # members, see `selection`
    box: str  # box source of that dataset
    expected: int  # items when complete


@dataclass(frozen=True)
class Protocol:
    """One evaluation protocol, read from its TOML card.

    `card` is the hash of everything that decides a number.
    """

    name: str
    title: str
    task: Task
    dataset: str
    layout: str  # key of layouts.LAYOUTS, or the card's own; "" for gaze
    version: int
    train_parts: tuple[str, ...]  # members, see `selection`
    train_expected: int  # items in the complete training set; 0: see train_clusters
    labelled: float  # share of the training set that keeps its labels
    validation: float  # share of the training clusters held out for validation
    groups: Mapping[str, tuple[str, ...]]  # group → members, see `selection`
    overall: str  # the group that ranks a leaderboard
    test_expected: int  # items; 0: see test_clusters
    box: str  # box source
    box_expansion: float  # side of the box that a method is given over the side of the source's box
    # what `name+key=value` may change, e.g. box → detector, ground_truth
    options: Mapping[str, tuple[str, ...]]
    normalisers: tuple[str, ...]
    auc: tuple[float, ...]
    fr: tuple[float, ...]
    points: tuple[int, ...]  # further point subsets scored beside the layout's own, e.g. (51,)
    # mean over points, then over items; a metric that averages otherwise says so in its name
    average: Literal["macro"]
    # a failed face: infinite error in FR, AUC and CED, left out of the mean
    failed: Literal["infinite"]
    cluster: str  # what `clusters` holds, in a word: photo, person
    interval: float  # 0.95
    resamples: int
    twin: str  # the synthetic protocol of the same shape, "" where there is none
    notes: tuple[str, ...]
    card: str  # "sha256:…"
    # further box sources that a method is given, e.g. ("left_eye", "right_eye")
    extra_boxes: tuple[str, ...] = ()
    # gaze: what is reported, the first ranks; landmarks report by normaliser
    metrics: tuple[str, ...] = ()
    masked: bool = False  # NME again over visible points only, as `nme_<normaliser>_visible`
    train_dataset: str = ""  # "": train on the dataset that is tested on
    source: CustomFiles | None = None  # the card's own files, for the dataset "files"
    extras: Mapping[str, ExtraPictures] = field(default_factory=dict)  # what +extra= may add
    extra: str = ""  # key of `extras`
    draw: int = 0  # which draw of the labelled share
    # test boxes extended by this ratio; this and the next three: `datasets.perturb`
    scale: float = 0.0
    translation: float = 0.0  # test boxes moved by this share of their size
    rotation: float = 0.0  # test pictures turned by so many degrees
    noise: float = 0.0  # px on a 256-px face by which training points are moved at most
    # "cluster": leave one cluster out; "3": three folds of whole clusters; every item is tested
    # once
    folds: str = ""
    # tested on this share of the training set, which is left out of it: `datasets.holdout`
    holdout: float = 0.0
    # the dataset's own validation set, as members; else a share is drawn
    validation_parts: tuple[str, ...] = ()
    # clusters in the complete training set, where nobody published its items
    train_clusters: int = 0
    test_clusters: int = 0
    own_layout: Layout | None = None  # of the card's section [layout]; None: one of the table

    def _repr_html_(self) -> str:
        """Show in a notebook what it is; `describe_protocol` says what it fixes."""
        facts = {
            "protocol": f"{self.name}: {self.title}",
            "task": self.task,
            "test set": f"{', '.join(self.groups)}; {self.test_expected or '?'} items",
            "box": self.box,
            "errors": ", ".join(self.normalisers or self.metrics),
            "card": self.card,
        }
        rows = [f"<tr><th>{key}</th><td>{escape(text)}</td></tr>" for key, text in facts.items()]
        return f"<table>{''.join(rows)}</table>"


# --- what a method sees ---------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Sample:
    """All that a method sees of one face; pixel frame."""

    id: str
    box: Floats  # (4,) the protocol's box
    pixels: Callable[[], Bytes]  # decodes RGB (H, W, 3) uint8 when called
    # the card's further boxes, e.g. left_eye; NaN: none
    boxes: Mapping[str, Floats] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)  # this row of Index.meta
    # names the picture's bytes when called, for caches of decoded pixels
    cache_key: Callable[[], str] | None = None


@dataclass(frozen=True, eq=False)
class Examples:
    """Labelled samples; pixel frame."""

    samples: Sequence[Sample]
    values: Floats  # (N, K, 2) px | (N, 2) cm | (N, 3)
    clusters: Strings  # (N,)
    visible: Bools | None = None
    # (N, 4) px: the samples' boxes or, where those are drawn about the true points, a detector's
    # boxes of the same faces (NaN: none), from which training learns how boxes err; None: no such
    detector_boxes: Floats | None = None

    def __len__(self) -> int:
        return len(self.samples)


@dataclass(frozen=True, eq=False)
class Job:
    """Everything a recipe gets; it writes only under `out` and never sees a test item."""

    task: Task
    layout: Layout | None
    labelled: Examples
    unlabelled: Sequence[Sample]
    validation: Examples | None
    out: Path
    seed: int
    device: str  # "cpu", "cuda"
    budget: str  # "smoke", "quick", "paper"
    params: Mapping[str, Any]  # card defaults ← budget ← variant ← overrides
    # what params["weights"] names under the data root; None: start from scratch
    weights: Path | None = None


Predict = Callable[[Sequence[Sample]], "np.ndarray"]


class Method(Interface):
    """What the module of a plugin offers; `train` may be absent when there is nothing to train."""

    def train(self, job: Job) -> RunKind | None:
        """Train by any loop and stages; leave the weights under `job.out`.

        A variant that only puts published weights there says so by returning "weights".
        """

    def predictor(self, weights: Path, device: str) -> Predict:
        """Return a callable: samples → (n, K, 2) px in the pixel frame | (n, 2) cm | (n, 3).

        A NaN row is no answer. A predictor that names further parameters is given them: see
        `plugins.method_call`.
        """


@dataclass(frozen=True)
class SharedTraining:
    """A training that one variant has in common with another.

    A finished run of the other on this machine saves it.
    """

    variant: str  # the other one
    # pattern of the names of what it leaves in its work folder: "regressor*.safetensors"
    files: str
    # parameters that may differ because they do not enter that training
    apart: tuple[str, ...] = ()


@dataclass(frozen=True)
class Variant:
    """A named row of a paper's table: the parameters that it changes."""

    name: str
    title: str
    params: Mapping[str, Any]
    # budget → what it changes in this variant
    budgets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    shares: SharedTraining | None = None
    facts: Mapping[str, str] = field(default_factory=dict)  # as MethodCard.facts


SEEN_TEST = ("no", "unknown", "yes")  # whether a training may have seen the test items
# what a method's card, or whoever hands predictions in, says of a row beside its numbers
WORK_KEYS = ("title", "paper", "url", "code", "year")
FACT_KEYS = ("box", "trained_on", "extra_data", "seen_test", "checkpoint")


@dataclass(frozen=True)
class RowFacts:
    """What decides whether a row may stand beside others; "" and "unknown" where nobody says."""

    box: str = ""  # given at test, as a card names it; "own": of the method's own detector
    trained_on: str = ""  # training data, where they are others than the card's
    extra_data: str = ""  # training data beside the card's
    seen_test: str = "unknown"  # of SEEN_TEST
    checkpoint: str = ""  # how it was chosen, "chosen on the test set" above all


NO_FACTS = RowFacts()


@dataclass(frozen=True)
class OutsideProgram:
    """A program that predicts, in an environment of its own: the card's section [run]."""

    # its words; in them {manifest}, {predictions}, {params}, {folder}, {device} stand for what
    # they name
    command: tuple[str, ...]
    seconds: float  # that one call may take
    memory_gb: float  # that it may take in memory; 0: not watched
    manifest: Literal["csv", "json"]
    predictions: Literal["csv", "npz"]
    files: tuple[str, ...]  # what it reads outside the method's folder: hashed into the record


@dataclass(frozen=True)
class Needs:
    """What a process of a method asks of a cluster: the card's section [needs]."""

    cpus: float = 1.0
    gpus: float = 1.0  # where it runs on GPUs at all; below 1: it shares one
    memory_gb: float = 0.0  # 0: it asks for none


@dataclass(frozen=True)
class MethodCard:
    """A plugin's method.toml, read without importing the plugin."""

    name: str
    title: str
    task: tuple[Task, ...]
    summary: str
    paper: Mapping[str, str]  # title, authors, venue, year, url, code; empty for a baseline
    default: str  # default variant
    variants: Mapping[str, Variant]
    params: Mapping[str, Any]  # defaults: every key that a budget, a variant or --set may change
    budgets: Mapping[str, Mapping[str, Any]]
    folder: Path
    module: str  # importable name, "benchbox_methods.glsr"; "" when given with --methods
    source: str  # the distribution or folder that it comes from
    # of params that older records lack: what was so then
    before: Mapping[str, Any] = field(default_factory=dict)
    # of params that say so: all that they may be
    allowed: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    # of numbers among params that say so: the least and the most that they may be
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    # the method whose code runs this card's files: "onnx"; "" for one with code of its own
    adapter: str = ""
    program: OutsideProgram | None = None  # what predicts in the place of Python code
    # what it says of its training and box, of FACT_KEYS, and "seen_test.300w" of one data set;
    # a variant may say otherwise
    facts: Mapping[str, str] = field(default_factory=dict)
    baseline: bool = False  # looks at no pixel: what a method must beat, never a leader
    needs: Needs = Needs()

    def describe_row(self, variant: str, dataset: str) -> dict[str, str]:
        """Return what a run of a variant records of it: of WORK_KEYS and FACT_KEYS, stated ones.

        The paper's title is its `paper`. Whether test items were seen depends on the data set.
        """
        work = {"paper": self.paper.get("title", "")}
        work |= {key: self.paper.get(key, "") for key in ("url", "code", "year")}
        facts = dict(self.facts)
        if variant in self.variants:
            facts |= self.variants[variant].facts
        seen = facts.get(f"seen_test.{dataset}") or facts.get("seen_test", "")
        stated = {**work, **facts, "seen_test": seen}
        return {key: stated[key] for key in (*WORK_KEYS, *FACT_KEYS) if stated.get(key)}


# --- what comes out -------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Truth:
    """What the scorer compares with; reaches nothing else."""

    ids: Strings  # (N,)
    values: Floats  # (N, K, 2) px in the dataset's own frame | (N, 2) cm | (N, 3)
    groups: Mapping[str, Bools]  # group → (N,)
    clusters: Strings  # (N,)
    visible: Bools | None = None
    # (N, 4) the dataset's face box for the face-size normaliser; None: tight box of points
    boxes: Floats | None = None
    sequences: Strings | None = None  # (N,) as Index.sequences
    absent: Bools | None = None  # (N, K) as Index.absent: these points are not scored


@dataclass(frozen=True, eq=False)
class Predictions:
    """The durable artefact: one row per id, in the dataset's own frame."""

    ids: Strings  # (N,) unique
    values: Floats  # as Truth.values; NaN where failed
    failed: Bools  # (N,)


@dataclass(frozen=True)
class Score:
    """One number with its interval; `low` and `high` are None where none was computed."""

    value: float | None
    unit: str
    low: float | None = None
    high: float | None = None
    std: float | None = None  # between seeds, where the number is their mean


@dataclass(frozen=True, eq=False)
class Scores:
    """Every metric per group, and the per-face errors they come from; derived, rebuilt at will."""

    groups: Mapping[str, Mapping[str, Score]]
    count: int
    failed: int
    # structured (N,): one float field per error, `failed`, `cluster` and `in_<group>`
    errors: np.ndarray
    scorer: int = 1  # version of the scoring code


@dataclass(frozen=True)
class Run:
    """A finished run: where it lies and its record, written once beside its predictions."""

    protocol: str
    method: str
    variant: str  # folder name: the variant, with overrides appended
    seed: str  # folder name
    folder: Path
    record: RunRecord

    @property
    def trained_variant(self) -> str:
        """Return the variant's folder of the run that trained it, which may be another one."""
        if self.record.trained_by is None:
            return self.variant
        return self.record.trained_by.run.split("/")[2]
