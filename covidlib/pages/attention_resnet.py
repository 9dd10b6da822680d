"""Costs and maps of the six networks (``notebooks/msatl/attention_resnet.py``)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from ipywidgets import VBox
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from covidlib.book import Page
from covidlib.figures import image_grid, overlay
from covidlib.models.attention_memory import matrix_bytes, network_bytes
from covidlib.models.attention_resnet import PLACEMENTS, AttentionResNet, AttentionResNetSettings
from covidlib.plans.msatl_target import NAMES
from covidlib.runs.running import load, run
from covidlib.runs.spec import RunSpec
from covidlib.runs.store import Store
from covidlib.training.data import training_data
from covidlib.training.method import prepare
from covidlib.training.supervised import Supervised
from covidlib.widgets import browser


def insertion_difference(depth: int, size: int) -> float:
    """Return the largest change of a logit when untrained attention layers are inserted."""
    torch.manual_seed(0)
    images = torch.randn(2, 3, size, size)
    networks = [AttentionResNetSettings(depth, v).build(2).eval() for v in PLACEMENTS]
    for network in networks:
        network.backbone.load_state_dict(networks[0].backbone.state_dict())
    with torch.no_grad():
        logits = [network(images) for network in networks]
    return max(float((other - logits[0]).abs().max()) for other in logits[1:])


def costs(size: int) -> pd.DataFrame:
    """Return parameters, multiply-adds and attention memory of the six networks.

    Args:
        size: side of the input, pixels.
    """
    rows = {}
    for depth in (50, 101):
        for variant in PLACEMENTS:
            network = AttentionResNetSettings(depth, variant).build(2)
            rows[f"R-{depth} {NAMES[variant]}"] = {
                "parameters, M": sum(p.numel() for p in network.parameters()) / 1e6,
                "multiply-adds, G": _multiply_adds(network, size) / 1e9,
                "attention matrices, MB": matrix_bytes(network.settings, size) / 1e6,
            }
    return pd.DataFrame(rows).T


def memory(sizes: Sequence[int] = (224, 512)) -> pd.DataFrame:
    """Return what the attention layers of R-50 keep for one image until the backward pass, MB.

    Measured here, in float32: with the matrices written out, and with the fused kernel.

    Args:
        sizes: sides of the input, pixels.
    """
    rows = {}
    for variant in ("attn1", "attn5"):
        network = AttentionResNetSettings(50, variant)
        for size in sizes:
            explicit, fused = (network_bytes(network, size, way) / 1e6 for way in (True, False))
            rows[f"R-50 {NAMES[variant]}, {size} pixels"] = {
                "matrices alone": matrix_bytes(network, size) / 1e6,
                "explicit": explicit,
                "fused": fused,
                "explicit / fused": explicit / fused,
            }
    return pd.DataFrame(rows).T


def _multiply_adds(network: AttentionResNet, size: int) -> float:
    """Count with torch's own counter, which counts a multiply-add as two operations."""
    with torch.device("meta"):
        twin = AttentionResNetSettings(network.settings.depth, network.settings.variant).build(2)
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad():
            twin.eval()(torch.empty(1, 3, size, size))
    return counter.get_total_flops() / 2


@dataclass(frozen=True)
class Slice:
    """One image of the test split as the network sees it.

    Args:
        image: grey in [0, 1], (H, W).
        inputs: normalised, (1, 3, H, W).
        sample: its name.
    """

    image: np.ndarray
    inputs: Tensor
    sample: str


def trained(spec: RunSpec, page: Page) -> Supervised:
    """Return the trained method of a spec, training it if the page's store lacks it."""
    record = run(spec, Store(page.store), page.root, profile=page.profile)
    return load(record, spec, training_data(spec.data, page.root))


