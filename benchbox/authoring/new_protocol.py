"""The card that `benchbox new protocol NAME --from PATH` writes, from what the files say.

The writer is recognised from the files. What its files fix is taken and said; what they cannot say
(an origin, whose left and right, which 66 or 106 points) is asked for in one line that names the
option. Nothing is guessed; what is assumed stands in the card as notes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchbox.atomic_write import replace_when_done
from benchbox.datasets import open_protocol_dataset
from benchbox.datasets.annotated_files import AnnotatedFiles
from benchbox.datasets.formats.annotation_writers import WRITERS, recognise, single_file
from benchbox.datasets.formats.marked_face import MarkedFaces
from benchbox.datasets.formats.point_names import (
    has_sides,
    layouts_of_names,
    name_words,
    numbers_in,
    other_side,
)
from benchbox.datasets.label_bounds import read_index
from benchbox.errors import DataError, ProtocolError
from benchbox.layouts import LAYOUTS, layouts_with
from benchbox.protocols import protocol_card
from benchbox.types import Index, Layout, Protocol

from .new_gaze_protocol import NOTHING_SAID, GazeDraft, GazeWishes, draft_gaze, recognise_gaze

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
_LOOKED_AT = 20  # pictures by which their folder is found
_MOST_FOLDERS = 500


@dataclass(frozen=True)
class Wishes:
    """What a person says of their files; None or "" is not said."""

    source: Path
    train: Path | None = None
    images: Path | None = None
    data: Path | None = None
    format: str = ""
    layout: str = ""
    origin: float | None = None
    sides: str = ""
    field: str = ""
    orientation: str = ""
    gaze: GazeWishes = NOTHING_SAID


@dataclass(frozen=True)
class NewProtocol:
    """A card that was written."""

    card: Path
    root: Path  # the data root that its paths lie below
    protocol: Protocol
    said: tuple[str, ...]  # what was found and assumed, a line each


def new_protocol(name: str, wishes: Wishes, folder: Path) -> NewProtocol:
    """Write `<folder>/<name>.toml`.

    Raises
    ------
    ProtocolError
        The name is none, or the card is there.
    DataError
        The files cannot be read, or do not say what the card needs: names the option.
    """
    card = folder / f"{name}.toml"
    if not _NAME.fullmatch(name):
        raise ProtocolError(f"{name!r}: a protocol's name has small letters, digits and dashes")
    if name in protocol_card.protocol_names():
        raise ProtocolError(f"{name!r} is an installed protocol; another name")
    if card.exists():
        raise ProtocolError(f"{card}: is there; another name, or delete it")
    gaze_kind = "" if wishes.format or not wishes.source.exists() else recognise_gaze(wishes.source)
    if gaze_kind:
        return _new_gaze_protocol(name, wishes, gaze_kind, card)
    writer = wishes.format or recognise(wishes.source)
    if writer not in WRITERS:
        raise DataError(f"no writer is called {writer!r}; there are {', '.join(WRITERS)}")
    source = single_file(wishes.source, writer)
    marked = WRITERS[writer].read(source, wishes.field)
    if not marked.faces:
        reasons = "; ".join((WRITERS[writer].title, *marked.notes))
        raise DataError(f"{source}: holds no face with points ({reasons})")
    facts = _Facts(name, wishes, writer, source, marked)
    facts.require_answers()
    root, images, found = _find_root(wishes, source, marked)
    text = facts.card_text(root, images)
    folder.mkdir(parents=True, exist_ok=True)
    with replace_when_done(card) as beside:
        beside.write_text(text, encoding="utf-8")
    try:
        protocol = protocol_card.read_card(card)
        index = _read_index(protocol, root)
        text = facts.complete(text, protocol, index)
        with replace_when_done(card) as beside:
            beside.write_text(text, encoding="utf-8")
        protocol = protocol_card.read_card(card)
    except (DataError, ProtocolError):
        card.unlink(missing_ok=True)
        raise
    chosen = (
        f"assumed: normaliser {protocol.normalisers[0]}, box {protocol.box} (the card's to change)"
    )
    said = [
        *facts.said(),
        chosen,
        *_training_said(protocol),
        *found,
        *index.notes,
        *_side_evidence(facts, index),
    ]
    return NewProtocol(card, root, protocol, tuple(said))


def _new_gaze_protocol(name: str, wishes: Wishes, kind: str, card: Path) -> NewProtocol:
    """Write a card of gaze files, as `new_protocol` does of landmarks."""
    draft = draft_gaze(kind, wishes.source, wishes.train, wishes.images, wishes.gaze)
    places = [draft.images.resolve(), *(path.resolve().parent for path in draft.parts.values())]
    root, said = _choose_root(wishes, places)
    card.parent.mkdir(parents=True, exist_ok=True)
    try:
        # counted first with any number, then written with the right one
        protocol = _write_card(card, _gaze_card(name, draft, wishes, root, {}))
        index = open_protocol_dataset(protocol).index(root, pixels=False)
        counts = {part: int((index.parts == part).sum()) for part in draft.parts}
        protocol = _write_card(card, _gaze_card(name, draft, wishes, root, counts))
    except (DataError, ProtocolError):
        card.unlink(missing_ok=True)
        raise
    chosen = [
        f"assumed: pictures are in {draft.images}",
        f"assumed: box {protocol.box} (the card's to change)",
        f"next: benchbox data verify {card} --data {root} (order, axes, what constants leave)",
    ]
    chosen[-1:-1] = _training_said(protocol)
    return NewProtocol(card, root, protocol, (*draft.said, *chosen, *said, *index.notes))


def _training_said(protocol: Protocol) -> list[str]:
    """Say what a card trains on, or that it has nothing and how it gets it."""
    if protocol.train_parts:
        return [f"to train on: {protocol.train_expected} items"]
    return ["assumed: all are for the test; --train FILE names others to train on"]


def _write_card(card: Path, text: str) -> Protocol:
    with replace_when_done(card) as beside:
        beside.write_text(text, encoding="utf-8")
    return protocol_card.read_card(card)


def _gaze_card(
    name: str, draft: GazeDraft, wishes: Wishes, root: Path, counts: Mapping[str, int]
) -> str:
    """Return the card of gaze files; parts without a count are taken as one frame each."""
    tested = ["test"] if "test" in draft.parts else list(draft.parts)
    trained = ["train"] if "train" in draft.parts else []
    parts = [f"{part} = {_quote(_below(path, root))}" for part, path in draft.parts.items()]
    keys = [
        *draft.keys,
        *(f"{key} = {_quote(_below(path, root))}" for key, path in draft.files.items()),
    ]
    orientation = ""
    if wishes.orientation:
        orientation = f'orientation = "{wishes.orientation}"\n'
    expected = {
        "train": sum(counts.get(part, 1) for part in trained),
        "test": sum(counts.get(part, 1) for part in tested),
    }
    unit = "deg" if draft.task == "gaze3d" else "cm"
    notes = ", ".join(_quote(line) for line in draft.said)
    return (
        f'name = "{name}"\n'
        f"title = {_quote(f'Own gaze data: {wishes.source.name}')}\n"
        f'task = "{draft.task}"\ndataset = "files"\nlayout = ""\nnotes = [{notes}]\n\n'
        f"[source]\nimages = {_quote(_below(draft.images, root))}\n"
        f"parts = {{{', '.join(parts)}}}\n{orientation}\n"
        f"[source.gaze]\n" + "\n".join(keys) + "\n\n"
        f"[train]\nparts = [{', '.join(map(_quote, trained))}]\n"
        f"expected = {expected['train']}\n\n"
        f'[test]\noverall = "all"\nexpected = {expected["test"]}\n\n'
        f"[test.groups]\nall = [{', '.join(map(_quote, tested))}]\n\n"
        f'[box]\nsource = "{draft.box}"\n\n'
        f"[score]\nnormalisers = []\n"
        f'metrics = ["error_{unit}", "error_{unit}_person"]\ncluster = "person"\n'
    )


def _read_index(protocol: Protocol, root: Path) -> Index:
    layout = protocol.own_layout or LAYOUTS[protocol.layout]
    if protocol.source is None:
        raise ProtocolError(f"{protocol.name}: names no files")
    dataset = AnnotatedFiles(protocol.name, protocol.source, layout)
    return read_index(dataset, root, pixels=False)


# --- what the files say ---------------------------------------------------------------------------


class _Facts:
    """What is known of the files, what is assumed, and what must be asked."""

    def __init__(
        self, name: str, wishes: Wishes, writer: str, source: Path, marked: MarkedFaces
    ) -> None:
        self.name, self.wishes, self.source, self.marked = name, wishes, source, marked
        self.writer = WRITERS[writer]
        self._layout_says = ""
        self.layout = self._choose_layout()

    def _choose_layout(self) -> str:
        """Return the layout's name, "" for one of the card's own, "?" where it must be asked."""
        given = self.wishes.layout
        if given and given not in LAYOUTS:
            raise DataError(f"no layout is called {given!r}; there are {', '.join(LAYOUTS)}")
        if given:
            self._layout_says = "as said"
            return given
        names, count = self.marked.names, self.marked.count
        if names:
            candidates = layouts_of_names(names)
            self._layout_says = "by the names of the points"
            if all(name.isdecimal() for name in names):
                self._layout_says = f"by the {len(names)} numbers of the points; --layout says else"
        else:
            candidates = layouts_with(count)
            self._layout_says = f"the only one known of {count} points"
        if len(candidates) > 1:
            return "?" + " | ".join(candidates)
        if candidates:
            return candidates[0]
        self._layout_says = "the card's own: no known layout has these points"
        return ""

    def require_answers(self) -> None:
        """Raise DataError with what only a person can say, in one line."""
        asked = []
        if self.origin is None:
            asked.append(
                f"the origin ({self.writer.origin_reason}): say --origin 0, --origin 0.5 or "
                "--origin 1"
            )
        if self.layout.startswith("?"):
            count = self.marked.count or len(self.marked.names)
            asked.append(f"which {count} points: say --layout {self.layout[1:]}")
        if self.needs_sides and not self.wishes.sides:
            asked.append(
                "whose left and right the names mean: say --sides picture or --sides person"
            )
        if asked:
            raise DataError(
                f"{self.source}: {self.writer.title} does not say {'; nor '.join(asked)}"
            )

    @property
    def origin(self) -> float | None:
        """The origin that is said, or that the writer fixes."""
        if self.wishes.origin is not None:
            return self.wishes.origin
        return self.writer.origin

    @property
    def needs_sides(self) -> bool:
        """Tell whether names must be turned into the picture's left and right."""
        named = bool(self.marked.names) and numbers_in(self.marked.names) is None
        return named and bool(self.layout) and has_sides(self.marked.names)

    def said(self) -> list[str]:
        """Say what was found and what is assumed."""
        pictures = len({face.image for face in self.marked.faces})
        lines = [f"{self.writer.title}: {len(self.marked.faces)} faces on {pictures} pictures"]
        reason = "as said"
        if self.wishes.origin is None:
            reason = f"{self.writer.origin_reason}; --origin says otherwise"
        lines.append(f"assumed: origin {self.origin:g} ({reason})")
        lines.append(f"assumed: layout {self.layout or self.name + '-own'} ({self._layout_says})")
        if self.needs_sides:
            lines.append(
                f"assumed: left and right of names are the {self.wishes.sides}'s (as said)"
            )
        if self.wishes.field:
            lines.append(f"assumed: {self.wishes.field} of what the file holds (as said)")
        return lines

    # --- the card ---------------------------------------------------------------------------------

    def card_text(self, root: Path, images: Path) -> str:
        """Return the card before its faces are counted."""
        parts = [f"test = {_quote(_below(self.source, root))}"]
        train = "parts = []\nexpected = 0"
        if self.wishes.train is not None:
            train_source = single_file(self.wishes.train, self.writer.name)
            parts.insert(0, f"train = {_quote(_below(train_source, root))}")
            train = 'parts = ["train"]\nexpected = 1'
        keys = [
            f"images = {_quote(_below(images, root))}",
            f"parts = {{{', '.join(parts)}}}",
            f'format = "{self.writer.name}"',
            f"origin = {self.origin:g}",
        ]
        if self.needs_sides:
            keys.append(f'sides = "{self.wishes.sides}"')
        if self.wishes.field:
            keys.append(f"field = {_quote(self.wishes.field)}")
        if self.wishes.orientation:
            keys.append(f'orientation = "{self.wishes.orientation}"')
        layout = ""
        layout_key = f'layout = "{self.layout}"\n'
        if not self.layout:
            layout, layout_key = self._own_layout(), ""
        notes = ", ".join(_quote(line) for line in self.said()[1:])
        return (
            f'name = "{self.name}"\n'
            f"title = {_quote(f'Own faces: {self.source.name}')}\n"
            f'dataset = "files"\n{layout_key}'
            f"source = {{{', '.join(keys)}}}\n"
            f"notes = [{notes}]\n{layout}\n"
            f"[train]\n{train}\n\n"
            '[test]\noverall = "all"\nexpected = 1\n\n'
            '[test.groups]\nall = ["test"]\n\n'
            '[box]\nsource = "ground_truth"\n\n'
            '[score]\nnormalisers = ["diagonal"]\n'
        )

    def _own_layout(self) -> str:
        names = list(self.marked.names)
        numbers = numbers_in(names) if names else None
        count = self.marked.count or len(names)
        if numbers is not None:
            first = 0 if 0 in numbers.values() else 1
            count = max(numbers.values()) + 1 - first
            names = []
        text = f"\n[layout]\npoints = {count}\n"
        if names:
            text += f"names = [{', '.join(map(_quote, names))}]\n"
            pairs = _flip_pairs(names)
            text += f"flip_pairs = [{', '.join(f'[{a}, {b}]' for a, b in pairs)}]\n"
        return text

    def complete(self, text: str, protocol: Protocol, index: Index) -> str:
        """Put in the card what its faces give: their number, the box, the normaliser."""
        tested = index.parts == "test"
        text = text.replace(
            '[test]\noverall = "all"\nexpected = 1',
            f'[test]\noverall = "all"\nexpected = {int(tested.sum())}',
        )
        if self.wishes.train is not None:
            trained = index.parts == "train"
            text = text.replace("expected = 1", f"expected = {int(trained.sum())}", 1)
        if "bbox" in index.boxes and np.isfinite(index.boxes["bbox"]).all():
            text = text.replace('source = "ground_truth"', 'source = "bbox"')
        layout = protocol.own_layout or LAYOUTS[protocol.layout]
        normaliser = _choose_normaliser(layout, index)
        if all(face.scale_box for face in self.marked.faces):
            normaliser = "face_size"  # the files bring it for that
        return text.replace('normalisers = ["diagonal"]', f'normalisers = ["{normaliser}"]')


