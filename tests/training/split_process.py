"""One of several processes that compute with a small network in double precision.

`split_process.py OUT`: every process writes what it got to OUT/<number>.pt. Environment as
`torchrun` sets it.
"""

import sys
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchbox.process_rank import process_number
from benchbox.training import process_group
from benchbox.training.split_calls import split_calls


class Network(nn.Module):
    """Convolution, both kinds of normalisation, dropout, a list of answers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6)
        self.drop, self.line, self.last = nn.Dropout(0.3), nn.Linear(6, 5), nn.BatchNorm1d(5)
        self.scale = nn.Parameter(torch.tensor(1.5))

    def forward(self, x, extra=None):
        seen = self.norm(self.conv(x)).relu().mean((2, 3))
        line = self.last(self.line(self.drop(seen)))
        return [line, {"seen": seen * self.scale if extra is None else seen + extra}]


def main(out: Path) -> None:
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    net = Network()
    direct = nn.Parameter(torch.ones(5))  # met by the loss itself, outside of any module
    x = torch.randn(7, 2, 6, 6, requires_grad=True)
    found = {}
    with process_group.join_processes("cpu"), split_calls():
        for step in range(2):
            line, more = net(x)
            pairs = (line @ line.T).softmax(1)  # a loss across rows
            loss = pairs[:3, 4:].sum() + (more["seen"] ** 2).mean() + (line * direct).var(0).sum()
            loss.backward()
            found[f"loss{step}"] = loss.detach()
        found |= {f"slope.{name}": p.grad for name, p in net.named_parameters()}
        found |= {"slope.direct": direct.grad, "slope.x": x.grad}
        found |= {f"state.{name}": value for name, value in net.state_dict().items()}
        net.eval()
        with torch.no_grad():
            found["eval"] = net(x)[0]
            found["few"] = net(x[:1])[0]
    out.mkdir(exist_ok=True)
    torch.save(found, out / f"{process_number()}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
