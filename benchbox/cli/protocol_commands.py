"""Commands for who makes a protocol of their own: new protocol, test protocol."""

from __future__ import annotations

from pathlib import Path

import click

from .main_group import exit_failed
from .method_commands import new_group, test_group
from .printing import print_check, print_note
from .shared_options import FOLDER, ORIGINS, data_option, data_root


@new_group.command(name="protocol")
@click.argument("name")
@click.option(
    "--from",
    "source",
    type=FOLDER,
    required=True,
    metavar="PATH",
    help="Annotations: file or folder.",
)
@click.option("--train", type=FOLDER, metavar="PATH", help="Annotations to train on, alike.")
@click.option("--images", type=FOLDER, metavar="DIR", help="Where the pictures are, if not found.")
@click.option(
    "--origin",
    type=click.Choice([*ORIGINS, "camera", "screen"]),
    help="What the first pixel's centre is called in the files; gaze: from where points count.",
)
@click.option("--layout", default="", metavar="NAME", help="Which points: ibug68, lapa106 …")
@click.option(
    "--sides",
    type=click.Choice(["picture", "person"]),
    help="Whose left and right the names of points mean.",
)
@click.option("--field", default="", metavar="NAME", help="Which of several things in a file.")
@click.option(
    "--orientation",
    type=click.Choice(["stored", "upright"]),
    help="How pictures with an EXIF turn were marked, if their points do not tell.",
)
@click.option("--format", "writer", default="", metavar="NAME", help="Who wrote it, if not seen.")
@click.option("--columns", default="", metavar="C,…", help="Gaze: what the numbers are.")
@click.option(
    "--positive", default="", metavar="SIDE,…", help="Gaze: where positive numbers look: up,left …"
)
@click.option(
    "--unit",
    type=click.Choice(["rad", "deg", "cm", "mm", "m", "px", "share"]),
    help="Gaze: the unit of angles or points.",
)
@click.option(
    "--screen",
    default="",
    metavar="W,H,X,A",
    help="Gaze: mm of the screen, and where its camera is.",
)
@click.option("--person", default="", metavar="C,…", help="Gaze: who is seen; none: nobody knows.")
@click.option("--head", default="", metavar="SIDE,…", help="Gaze: positive head pitch and yaw.")
@click.option("--eye", default="", metavar="SIDE,…", help="Gaze: positive x, y, z of the eye.")
@click.option(
    "--to", "folder", type=FOLDER, default=Path(), metavar="DIR", help="Where the card goes."
)
@data_option
def new_protocol_command(
    name: str,
    source: Path,
    train: Path | None,
    images: Path | None,
    origin: str | None,
    layout: str,
    sides: str | None,
    field: str,
    orientation: str | None,
    writer: str,
    columns: str,
    positive: str,
    unit: str | None,
    screen: str,
    person: str,
    head: str,
    eye: str,
    folder: Path,
    data: Path | None,
) -> None:
    """Write a protocol card from annotation or gaze files, and say what it assumes."""
    from benchbox.authoring import new_gaze_protocol, new_protocol
    from benchbox.runs.reading_options import split_list

    made = new_protocol.new_protocol(
        name,
        new_protocol.Wishes(
            source=source,
            train=train,
            images=images,
            data=data,
            format=writer,
            layout=layout,
            origin=ORIGINS.get(origin or ""),
            sides=sides or "",
            field=field,
            orientation=orientation or "",
            gaze=new_gaze_protocol.GazeWishes(
                columns=split_list(columns),
                positive=split_list(positive),
                unit=unit or "",
                origin=origin if origin in ("camera", "screen") else "",
                screen=screen,
                person=person,
                head=split_list(head),
                eye=split_list(eye),
            ),
        ),
        folder,
    )
    for line in made.said:
        click.echo(line)
    click.echo(f"wrote {made.card}")
    click.echo(f"next: benchbox test protocol {made.card} --data {made.root}")


@test_group.command(name="protocol")
@click.argument("name")
@data_option
def test_protocol_command(name: str, data: Path | None) -> None:
    """Try a protocol: its card, its annotations, and what predictions would score.

    Exit 1 and say what to mend if it would not run, or not give the right number.
    """
    from benchbox.authoring import protocol_conformance

    checks = protocol_conformance.check_protocol(name, data_root(data), print_note)
    for check in checks:
        print_check(check.ok, f"{check.name}: {check.detail}")
    if not all(check.ok for check in checks):
        exit_failed()
