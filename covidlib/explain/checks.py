"""Does a heatmap mean something? Where its heat lies, and whether it depends on the training."""

from collections.abc import Callable
from copy import deepcopy

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr
from torch import BoolTensor, Tensor, nn

from covidlib.data.seeds import generator
from covidlib.explain.maps import stretch, untouched

Maps = Callable[[nn.Module], Tensor]


def mass_inside(maps: Tensor, masks: BoolTensor) -> Tensor:
    """Return the share of each map's heat that lies inside a mask, such as the lungs.

    A map that is the same everywhere has the mask's share of the area, see ``area``: that is
    chance, and a score means nothing without it.

    Args:
        maps: at least 0, any size. Shape: (N, h, w).
        masks: Shape: (N, H, W).

    Returns:
        In [0, 1]; NaN where a map has no heat at all. Shape: (N,).

    Raises:
        ValueError: a map has negative values: shares would not add up to 1.
    """
    if (maps < 0).any():
        raise ValueError("a share of heat needs maps without negative values")
    # One factor per map leaves the shares alone and keeps tiny gradients out of rounding to 0.
    peak = maps.amax((1, 2), keepdim=True)
    heat = stretch((maps / peak.where(peak > 0, 1)).double(), masks.shape[1:])
    total = heat.sum((1, 2))
    inside = (heat * masks).sum((1, 2))
    return torch.where(total > 0, inside / total, torch.nan)


def area(masks: BoolTensor) -> Tensor:
    """Return the share of the image that each mask covers: ``mass_inside`` of an even map."""
    return masks.double().mean((1, 2))


def blob(size: tuple[int, int], width: float = 0.25) -> Tensor:
    """Return a bell in the middle of the image, a map that looks at no image. Shape: (h, w).

    Args:
        size: of the map.
        width: standard deviation, as a share of each side.
    """
    rows, columns = (
        torch.exp(-(((torch.arange(n) + 0.5) / n - 0.5) ** 2) / (2 * width**2)) for n in size
    )
    return rows[:, None] * columns


def randomised(
    network: nn.Module, maps: Maps, images: Tensor, *calls: Tensor, seed: int = 0
) -> pd.DataFrame:
    """Compare maps with those of the network as its layers lose their training, last layer first.

    The model-randomisation check of Adebayo et al. (2018): a map that stays the same does not
    depend on what the network has learnt.

    Args:
        network: trained; a copy is randomised.
        maps: returns maps (N, h, w) of the network it is given.
        images: one batch, to find the order in which layers are used. Shape: (N, C, H, W).
        *calls: what else the network is called with, such as lung masks.
        seed: of the random weights.

    Returns:
        A row per step, named after the layers that lost their weights in it ("trained" first), a
        column per image: Spearman's correlation of the positions with the map of the trained
        network; NaN where that is the same everywhere, so that there is nothing to compare with,
        and 0 where only the other is.
    """
    copy = deepcopy(network).eval()
    before = maps(copy)
    lines = {"trained": _rank_correlations(before, before)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(generator("randomisation", seed).initial_seed())
        for name, layers in _cascade(copy, images, *calls).items():
            for layer in layers:
                layer.reset_parameters()
            lines[name] = _rank_correlations(before, maps(copy))
    return pd.DataFrame(lines).T.rename_axis("randomised down to")


def _cascade(network: nn.Module, *inputs: Tensor) -> dict[str, list[nn.Module]]:
    """Return the layers with weights, those used last first, grouped by stage."""
    used: dict[nn.Module, str] = {}

    def note(name: str) -> Callable[..., None]:
        def hook(layer: nn.Module, *_: object) -> None:  # what a hook returns replaces the output
            used.setdefault(layer, name)

        return hook

    hooks = [
        layer.register_forward_hook(note(name))
        for name, layer in network.named_modules()
        if hasattr(layer, "reset_parameters") and any(True for _ in layer.parameters(recurse=False))
    ]
    try:
        with untouched(network), torch.no_grad():
            network(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    groups: dict[str, list[nn.Module]] = {}
    for layer, name in reversed(used.items()):
        groups.setdefault(".".join(name.split(".")[:2]), []).append(layer)
    return groups


def _rank_correlations(first: Tensor, second: Tensor) -> np.ndarray:
    pairs = zip(first.flatten(1).numpy(), second.flatten(1).numpy(), strict=True)
    return np.array([_spearman(one, two) for one, two in pairs])


def _spearman(one: np.ndarray, two: np.ndarray) -> float:
    if np.ptp(one) == 0:
        return float("nan")
    if np.ptp(two) == 0:
        return 0.0
    return float(spearmanr(one, two).statistic)
