"""Which filters die between two mini-generations, and as what they are born again.

Source: TAT, section 3.1: cosine-similarity pruning (CSP, equation 5) and aligned orthogonal
initialisation (AOI, equations 6 and 7); `repr` is the criterion of RePr (Prakash et al.), which the
paper compares with. A layer is a convolution and the batch normalisation behind it; filters are
rows, flattened to C·h·w.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchbox.errors import PluginError
from benchbox.training.casia_net import conv_norm_pairs

FILTER_INITS = ("aoi", "orth", "uniform")


def filter_similarity(weight: Tensor, *, absolute: bool = False) -> Tensor:
    """Return Sim (N_out,) of a layer's filters: the cosines with all others, summed, over N_out."""
    rows = F.normalize(weight.detach().flatten(1).double(), dim=1)
    cosine = rows @ rows.T
    if absolute:
        cosine = cosine.abs()
    return cosine.fill_diagonal_(0).sum(dim=1) / len(rows)


def choose_filters(
    weights: Sequence[Tensor], share: float, cap: float, *, absolute: bool = False
) -> list[Tensor]:
    """Return the rows to prune in each layer.

    The `share` of all filters that are most similar to their neighbours.

    All filters of the network are ranked together; a layer gives up at most `cap` of its own, and
    where it has, the next filter in the ranking steps in.
    """
    scores = torch.cat([filter_similarity(weight, absolute=absolute).cpu() for weight in weights])
    layer = torch.cat([torch.full((len(weight),), k) for k, weight in enumerate(weights)]).tolist()
    row = torch.cat([torch.arange(len(weight)) for weight in weights]).tolist()
    room = [math.floor(cap * len(weight)) for weight in weights]
    left = round(share * len(scores))
    chosen: list[list[int]] = [[] for _ in weights]
    for place in scores.argsort(descending=True, stable=True).tolist():
        if not left:
            break
        if len(chosen[layer[place]]) < room[layer[place]]:
            chosen[layer[place]].append(row[place])
            left -= 1
    return [torch.tensor(sorted(rows), dtype=torch.long) for rows in chosen]


def orthonormal_rows(kept: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return `count` rows of unit norm, orthogonal to each other and to the `kept` rows (m, d).

    By QR of both.

    Where d has no room for all of them (Conv11: 32 filters of 27 weights) the new rows are so to
    each other only.
    """
    width = kept.shape[1]
    fresh = torch.randn(count, width, dtype=torch.float64, generator=generator)
    rows = torch.cat([kept.double().cpu(), fresh]) if len(kept) + count <= width else fresh
    if count > width:  # no cap: more new filters than dimensions; their columns are orthogonal then
        return F.normalize(torch.linalg.qr(fresh)[0], dim=1)
    q, _ = torch.linalg.qr(rows.T)
    return q.T[-count:]


def aligned_norms(conv: nn.Conv2d, norm: nn.BatchNorm2d, rows: Tensor) -> Tensor:
    """Return ‖W_adj‖ of some filters (equation 6).

    Their norms times batch-norm scale over running deviation.
    """
    assert norm.running_var is not None
    length = conv.weight.detach()[rows].flatten(1).double().norm(dim=1)
    scale = (
        norm.weight.detach()[rows].double().abs()
        / (norm.running_var[rows].double() + norm.eps).sqrt()
    )
    return (length * scale).cpu()


@torch.no_grad()
def renew_filters(
    network: nn.Module, prune: str, init: str, share: float, cap: float, generator: torch.Generator
) -> None:
    """Prune by `csp` or `repr` and give the pruned filters new weights by `aoi`.

    `orth` or `uniform`.

    `scratch` re-initialises the whole network, `none` nothing. The batch normalisation of a filter
    born again is neutral (scale 1, bias 0, mean 0, variance 1), so that its norm is the aligned
    one.
    """
    if prune == "none":
        return
    if prune == "scratch":
        _reset_network(network, generator)
        return
    if prune not in ("csp", "repr") or init not in FILTER_INITS:
        raise PluginError(
            f"prune = {prune!r}, init = {init!r}: "
            f"csp | repr | scratch | none and {' | '.join(FILTER_INITS)}"
        )
    layers = list(conv_norm_pairs(network))
    absolute = prune == "repr"
    weights = [conv.weight for conv, _ in layers]
    for (conv, norm), rows in zip(
        layers,
        choose_filters(weights, share, 1.0 if absolute else cap, absolute=absolute),
        strict=True,
    ):
        if len(rows):
            place = rows.to(conv.weight.device)
            conv.weight[place] = _new_weights(conv, norm, rows, init, generator).to(conv.weight)
            _reset_norm(norm, place)


def _new_weights(
    conv: nn.Conv2d, norm: nn.BatchNorm2d, rows: Tensor, init: str, generator: torch.Generator
) -> Tensor:
    flat = conv.weight.detach().flatten(1).cpu()
    if init == "uniform":
        bound = 1 / math.sqrt(flat.shape[1])  # what the framework gives a new convolution
        return (
            (torch.rand(len(rows), flat.shape[1], generator=generator) * 2 - 1)
            .mul_(bound)
            .view(-1, *conv.weight.shape[1:])
        )
    alive = torch.ones(len(flat), dtype=torch.bool)
    alive[rows] = False
    fresh = orthonormal_rows(flat[alive], len(rows), generator)
    if init == "aoi":
        norms = aligned_norms(conv, norm, rows.to(conv.weight.device))
        drawn = torch.rand(len(rows), dtype=torch.float64, generator=generator)
        fresh = fresh * (norms.min() + drawn * (norms.max() - norms.min()))[:, None]
    return fresh.view(-1, *conv.weight.shape[1:])


def _reset_norm(norm: nn.BatchNorm2d, rows: Tensor) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.weight[rows], norm.bias[rows] = 1.0, 0.0
    norm.running_mean[rows], norm.running_var[rows] = 0.0, 1.0


def _reset_network(network: nn.Module, generator: torch.Generator) -> None:
    """Give every layer the framework's own initial weights again."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
        for module in network.modules():
            reset = getattr(module, "reset_parameters", None)
            if reset is not None:
                reset()
