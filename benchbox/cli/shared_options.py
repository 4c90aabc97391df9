"""Options that several commands have, and how their values are read."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchbox import number_text
from benchbox.data_place import data_root
from benchbox.plugins import method_card
from benchbox.types import SEEN_TEST


class _Place(click.Path):
    """A path as a person means it: `~` is their home, which no shell expands in --results=~/out."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the Path; fails where `~` stands for nobody's home."""
        try:
            given = Path(value).expanduser()
        except RuntimeError:
            self.fail(f"{value}: nobody's home is known; write the whole path", param, ctx)
        return super().convert(given, param, ctx)


if TYPE_CHECKING:
    _FloatType = click.ParamType[float]
else:
    _FloatType = click.ParamType  # older releases of click have no type inside


class _Number(_FloatType):
    """A number as a person writes it: `1_5` is a slip, not 15."""

    name = "float"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number; fails for what is none and for what is not finite."""
        try:
            number = number_text.parse_number(str(value))
        except ValueError as fault:
            self.fail(str(fault), param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is no finite number", param, ctx)
        return number


class _Seed(click.IntRange):
    """A seed as NumPy and torch take it."""

    def __init__(self) -> None:
        super().__init__(0, 2**32 - 1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the seed; fails for what is no whole number or out of range."""
        if isinstance(value, str):
            try:
                value = number_text.parse_integer(value)
            except ValueError as fault:
                self.fail(str(fault), param, ctx)
        return super().convert(value, param, ctx)


__all__ = ["data_root"]  # beside the options, for the commands that have --data


