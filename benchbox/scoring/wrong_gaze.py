"""What is the matter with gaze that lies further from the labels than one constant answer would.

The measure of what eyes allow is the test set itself: the error of one and the same answer for
every item, the middle of the labels. A method that is worse has learnt less than nothing; where a
known reading (signs, order, axes, units: `metrics.gaze_convention_search`) brings it below that,
the reading is named; where its places go with the labels in another unit (shares of the screen,
pixels, metres), that is; and where it is worse by `FAR_FROM_CONSTANT`, that is said. A reading that
leaves less than `_PLAIN` of the error is named even below the constant's. Measured: of 107
runs on rendered and real gaze sets none that has learnt is above 1.01 times the constant's error;
constants of another set and the head's direction are up to 2.7 times as far off.

Rows in another order show when the right order mends them (turned round, some places on, by names
sorted as texts or as numbers), or when places spread as the labels do, around the same middle, and
go with them in nothing: a method that has learnt nothing answers near the middle.

A unit is told by the slopes of the labels over the predictions, along x and y. What a trained
method answers has slopes near 1; of one that has hardly begun to learn they may be larger, so they
count only beyond `_OTHER_SCALE`, in predictions that are worse than a constant. An inch (2.54) is
therefore named where the predictions are good and not where they are poor.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from benchbox.metrics import gaze, gaze_convention_search

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchbox.types import Floats, Predictions, Protocol, Rows, Strings, Truth

FAR_FROM_CONSTANT = 3.0  # times the error of one constant answer
_MENDED = 0.7  # share of the error that a reading may leave
_PLAIN = 0.4  # and where predictions are no worse than a constant
_OTHER_SCALE = 4.0  # times the slope of a trained method, or a part of it
_LEAST_CORRELATION = 0.5  # along x and along y, to speak of slopes
_BARE_SCALE = 1.8  # of places within -1 … 1, or of mean 0 and spread 1, from here on
_BARE_CORRELATION = 0.7
_FEWEST_PLACES = 30
_SHARE_SLACK = 0.05  # shares of the screen may lie a little outside 0 … 1
_MOST_OUTSIDE = 0.05  # and some of a method's answers further
_FEWEST_ORDERED = 100
_LARGEST_CHANCE = 3.0  # over √N: correlation of N rows that have nothing to do with each other
_LIKE_SPREAD = 0.8  # of the labels' spread, or the other way round
_LIKE_MIDDLE = 0.2  # of the labels' spread: how far the middle may be off
_LEAST_SHARE_SPREAD = 0.1  # of shares of the screen, on both axes: answers of one place spread less


def find_slips(protocol: Protocol, truth: Truth, predictions: Predictions) -> tuple[str, ...]:
    """Say what is the matter with gaze predictions in the order of the truth, () for nothing."""
    answered = ~predictions.failed
    labels, given = truth.values[answered], predictions.values[answered]
    if not len(labels):
        return ()
    measure, unit, search = gaze.distance_cm, "cm", gaze_convention_search.search_point_convention
    if protocol.task == "gaze3d":
        measure, unit = gaze.angular_error_deg, "degrees"
        search = gaze_convention_search.search_direction_convention
    error = float(measure(labels, given).mean())
    constant = float(measure(labels, _middle_label(labels)).mean())
    found = search(labels, given, clusters=truth.clusters[answered])
    most = _MENDED if error > constant else _PLAIN
    if found.certain and found.best.error < min(most * found.identity.error, constant):
        return (found.warning,)
    if error <= constant:
        return ()
    cause = _describe_another_order(
        truth.ids[answered], labels, given, lambda turned: float(measure(labels, turned).mean())
    )
    if not cause and protocol.task != "gaze3d":
        cause = _describe_other_unit(labels, given, is_far=error >= FAR_FROM_CONSTANT * constant)
    if cause:
        return (f"the mean error is {error:.2f} {unit}, a constant's {constant:.2f}: {cause}",)
    if error < FAR_FROM_CONSTANT * constant:
        return ()
    return (
        f"the mean error is {error:.2f} {unit}, one constant answer for all would be "
        f"{constant:.2f} off: far outside what eyes allow",
    )


# --- order ----------------------------------------------------------------------------------------


def _describe_another_order(
    ids: Strings, labels: Floats, given: Floats, error_of: Callable[[Floats], float]
) -> str:
    """Say that rows (N, D) are not in the order of their ids, "" where nothing says so."""
    if len(labels) < _FEWEST_ORDERED:
        return ""
    wanted, places = _standardise(labels[:, :2]), _standardise(given[:, :2])
    if wanted is None or places is None:
        return ""
    most = _MENDED * error_of(given)
    for words, rows in _known_orders(ids, wanted, places).items():
        if error_of(given[rows]) < most:
            return f"{words}, the rows fit: they are in another order than their ids"
    chance = _LARGEST_CHANCE / np.sqrt(len(labels))
    correlations = np.abs((wanted[:, :, None] * places[:, None, :]).mean(axis=0))
    spread = given[:, :2].std(axis=0) / labels[:, :2].std(axis=0)
    middle = np.abs(given[:, :2].mean(axis=0) - labels[:, :2].mean(axis=0))
    is_like = (spread > _LIKE_SPREAD) & (spread < 1 / _LIKE_SPREAD)
    is_like &= middle < _LIKE_MIDDLE * labels[:, :2].std(axis=0)
    if is_like.all() and (correlations < chance).all():
        return (
            "the answers spread as the labels do and go with them in nothing (correlation "
            f"{correlations.max():.2f} over {len(labels)} items): are the rows in the order of "
            "their ids?"
        )
    return ""


def _known_orders(ids: Strings, wanted: Floats, places: Floats) -> dict[str, Rows]:
    """Return orders of rows that programs give them by mistake, by what undoes them."""
    rows = np.arange(len(ids))
    numbered = sorted(rows.tolist(), key=lambda row: _number_key(str(ids[row])))
    by_text, by_number = np.argsort(ids, kind="stable"), np.array(numbered)
    steps, turned_steps = _best_shift(wanted, places), _best_shift(wanted, places[::-1])
    turned = "read from the other end"
    if turned_steps:
        turned += f" and {_moved_words(turned_steps, len(ids))}"
    return {
        _moved_words(steps, len(ids)): np.roll(rows, steps),
        turned: np.roll(rows[::-1], turned_steps),
        "taken as sorted by name": np.argsort(by_text, kind="stable"),
        "taken as sorted by number": np.argsort(by_number, kind="stable"),
        "with ids sorted by name": by_text,
        "with ids sorted by number": by_number,
    }


def _moved_words(steps: int, count: int) -> str:
    """Say by how many rows a table is rolled, the shorter way.

    >>> _moved_words(2, 10), _moved_words(9, 10)
    ('moved down by 2', 'moved up by 1')
    """
    if 2 * steps > count:
        return f"moved up by {count - steps}"
    return f"moved down by {steps}"


def _number_key(name: str) -> list[str | tuple[int, str]]:
    """Return what sorts names by the numbers in them.

    >>> sorted(["p10/2", "p9/2", "p9/11"], key=_number_key)
    ['p9/2', 'p9/11', 'p10/2']
    """
    pieces: list[str | tuple[int, str]] = list(re.split(r"([0-9]+)", name))
    for place in range(1, len(pieces), 2):
        digits = str(pieces[place]).lstrip("0")
        pieces[place] = (len(digits), digits)  # int() refuses thousands of digits
    return pieces


def _best_shift(wanted: Floats, places: Floats) -> int:
    """Return by how many rows to roll places (N, 2) so that they go best with those wanted."""
    spectrum = np.fft.rfft(wanted, axis=0) * np.conj(np.fft.rfft(places, axis=0))
    return int(np.fft.irfft(spectrum.sum(axis=1), len(wanted)).argmax())


def _standardise(values: Floats) -> Floats | None:
    """Return values (N, D) with mean 0 and spread 1, None where one has no spread."""
    spread = values.std(axis=0)
    if not (spread > 0).all():
        return None
    standardised: Floats = (values - values.mean(axis=0)) / spread
    return standardised


# --- units ----------------------------------------------------------------------------------------


def _describe_other_unit(labels: Floats, given: Floats, *, is_far: bool) -> str:
    """Say in which unit places (N, 2) go with labels (N, 2) cm, "" where it is that of the labels.

    `is_far` tells that no method can be as far off: then another origin is a reason, too.
    """
    if len(labels) < _FEWEST_PLACES:
        return ""
    straight, crossed = _fit_axes(labels, given), _fit_axes(labels, given[:, ::-1])
    if straight is None or crossed is None:
        return ""
    slopes, shift, least, exchanged = *straight, ""
    if crossed[2] > least:
        slopes, shift, least, exchanged = *crossed, "once x and y are exchanged, "
    scale = float(np.sqrt(np.abs(slopes).prod()))
    unit = _name_unit(given, scale)
    if least < _LEAST_CORRELATION:
        spread = given.std(axis=0).min() >= _LEAST_SHARE_SPREAD
        beyond = (np.abs(labels) > 1 + _SHARE_SLACK).any(axis=1).mean() > 0.5
        if unit == _SHARES and spread and beyond:
            return f"all {len(given)} places lie within 0 … 1: {unit}"
        return ""
    has_no_unit = scale > _BARE_SCALE and least > _BARE_CORRELATION and _is_bare(given)
    if 1 / _OTHER_SCALE < scale < _OTHER_SCALE and not has_no_unit:
        if not is_far:
            return ""
        unit = "another origin, such as a corner of the screen, or another direction of an axis"
    return (
        f"{exchanged}the places go with the labels (correlation {least:.2f} or more) with x times "
        f"{slopes[0]:.3g} and y times {slopes[1]:.3g}, moved by ({shift[0]:+.1f}, {shift[1]:+.1f}) "
        f"cm: {unit}"
    )


_SHARES = "shares of the screen, 0 … 1, where cm from the camera belong"


def _is_bare(given: Floats) -> bool:
    """Tell whether places (N, 2) are within -1 … 1, or of mean 0 and spread 1: without a unit."""
    if _mostly_within(given, -1 - _SHARE_SLACK):
        return True
    mean, spread = given.mean(axis=0), given.std(axis=0)
    return bool((np.abs(mean) < 0.15).all() and (np.abs(spread - 0.85) < 0.3).all())


def _mostly_within(given: Floats, low: float) -> bool:
    """Tell whether all but a few of the numbers (N, 2) lie between `low` and 1, with some slack."""
    outside = (given < low) | (given > 1 + _SHARE_SLACK)
    return float(outside.mean()) <= _MOST_OUTSIDE


def _name_unit(given: Floats, scale: float) -> str:
    """Name the unit of places (N, 2) of which one is so many cm."""
    if _mostly_within(given, -_SHARE_SLACK):
        return _SHARES
    if 0.06 < scale < 0.16:
        return "millimetres, where cm from the camera belong"
    if scale <= 0.06:
        return "pixels of a screen, where cm from the camera belong"
    if scale > 50:
        return "metres, where cm from the camera belong"
    return "shares of the screen, -1 … 1, or places divided by their spread, where cm belong"


def _fit_axes(labels: Floats, given: Floats) -> tuple[Floats, Floats, float] | None:
    """Return slopes (2,) and shift (2,) of labels (N, 2) over places (N, 2), by axis.

    And the lesser of the two correlations, without its sign. None where an axis has no spread.
    """
    wanted, places = labels - labels.mean(axis=0), given - given.mean(axis=0)
    power = (places**2).sum(axis=0)
    wanted_power = (wanted**2).sum(axis=0)
    if not (power > 0).all() or not (wanted_power > 0).all():
        return None
    products = (wanted * places).sum(axis=0)
    slopes = products / power
    shift = labels.mean(axis=0) - slopes * given.mean(axis=0)
    least = np.abs(products / np.sqrt(power * wanted_power)).min()
    return slopes, shift, float(least)


def _middle_label(labels: Floats) -> Floats:
    """Return the middle of labels (N, D), repeated (N, D)."""
    middle = np.median(labels, axis=0)
    if labels.shape[1] == 3:
        middle = labels.mean(axis=0)
    return np.broadcast_to(middle, labels.shape)