def _choose_normaliser(layout: Layout, index: Index) -> str:
    """Return the first normaliser that every face has: eye corners, eye centres, face size."""
    absent = np.zeros(index.values.shape[:2], bool)
    if index.absent is not None:
        absent = index.absent
    if layout.eye_corners is not None and not absent[:, list(layout.eye_corners)].any():
        return "inter_ocular"
    eyes = [*layout.eyes[0], *layout.eyes[1]]
    if all(layout.eyes) and layout.eye_corners is None and not absent[:, eyes].any():
        return "inter_pupil"
    if absent.any() or index.scale_boxes is not None:
        return "face_size"
    return "diagonal"


def _flip_pairs(names: Sequence[str]) -> list[tuple[int, int]]:
    """Pair the names that differ in left and right.

    >>> _flip_pairs(["nose", "eye_left", "eye_right"])
    [(1, 2)]
    """
    row_of = {name_words(name): row for row, name in enumerate(names)}
    pairs = []
    for name, row in zip(names, range(len(names)), strict=True):
        words = name_words(name)
        partner = row_of.get(other_side(words), row)
        if row < partner:
            pairs.append((row, partner))
    return pairs


def _side_evidence(facts: _Facts, index: Index) -> list[str]:
    """Say where the points of the two eyes lie, which shows whose sides were meant."""
    layout = LAYOUTS.get(facts.layout)
    if not facts.needs_sides or layout is None or not all(layout.eyes):
        return []
    with np.errstate(invalid="ignore"):
        left = index.values[:, list(layout.eyes[0]), 0].mean(axis=1)
        right = index.values[:, list(layout.eyes[1]), 0].mean(axis=1)
    told = np.isfinite(left) & np.isfinite(right)
    turned = int((left > right)[told].sum())
    if 2 * turned <= told.sum():
        return []
    other = "person" if facts.wishes.sides == "picture" else "picture"
    return [
        f"in {turned} of {int(told.sum())} faces the left eye lies right of the other: "
        f"was --sides {other} meant?"
    ]


