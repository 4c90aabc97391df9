"""A training on several processes is that of one: gloo on two and three processes of the CPU."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent


def run_together(count: int, script: str, *words: object) -> None:
    """Run a script in `count` processes that find each other, as `torchrun` starts them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": count, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    started = []
    for number in range(count):
        own = shared | {"RANK": number, "LOCAL_RANK": number, "TORCHELASTIC_RUN_ID": "test"}
        surroundings = os.environ | {key: str(value) for key, value in own.items()}
        surroundings["OMP_NUM_THREADS"] = "1"
        started.append(
            subprocess.Popen(
                [sys.executable, str(HERE / script), *map(str, words)],
                env=surroundings,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    try:
        for process in started:
            said = process.communicate(timeout=1800)[1]
            assert process.returncode == 0, said[-3000:]
    finally:
        for process in started:
            process.kill()


@pytest.mark.parametrize("count", [2, 3])
def test_losses_gradients_and_statistics_are_those_of_the_whole_batch(tmp_path, count):
    """Traps: 7 rows on 2 or 3 processes, a loss across rows, batch statistics of a part, gradients
    of what the loss itself holds summed once for every process, dropout drawn anew in each."""
    run_together(1, "split_process.py", tmp_path / "one")
    run_together(count, "split_process.py", tmp_path / "more")
    wanted = torch.load(tmp_path / "one" / "0.pt")
    for number in range(count):
        found = torch.load(tmp_path / "more" / f"{number}.pt")
        assert found.keys() == wanted.keys()
        for name, value in wanted.items():
            torch.testing.assert_close(found[name], value, rtol=1e-9, atol=1e-11, msg=name)


def losses(folder: Path) -> dict[tuple[str, str], float]:
    found = {}
    for log in sorted(folder.glob("0/*/log.csv")):
        for line in log.read_text().splitlines()[1:]:
            stage, step, _, loss, *_ = line.split(",")
            found[f"{log.parent.name} {stage}", step] = float(loss)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
def test_every_recipe_learns_alike_on_several_processes(tmp_path, count):
    """Rounding grows from step to step, the more the fewer rows a batch normalisation has."""
    run_together(1, "recipe_process.py", tmp_path / "one")
    run_together(count, "recipe_process.py", tmp_path / "more")
    wanted, found = losses(tmp_path / "one"), losses(tmp_path / "more")
    assert found.keys() == wanted.keys()
    assert len({stage.split()[0] for stage, _ in wanted}) == 7
    first = {}
    for (stage, step), value in wanted.items():
        assert found[stage, step] == pytest.approx(value, rel=0.06), (stage, step)
        first.setdefault(stage.split()[0], (stage, step))
    for place in first.values():
        assert found[place] == pytest.approx(wanted[place], rel=1e-4), place
