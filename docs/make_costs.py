"""Write docs/costs.md, what the full matrix costs, from our records: `python docs/make_costs.py`.

`--rate METHOD=N` gives the samples/s of a method at paper sizes that `tests/bench/gpu.py` measured
on one GPU; what is not given stays unknown.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchbox import layouts
from benchbox.costs import op_count
from benchbox.plugins import method_call, method_card
from benchbox.protocols import protocol_card
from benchbox.runs import run_folders
from benchbox.types import Protocol

TOP = Path(__file__).parents[1]
SEEDS, GPUS = 5, (1, 8, 64)


def _epochs(params: Mapping[str, Any], count: int) -> int:
    """Count the draws of TAT's generations: epochs of all samples, or of `epoch_draws`."""
    first = params["warmup_epochs"] + params["head_start"]
    return (params["generations"] * params["epochs"] + first) * (params["epoch_draws"] or count)


def _rounds(params: Mapping[str, Any], count: int) -> int:
    """Bound TS3's draws: every round as if all faces had been let through."""
    students = params["epochs_cpm"] + params["epochs_hg"] + 2 * params["epochs_teacher"]
    return (params["rounds"] + 1) * students * count


# method → samples of one training, of its parameters and the size of the training set
SAMPLES: dict[str, Callable[[Mapping[str, Any], int], int]] = {
    "glsr": lambda p, _: sum(p[f"draws_{s}"] for s in ("reinit", "global", "local", "joint")),
    "heatmap": lambda p, _: p["draws"],
    "sir": lambda p, _: p["draws"],
    "dwo": lambda p, n: p["epochs"] * (p["epoch_draws"] or n),
    "sscr": lambda p, n: (
        p["pretrain_epochs"] * (p["pretrain_draws"] or n)
        + p["tune_epochs"] * (p["tune_draws"] or n)
    ),
    "tat": _epochs,
    "ts3": _rounds,
}


def hours_on(trainings: list[float], gpus: int) -> float:
    """Return the hours until the last of some trainings ends, the longest begun first.

    >>> hours_on([3.0, 2.0, 2.0], 2)
    4.0
    """
    busy = [0.0] * gpus
    for hours in sorted(trainings, reverse=True):
        busy[busy.index(min(busy))] += hours
    return max(busy)


def cpu_rate(name: str, variant: str) -> float | None:
    """Return the median samples/s of our quick trainings of a variant on a CPU."""
    rates = []
    for run in run_folders.list_runs(TOP / "results"):
        if (run.method, run.record.variant, run.record.environment.device) == (
            name,
            variant,
            "cpu",
        ):
            rates.append(run.record.training.get("samples_per_s"))
    known = [rate for rate in rates if rate]
    return statistics.median(known) if known else None


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", action="append", default=[], metavar="METHOD=N")
    given = dict(text.split("=", 1) for text in parser.parse_args().rate)
    cards = [card for card in protocol_card.scan_cards()[0] if not card.name.startswith("synth-")]
    lines, measured = [], []
    for name, count_samples in SAMPLES.items():
        method = method_card.read_card(TOP / "methods" / name)
        quick = method_card.merge_params(method, method.default, "quick")
        paper = method_card.merge_params(method, method.default, "paper")
        fitting = [card for card in cards if card.task in method.task and card.train_expected]
        sizes = [max(1, round(card.train_expected)) for card in fitting]
        samples = [count_samples(paper, size) for size in sizes]
        trainings = [SEEDS * (int(card.folds) if card.folds.isdigit() else 1) for card in fitting]
        rate = cpu_rate(name, method.default)
        more = macs(method, paper, fitting[0]) / macs(method, quick, fitting[0])
        total = sum(number * count for number, count in zip(samples, trainings, strict=True))
        cpu = "not known"
        if rate:
            cpu = f"{rate:,.0f} | {rate / more:,.1f} | {total * more / rate / 3600:,.0f}"
        gpu = "not known"
        if name in given:
            gpu = f"{total / float(given[name]) / 3600:,.0f}"
            for number, count in zip(samples, trainings, strict=True):
                measured += [number / float(given[name]) / 3600] * count
        lines.append(
            f"| `{name}` | {len(fitting)} | {sum(trainings)} | {total / 1e6:,.0f} | {more:,.1f} | "
            f"{cpu} | {gpu} |"
        )
    together = "Not known: no rate of a GPU was measured."
    if measured and len(given) == len(SAMPLES):
        parts = [f"{hours_on(measured, gpus):,.0f} h on {gpus}" for gpus in GPUS]
        together = f"All of them, run by run, the longest first: {', '.join(parts)} GPUs."
    page = (TOP / "docs" / "costs.md").read_text(encoding="utf-8")
    head = page.partition("| method |")[0]
    table = (
        "| method | protocols | trainings | samples, 10⁶ | work a sample, paper / quick | "
        "CPU, quick: samples/s | CPU, paper: samples/s | CPU hours | GPU hours |\n"
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|\n"
    )
    text = f"{head}{table}{chr(10).join(lines)}\n\n{together}\n"
    (TOP / "docs" / "costs.md").write_text(text, encoding="utf-8")


def macs(method: Any, params: Mapping[str, Any], protocol: Protocol) -> float:
    """Return the multiply-adds of one prediction at some parameters."""
    module = method_card.import_method(method)
    networks = method_call.list_networks(module, params, layouts.find_layout(protocol), method.name)
    return float(op_count.count_networks(networks).total.macs)


if __name__ == "__main__":
    main()