# --- text and paths -------------------------------------------------------------------------------


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _below(path: Path, root: Path) -> str:
    resolved = path.resolve()
    if not resolved.is_relative_to(root):
        raise DataError(f"{path}: lies outside the data root {root}; say another --data ROOT")
    return resolved.relative_to(root).as_posix()


def _find_root(wishes: Wishes, source: Path, marked: MarkedFaces) -> tuple[Path, Path, list[str]]:
    """Return the data root, the folder of the pictures, and what to say of them."""
    images = wishes.images
    said = []
    if images is None:
        images, count = _find_pictures(source, marked)
        if count:
            said.append(f"assumed: pictures are in {images} ({count} of the first are there)")
        else:
            said.append(
                f"no pictures found near {source}: say --images DIR to run methods; "
                "scoring needs none"
            )
    elif not images.is_dir():
        raise DataError(f"{images}: is no folder of pictures")
    places = [source.resolve().parent, images.resolve()]
    if wishes.train is not None:
        places.append(wishes.train.resolve().parent)
    root, more = _choose_root(wishes, places)
    return root, images, [*said, *more]


def _choose_root(wishes: Wishes, places: Sequence[Path]) -> tuple[Path, list[str]]:
    """Return the data root that annotations and pictures lie below, and what to say of it."""
    if wishes.data is not None:
        return wishes.data.resolve(), []
    default = Path(os.environ.get("BENCHBOX_DATA") or "data").resolve()
    if all(place.is_relative_to(default) for place in places):
        return default, []
    root = Path(os.path.commonpath(places))
    return root, [f"assumed: the data root is {root}, above annotations and pictures"]


