"""The one number of a run that ranks it, in a line."""

from __future__ import annotations

from collections.abc import Mapping

from benchbox.metrics.metric_names import list_metrics, parse_metric, short_convention
from benchbox.types import Protocol, Score, Scores


def ranking_metric(protocol: Protocol) -> tuple[str, str]:
    """Return group and metric that rank a run: the first metric of the overall group."""
    return protocol.overall, list_metrics(protocol)[0]


def ranking_score(scores: Scores, protocol: Protocol) -> tuple[str, str, Score]:
    """Return group, metric and score that rank a run: the first metric of the overall group."""
    group, name = ranking_metric(protocol)
    if group not in scores.groups:
        group = next(iter(scores.groups))
    return group, name, scores.groups[group][name]


def first_score(
    groups: Mapping[str, Mapping[str, Score]], protocol: Protocol | None
) -> tuple[str, str, Score] | None:
    """Return group, metric and score that rank stored scores; the first ones without a card.

    None where there are none.
    """
    if protocol is not None:
        group, metric = ranking_metric(protocol)
        if metric in groups.get(group, {}):
            return group, metric, groups[group][metric]
    for name, scores in groups.items():
        for metric, score in scores.items():
            return name, metric, score
    return None


def format_headline(scores: Scores, protocol: Protocol) -> str:
    """Say a run's ranking score in a line: `5.83 [5.65, 6.03] % NME inter-ocular on full`."""
    group, name, score = ranking_score(scores, protocol)
    return f"{format_score(score, name)} on {group}"


def format_score(score: Score, name: str) -> str:
    """Write a score with interval, unit and metric.

    >>> format_score(Score(5.8349, "%", 5.65, 6.031), "nme_inter_ocular")
    '5.83 [5.65, 6.03] % NME inter-ocular'
    >>> format_score(Score(None, "cm"), "error_cm")
    '– cm error'
    """
    return f"{format_value(score)} {metric_words(name, score.unit)}"


def format_value(score: Score) -> str:
    """Write a score with its interval.

    >>> format_value(Score(5.8349, "%", 5.65, 6.031))
    '5.83 [5.65, 6.03]'
    """
    value = "–"
    if score.value is not None:
        value = f"{score.value:.2f}"
    if score.low is not None and score.high is not None:
        value += f" [{score.low:.2f}, {score.high:.2f}]"
    return value


def metric_words(name: str, unit: str = "") -> str:
    """Write a metric with its unit.

    >>> metric_words("nme_inter_ocular"), metric_words("error_cm")
    ('% NME inter-ocular', 'cm error')
    """
    metric = parse_metric(name)
    unit = unit or metric.unit
    if metric.normaliser:
        return f"{unit} {metric.title} {short_convention(metric.convention)}"
    return f"{unit} {metric.title.lower()}"