def positive_slice(method: Supervised) -> Slice:
    """Return the test image with COVID-19 that the network is most certain about."""
    images = method.data.on("cpu")
    rows = method.data.rows("test")
    rows = rows[images.labels[rows] == len(method.data.classes) - 1]
    certain = rows[method.probabilities(rows, images)[:, -1].argmax()][None]
    batch = next(images.iterate([certain]))
    inputs = prepare(batch.image, method.settings).images
    grey = inputs[0, 0] - inputs[0, 0].min()
    sample = method.data.table["sample"].iloc[int(certain)]
    return Slice((grey / grey.max().clamp_min(1e-6)).numpy(), inputs, sample)


def mean_maps(method: Supervised, chosen: Slice) -> dict[str, np.ndarray]:
    """Return each layer's attention averaged over all query positions (msatl sec. 6.8)."""
    maps = method.network.eval().attention_maps(chosen.inputs)
    return {name: weights[0].mean((0, 1)).numpy() for name, weights in maps.items()}


def draw_mean_maps(axes: Sequence[Axes], chosen: Slice, maps: dict[str, np.ndarray]) -> None:
    """Draw the slice, then one map per layer over it."""
    image_grid(axes[0], [chosen.image], columns=1, limits=(0, 1)).set_title("slice", fontsize=10)
    for ax, (name, values) in zip(axes[1:], maps.items(), strict=True):
        _overlay(ax, chosen, values, f"{name}, {values.shape[0]}×{values.shape[1]}")


def largest_weight(method: Supervised, chosen: Slice, layer: str) -> float:
    """Return the largest weight that a query gives to one position, averaged over queries."""
    weights = method.network.eval().attention_maps(chosen.inputs)[layer][0]
    return float(weights.flatten(2).amax(2).mean())


def query_positions(side: int) -> list[tuple[int, int]]:
    """Return nine positions of a square map, row by row, away from its border.

    >>> query_positions(12)[:4]
    [(2, 2), (2, 6), (2, 10), (6, 2)]
    """
    places = [round((side - 1) * share) for share in (0.2, 0.52, 0.87)]
    return [(row, column) for row in places for column in places]


def query_maps(method: Supervised, chosen: Slice, layer: str) -> dict[tuple[int, int], np.ndarray]:
    """Return one layer's attention from nine query positions."""
    weights = method.network.eval().attention_maps(chosen.inputs)[layer][0].numpy()
    return {place: weights[place] for place in query_positions(weights.shape[0])}


def draw_queries(axes: Sequence[Axes], method: Supervised, chosen: Slice, layer: str) -> None:
    """Draw attention from nine positions, the asking one marked by a cross."""
    for ax, (place, values) in zip(axes, query_maps(method, chosen, layer).items(), strict=True):
        _overlay(ax, chosen, values, f"asked at row {place[0] + 1}, column {place[1] + 1}")
        _cross(ax, chosen, place, values.shape[0])


def query_browser(method: Supervised, chosen: Slice, layer: str, *, phantom: bool = False) -> VBox:
    """Return a slider over the nine positions, which also works on a static page."""
    frames = {}
    for place, values in query_maps(method, chosen, layer).items():
        figure, ax = plt.subplots(figsize=(4, 4))
        _overlay(ax, chosen, values, "")
        _cross(ax, chosen, place, values.shape[0])
        frames[f"asked at row {place[0] + 1}, column {place[1] + 1}"] = figure
    return browser(frames, "position", phantom=phantom)


def _overlay(ax: Axes, chosen: Slice, values: np.ndarray, title: str) -> None:
    """Draw a map over the slice, from 0 (clear) to the map's own largest weight."""
    overlay(ax, chosen.image, values, limits=(0, float(values.max())))
    ax.set_title(title, fontsize=10)


def _cross(ax: Axes, chosen: Slice, place: tuple[int, int], side: int) -> None:
    step = chosen.image.shape[0] / side
    x, y = (place[1] + 0.5) * step, (place[0] + 0.5) * step
    ax.plot(x, y, "+", color="cyan", markersize=12, markeredgewidth=2)
