"""Results in the open schemas of others.

Hugging Face's `.eval_results/*.yaml` of a model's repository (huggingface.co/docs/hub/eval-results)
holds one value for each benchmark: here the score that ranks a run. Every Eval Ever
(github.com/evaleval/every_eval_ever, `eval.schema.json` 0.2.1) holds one document for each model:
here every metric of every group, with its interval. That schema wants ends of every continuous
scale; an NME, a distance or a jitter has no upper one, so the largest value that is there is
written, and the details say so.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from benchbox import __version__
from benchbox.errors import BenchboxError, ResultError
from benchbox.metrics.metric_names import describe_convention, parse_metric
from benchbox.protocols import protocol_card
from benchbox.report.inputs.results import Result
from benchbox.scoring import headline
from benchbox.types import Protocol, Score

EEE_VERSION = "0.2.1"
_PRIVATE, _URL = "other", "url"
_RELATIONS = {"submitted": "third_party", "weights": "third_party", "trained": "first_party"}


def format_eval_results(results: Sequence[Result], dataset: str, source: str = "") -> str:
    """Return a file of `.eval_results/`: a list of YAML, whose texts are quoted as JSON's.

    `dataset` is the Hub's id of the benchmark; the task is the protocol. Raises ResultError for a
    run without the score that ranks it, or whose protocol is not installed.
    """
    lines = []
    for result in results:
        protocol = _load_protocol(result)
        group, metric, score = _ranking_score(result, protocol)
        words = f"{headline.format_score(score, metric)} on {group}"
        notes = f"benchbox: {words}; {_seed_words(result)}"
        lines += [
            "- dataset:",
            f"    id: {_quote(dataset)}",
            f"    task_id: {_quote(protocol.name)}",
            f"  value: {score.value:.10g}",
            f"  date: {_quote(result.run.record.started[:10])}",
        ]
        if source:
            lines += ["  source:", f"    url: {_quote(source)}", '    name: "benchbox"']
        lines.append(f"  notes: {_quote(notes)}")
    return "\n".join(lines) + "\n"


def format_every_eval_ever(
    result: Result, organization: str, model: str = "", source: str = ""
) -> str:
    """Return one document of Every Eval Ever.

    `model` is the Hub's id, else organization and method; `source` where the data are described.
    """
    protocol = _load_protocol(result)
    record = result.run.record
    model_id = model or f"{organization}/{result.run.method}"
    now = datetime.now(UTC)
    name = f"{result.run.method}/{result.run.variant}"
    document = {
        "schema_version": EEE_VERSION,
        "evaluation_id": f"{protocol.name}/{model_id}/{now.timestamp():.0f}",
        "evaluation_timestamp": record.started,
        "retrieved_timestamp": f"{now.timestamp():.0f}",
        "source_metadata": {
            "source_name": "benchbox",
            "source_type": "evaluation_run",
            "source_organization_name": organization,
            "evaluator_relationship": _RELATIONS[result.kind],
        },
        "eval_library": {"name": "benchbox", "version": record.code.benchbox or __version__},
        "model_info": {
            "name": name,
            "id": model_id,
            "additional_details": _texts(
                {"kind": result.kind, "seed": record.seed, "budget": record.budget}
            ),
        },
        "evaluation_results": _results(result, protocol, source),
    }
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _results(result: Result, protocol: Protocol, source: str) -> list[dict[str, Any]]:
    data: dict[str, Any] = {"dataset_name": protocol.title, "source_type": _PRIVATE}
    if source:
        data |= {"source_type": _URL, "url": [source]}
    data["additional_details"] = _texts(
        {"protocol": protocol.name, "card": protocol.card, "data": result.data}
    )
    entries = []
    for group, scores in result.scores.items():
        for name, score in scores.items():
            if score.value is None:
                continue
            entries.append(
                {
                    "evaluation_name": f"{protocol.name}/{group}/{name}",
                    "source_data": data,
                    "metric_config": _metric_config(name, score),
                    "score_details": _score_details(score, result, protocol),
                }
            )
    return entries


def _metric_config(name: str, score: Score) -> dict[str, Any]:
    metric = parse_metric(name)
    bounded = {"1": 1.0, "deg": 180.0}.get(metric.unit)
    if metric.measure == "fr":
        bounded = 100.0
    details = {"unit": metric.unit, "metric": name}
    if bounded is None:
        details["max_score"] = "none: the largest value that is there"
        bounded = max(number for number in (score.value, score.high) if number is not None)
    return {
        "evaluation_description": f"{metric.title}, {describe_convention(metric.convention)}",
        "lower_is_better": metric.lower_is_better,
        "score_type": "continuous",
        "min_score": 0.0,
        "max_score": bounded,
        "additional_details": details,
    }


def _score_details(score: Score, result: Result, protocol: Protocol) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "score": score.value,
        "details": _texts({"items": result.n, "failed": result.failed}),
    }
    if score.low is not None and score.high is not None:
        entry["uncertainty"] = {
            "confidence_interval": {
                "lower": score.low,
                "upper": score.high,
                "confidence_level": protocol.interval,
                "method": f"bootstrap of whole clusters ({protocol.cluster})",
            },
            "num_samples": result.n,
            "num_bootstrap_samples": protocol.resamples,
        }
    return entry


def _load_protocol(result: Result) -> Protocol:
    try:
        return protocol_card.load_protocol(result.run.protocol)
    except BenchboxError as fault:
        raise ResultError(f"{result.run.folder}: {fault}") from fault


def _ranking_score(result: Result, protocol: Protocol) -> tuple[str, str, Score]:
    group, metric = headline.ranking_metric(protocol)
    score = result.scores.get(group, {}).get(metric)
    if score is None or score.value is None:
        raise ResultError(f"{result.run.folder}: has no {metric} of {group}, which ranks it")
    return group, metric, score


def _seed_words(result: Result) -> str:
    record = result.run.record
    if record.seed is None:
        return result.kind
    return f"{result.kind}, variant {result.run.variant}, seed {record.seed}, {record.budget}"


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _texts(table: dict[str, Any]) -> dict[str, str]:
    """Return what is there as texts, which these schemas want."""
    return {key: str(value) for key, value in table.items() if value is not None}
