"""Several processes of one run end with one line, whichever of them ends first."""

from __future__ import annotations

import os
import signal

import pytest
import torch.distributed

from benchbox import process_rank
from benchbox.errors import BenchboxError
from benchbox.training import process_group


class _StoreThatEndsTheClaimant:
    """Torchrun's store, with the other process's end heard in the midst of the claim."""

    def __init__(self, *place: object, **options: object) -> None:
        del place, options

    def add(self, key: str, amount: int) -> int:
        del key
        os.kill(os.getpid(), signal.SIGTERM)
        return amount


@pytest.fixture
def ended_at():
    """Hear SIGTERM instead of dying of it."""
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: heard.append(number))
    yield heard
    signal.signal(signal.SIGTERM, before)


def test_the_process_that_reports_outlives_the_others_end(monkeypatch, ended_at):
    """Trap: the other process ended first, torchrun ended this one, and nobody said why."""
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "one")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(torch.distributed, "TCPStore", _StoreThatEndsTheClaimant)
    assert process_group.claim_report(BenchboxError("lr must be a finite number"))
    assert not ended_at


class _NoStore:
    """Torchrun's store on a machine too busy to answer."""

    def __init__(self, *place: object, **more: object) -> None:
        raise RuntimeError("timed out")


@pytest.mark.parametrize("number", [0, 1])
def test_without_the_store_the_number_decides_who_reports_first(monkeypatch, ended_at, number):
    """Trap: both were silent, one for want of an answer, the other for it was ended."""
    waited: list[float] = []
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "one")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", str(number))
    monkeypatch.setattr(torch.distributed, "TCPStore", _NoStore)

    def wait(seconds: float) -> None:
        waited.append(seconds)
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL  # whom another has spoken for

    monkeypatch.setattr(process_rank.time, "sleep", wait)
    assert process_group.claim_report(BenchboxError("lr must be a finite number"))
    assert waited == [10.0][:number]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    assert not ended_at