def _find_pictures(source: Path, marked: MarkedFaces) -> tuple[Path, int]:
    """Return the nearest folder that holds pictures of these names, and how many were there."""
    names = list(dict.fromkeys(face.image for face in marked.faces))[:_LOOKED_AT]
    home = source if source.is_dir() else source.parent
    best, most = home, 0
    if marked.folder is not None:
        beside = [_named_picture(marked.folder, name) for name in names]
        found = [path for path in beside if path is not None]
        if found:
            return found[0].parent, len(found)
    home = home.resolve()
    for folder in _nearby_folders(home):
        count = _count_pictures(folder, names)
        # elsewhere a few such names may be other people's pictures
        believed = folder.is_relative_to(home) or 2 * count > len(names)
        if believed and count > most:
            best, most = folder, count
        if most == len(names):
            break
    return best, most


def _named_picture(folder: Path, name: str) -> Path | None:
    base = folder if folder.is_dir() else folder.parent
    path = (base / name).resolve()
    return path if path.is_file() and path.suffix.lower() in _PICTURES else None


def _nearby_folders(home: Path) -> list[Path]:
    """List a folder, what lies in it, and the same for the two folders above it.

    Further up other people's pictures may have the same names.
    """
    folders = []
    for above in [home, *list(home.parents)[:2]]:
        if above.parent == above:
            break
        folders.append(above)
        for path in sorted(above.iterdir()):
            if path.is_dir() and not path.name.startswith("."):
                folders.append(path)
            if len(folders) > _MOST_FOLDERS:
                return folders
    return folders


def _count_pictures(folder: Path, names: Sequence[str]) -> int:
    there: set[str] = set()
    try:
        for path in folder.iterdir():
            if path.suffix.lower() in _PICTURES:
                there |= {path.name.lower(), path.stem.lower()}
    except OSError:
        return 0
    count = 0
    for name in names:
        plain = name.rpartition("/")[2].lower()
        if plain in there or (folder / name).is_file():
            count += 1
    return count
