"""Heatmaps of the two networks of msatl Figure 4, and what they are worth."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from covidlib.explain import area, attention_map, blob, grad_cam, mass_inside, randomised
from covidlib.heat_scores.slices import Slices, shown
from covidlib.plans import plan
from covidlib.runs.provenance import of_images
from covidlib.runs.spec import RunSpec
from covidlib.training.modes import evaluating

PLAN = "msatl/overall"
GRAD_CAM, GRAD_CAM_5 = "Grad-CAM, R-50 baseline", "Grad-CAM, R-50 5 ATTNs"
ATTENTION, BLOB = "attention map, R-50 5 ATTNs", "bell in the middle"
KINDS = {GRAD_CAM: "baseline", GRAD_CAM_5: "attn5", ATTENTION: "attn5", BLOB: ""}


@dataclass(frozen=True)
class HeatScores:
    """What the maps of one kind are worth on N slices.

    Args:
        kind: one of ``KINDS``.
        key: of the network's run; of the bell, of the plain network's.
        seed: of the run.
        size: side of the explained images, pixels.
        grid: cells of a map, (h, w).
        samples: names of the slices.
        patients: whose they are.
        inside: share of each map's heat inside the lungs, NaN without heat. Shape: (N,).
        area: share of each image that its lungs cover, chance for ``inside``. Shape: (N,).
        called: share of these slices, all positive, that the network calls positive.
        randomised: mean rank correlation with the map of the trained network after each step of
            randomisation, by step; empty where it was not done.
        maps: of the slices that ``shown`` names, for the figure. Shape: (up to 4, h, w).
        provenance: commit, versions, data, phantom, profile, slices left out.
    """

    kind: str
    key: str
    seed: int
    size: int
    grid: tuple[int, int]
    samples: tuple[str, ...]
    patients: tuple[str, ...]
    inside: np.ndarray
    area: np.ndarray
    called: float
    randomised: Mapping[str, float]
    maps: np.ndarray
    provenance: Mapping[str, object]


def networks(profile: str, phantoms: bool, seeds: int | None = None) -> list[dict[str, RunSpec]]:
    """Return the runs of R-50 plain ("baseline") and with 5 layers ("attn5"), one pair per seed."""
    found: dict[str, tuple[RunSpec, ...]] = {}
    for row in plan(PLAN, profile, phantoms=phantoms, seeds=seeds).rows:
        cell = dict(row.cell)
        if cell["model"] == "r50":
            found[cell["variant"]] = row.specs
    pairs = zip(found["baseline"], found["attn5"], strict=False)
    return [{"baseline": plain, "attn5": attentive} for plain, attentive in pairs]


def maps_of(kind: str, network: nn.Module, slices: Slices) -> Tensor:
    """Return maps of a kind, (N, h, w): of the positive class, whatever the network predicts."""
    if kind == ATTENTION:
        return attention_map(network, slices.inputs)
    if kind == BLOB:
        side = slices.inputs.shape[2:]
        return blob((side[0] // 32, side[1] // 32)).expand(len(slices), -1, -1)
    return grad_cam(network, slices.inputs, slices.targets)


def score_maps(
    kind: str,
    network: nn.Module,
    slices: Slices,
    *,
    key: str = "",
    seed: int = 0,
    profile: str = "smoke",
    check: int = 16,
) -> HeatScores:
    """Score the maps of one kind.

    Args:
        kind: one of ``KINDS``.
        network: trained.
        slices: to look at.
        key, seed, profile: written down.
        check: how many of the slices serve the randomisation check; 0 leaves it out.
    """
    maps = maps_of(kind, network, slices)
    falls = pd.DataFrame()
    if check and kind != BLOB:
        few = slices[:check]
        falls = randomised(network, lambda net: maps_of(kind, net, few), few.inputs, seed=seed)
    facts = of_images(slices, profile, versions=True)
    return HeatScores(
        kind=kind,
        key=key,
        seed=seed,
        size=slices.inputs.shape[-1],
        grid=tuple(maps.shape[1:]),
        samples=slices.samples,
        patients=slices.patients,
        inside=mass_inside(maps, slices.lungs).numpy(),
        area=area(slices.lungs).numpy(),
        called=_called(network, slices),
        randomised={} if falls.empty else falls.mean(axis=1).dropna().to_dict(),
        maps=maps[shown(slices)].numpy(),
        provenance=facts | {"left_out": slices.left_out, "checked": min(check, len(slices))},
    )


def score_pair(
    pair: Mapping[str, nn.Module], slices: Slices, specs: Mapping[str, RunSpec], **options: object
) -> list[HeatScores]:
    """Score all kinds of maps of the two networks, and the bell.

    Args:
        pair: trained networks, "baseline" and "attn5".
        slices: to look at.
        specs: the runs of the two.
        **options: ``profile`` and ``check``; see ``score_maps``.
    """
    return [
        score_maps(kind, pair[variant or "baseline"], slices, **named(kind, specs), **options)
        for kind, variant in KINDS.items()
    ]


def named(kind: str, specs: Mapping[str, RunSpec]) -> dict[str, object]:
    """Return ``key`` and ``seed`` of the network whose maps of a kind are scored; see ``KINDS``.

    The bell, which asks no network, has those of the plain one: scores of two profiles stay apart.
    """
    spec = specs[KINDS[kind] or "baseline"]
    return {"key": spec.key, "seed": spec.seed}


def _called(network: nn.Module, slices: Slices) -> float:
    with evaluating(network):
        chosen = torch.cat([network(part).argmax(1) for part in slices.inputs.split(32)])
    return float((chosen == slices.label).double().mean())