def complete_method(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001
    """Name the methods that begin so: for tab completion."""
    folders = ctx.params.get("methods") or ()
    cards = method_card.scan_cards(folders)[0]
    return [card.name for card in cards if card.name.startswith(incomplete)]


def complete_variant(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001
    """Name the variants of the method that was typed before."""
    for card in method_card.scan_cards(ctx.params.get("methods") or ())[0]:
        if card.name == ctx.params.get("method"):
            return [name for name in card.variants if name.startswith(incomplete)]
    return []


def complete_protocol(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001
    """Name the protocols that begin so."""
    from benchbox.protocols import protocol_card

    names = protocol_card.protocol_names()
    return [name for name in sorted(names) if name.startswith(incomplete)]


FOLDER = _Place(path_type=Path)
NUMBER = _Number()
SEED = _Seed()

method_option = click.option(
    "--method",
    required=True,
    metavar="NAME",
    shell_complete=complete_method,
    help="A method; `benchbox list methods` names them.",
)
variant_option = click.option(
    "--variant",
    default="",
    metavar="V",
    shell_complete=complete_variant,
    help="A variant of it; its card's default if not given.",
)
methods_option = click.option(
    "--methods",
    type=FOLDER,
    metavar="DIR",
    multiple=True,
    help="A method's folder, or a folder of them, for this call.",
)
data_option = click.option(
    "--data", type=FOLDER, metavar="ROOT", help="Data root; else BENCHBOX_DATA, else ./data."
)
results_option = click.option(
    "--results",
    type=FOLDER,
    metavar="DIR",
    default=Path("results"),
    show_default=True,
    help="Where runs are kept.",
)
device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where networks run; auto: a GPU where there is one.",
)
budget_option = click.option(
    "--budget",
    type=click.Choice(method_card.BUDGETS),
    default="quick",
    show_default=True,
    help="How much a training may cost; paper: the paper's schedule.",
)
stale_option = click.option(
    "--stale",
    is_flag=True,
    help="Run again where what is finished was made with another card, data, code or parameters.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def parse_overrides(texts: Sequence[str]) -> dict[str, str]:
    """Read the `key=value` of every --set; raises UsageError for a key that is set twice.

    >>> parse_overrides(["loss=l1", "lr = 0.1"])
    {'loss': 'l1', 'lr': '0.1'}
    """
    overrides: dict[str, str] = {}
    for text in texts:
        key, equals, value = (word.strip() for word in text.partition("="))
        if not equals or not key:
            raise click.UsageError(f"--set {text}: write key=value")
        if key in overrides:
            raise click.UsageError(
                f"--set {key}={overrides[key]} and --set {key}={value}: set it once"
            )
        overrides[key] = value
    return overrides


def gaze_reading_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say how a file of gaze is written."""
    options = (
        click.option(
            "--columns",
            default="",
            metavar="C,…",
            help="Gaze: what the numbers are: yaw,pitch or x=gaze_x,y=gaze_y,z=gaze_z.",
        ),
        click.option(
            "--positive",
            default="",
            metavar="SIDE,…",
            help="Gaze: where who has a positive number looks: up,left or right,down,away.",
        ),
        click.option(
            "--unit",
            type=click.Choice(["rad", "deg", "cm", "mm", "m", "px", "share"]),
            help="Gaze: the unit of angles or points.",
        ),
        click.option(
            "--origin",
            type=click.Choice(["0", "0.5", "1", "camera", "screen"]),
            help="Landmarks: what the first pixel's centre is called in the file; "
            "gaze: from where points count.",
        ),
        click.option(
            "--frame",
            type=click.Choice(["camera", "normalised"]),
            help="Gaze: the frame of directions.",
        ),
        click.option(
            "--in-order",
            is_flag=True,
            help="Gaze: rows without ids, as `data ids --of test` lists them.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


accept_option = click.option(
    "--accept",
    multiple=True,
    metavar="CHECK",
    help="Go on though a check of the data fails: its name, as the message says; recorded.",
)


ORIGINS = {"0": 0.0, "0.5": 0.5, "1": 1.0}  # of pictures, as they are typed


def landmark_file_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say what a file of landmarks cannot say itself."""
    options = (
        click.option(
            "--layout",
            default="",
            metavar="MAP",
            help="Landmarks: their layout, or a map to the card's: 98-to-68-pipnet.",
        ),
        click.option(
            "--field", default="", metavar="NAME", help="Landmarks: which variable or array."
        ),
        click.option("--frames", type=FOLDER, metavar="CSV", help="Landmarks: frame,image."),
        click.option("--sizes", type=FOLDER, metavar="CSV", help="Landmarks: image,width,height."),
        click.option(
            "--names", type=FOLDER, metavar="FILE", help="Landmarks: who the rows or images are."
        ),
        click.option(
            "--missing",
            type=click.Choice(["failed"]),
            help="Landmarks: items without a prediction count as failed.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


# --- what is said of a row ------------------------------------------------------------------------

_STATEMENTS = (
    ("title", "TEXT", "The method's name as tables print it."),
    ("paper", "TEXT", "Title of its publication."),
    ("url", "URL", "Where the publication is read."),
    ("code", "URL", "Where its code is had."),
    ("year", "YYYY", "Year of the publication."),
    ("box", "TEXT", "Box given at test: detector, ground_truth, own or in words."),
    ("trained-on", "TEXT", "Training data: the card's own by their name (300-W), or others."),
    ("extra-data", "TEXT", "Training data beside the card's."),
    ("checkpoint", "TEXT", "How it was chosen, if known: chosen on the test set."),
)
_LONGEST_STATEMENT = 300


def row_statement_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of what is said of a row; the command gets them as a table `stated`."""

    @functools.wraps(command)
    def collect(*arguments: Any, **values: Any) -> Any:
        stated: dict[str, str] = {}
        for name in (*[option for option, _, _ in _STATEMENTS], "seen-test"):
            key = name.replace("-", "_")
            text = " ".join((values.pop(f"row_{key}") or "").split())
            if text:
                stated[key] = _check_statement(name, text)
        return command(*arguments, stated=stated, **values)

    decorated: Callable[..., Any] = click.option(
        "--seen-test",
        "row_seen_test",
        type=click.Choice(list(SEEN_TEST)),
        help="Whether its training may have seen the test items; unknown if not said.",
    )(collect)
    for name, metavar, words in reversed(_STATEMENTS):
        key = f"row_{name.replace('-', '_')}"
        decorated = click.option(f"--{name}", key, default="", metavar=metavar, help=words)(
            decorated
        )
    return decorated


def _check_statement(name: str, text: str) -> str:
    """Return what is said; raises UsageError for what is no year, link or short line."""
    if len(text) > _LONGEST_STATEMENT or not text.isprintable():
        raise click.UsageError(f"--{name}: a line of at most {_LONGEST_STATEMENT} letters")
    if name in ("url", "code") and not text.startswith("https://"):
        raise click.UsageError(f"--{name} {text}: must start with https://")
    if name == "year" and not (text.isascii() and text.isdigit() and len(text) == 4):
        raise click.UsageError(f"--{name} {text}: four digits")
    return text
