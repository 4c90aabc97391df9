"""The page "Formats", made from the tables that the readers themselves go by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchbox.datasets.formats.annotation_writers import WRITERS
from benchbox.layouts import LAYOUTS, MAPS
from benchbox.runs.prediction_formats.prediction_writers import FACTS, TITLES

_FRAME = """\
The origin is what a file calls the centre of the first pixel: 0 as arrays are indexed, 1 as
MATLAB counts, 0.5 on a canvas whose corner is (0, 0). Half a pixel is 0.8 % of error on a small
face. `benchbox new protocol NAME --from PATH` recognises the writer, says what it assumes and
asks by an option for what the files cannot say; the answers stand in the card. A point that is
not marked is absent: it keeps its place and is not scored. Points are ordered by name where there
are names. Two faces on a picture are told apart by what the format has for it, never by order
alone. Pictures of a phone are stored turned and shown upright (EXIF): each is read in the frame
that its points were marked in, by the pose of the face, the width and height that the file states
and the borders; the notes and the record say which, and `source.orientation` (`--orientation`)
settles what nothing tells. A width and height that are not the picture's are refused.
"""
_ANSWERS = """\
`benchbox score FILE --protocol NAME --method NAME` recognises the writer. Where a file holds
detections by picture, each annotated face is answered by the one that overlaps it most, each
once; what is left over is counted, a face without one has failed. `--origin`, `--layout`,
`--frames`, `--sizes`, `--names`, `--field` and `--missing failed` say what a file cannot; notes
and the record keep them. On pictures with an EXIF turn programs answer for the stored pixels or
for the upright picture: whichever fits the annotations is taken, for all of a file's, and said.
"""
_LAYOUTS = """\
A card names one of these in `layout`, or defines its own in `[layout]`. A count is no name: 66
points are two layouts, 106 are three.
"""
_MAPS = """\
`benchbox score FILE --layout MAP` scores points of another layout. Points at the same place may
be compared with those of methods trained on the layout; the others carry the error of the map.
"""


def format_sections() -> Iterator[tuple[str, str, str]]:
    """Yield anchor, title and Markdown of every table."""
    yield "formats-annotations", "Annotations", _FRAME + "\n" + _annotation_table()
    yield "formats-predictions", "Predictions", _ANSWERS + "\n" + _prediction_table()
    yield "formats-layouts", "Layouts", _LAYOUTS + "\n" + _layout_table()
    yield "formats-maps", "Maps between layouts", _MAPS + "\n" + _map_table()


def _annotation_table() -> str:
    header = ("writer", "files", "origin", "order", "absent", "hidden", "several faces", "asked")
    rows = []
    for writer in WRITERS.values():
        origin = "asked"
        if writer.origin is not None:
            origin = f"{writer.origin:g}"
        rows.append(
            (
                f"{writer.title} (`{writer.name}`)",
                f"`{writer.files}`",
                f"{origin}: {writer.origin_reason}",
                writer.order,
                writer.absent,
                writer.hidden,
                writer.faces,
                writer.asks or "nothing",
            )
        )
    return _table(header, rows)


def _prediction_table() -> str:
    header = ("writer", "origin", "which face", "no answer", "asked")
    rows = [(TITLES[name], *facts) for name, facts in FACTS.items()]
    return _table(header, rows)


def _layout_table() -> str:
    rows = []
    for layout in LAYOUTS.values():
        corners = "none"
        if layout.eye_corners is not None:
            corners = " and ".join(map(str, layout.eye_corners))
        subsets = ", ".join(map(str, layout.subsets)) or "none"
        rows.append((f"`{layout.name}`", str(layout.count), corners, subsets))
    return _table(("layout", "points", "outer eye corners", "subsets"), rows)


def _map_table() -> str:
    rows = []
    for layout_map in MAPS.values():
        exact = sum(text.startswith("same place") for text in layout_map.how_exact)
        rows.append(
            (
                f"`{layout_map.name}`",
                layout_map.source,
                layout_map.target,
                f"{exact} of {len(layout_map.how_exact)}",
                layout_map.reference,
            )
        )
    return _table(("map", "from", "to", "points at the same place", "source"), rows)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)
