"""The names under which a card says who wrote its annotation files; loads nothing.

`annotation_writers` holds the readers behind them.
"""

from __future__ import annotations

FORMATS = (
    "300w-lp-mat",
    "aflw2000-mat",
    "benchbox-csv",
    "coco",
    "cvat",
    "datumaro",
    "helen",
    "hrnet-csv",
    "imglab",
    "label-studio",
    "labelme",
    "lapa",
    "merl-rav",
    "pts",
    "via",
    "wflw-list",
)
