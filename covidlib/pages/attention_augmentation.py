"""Views made from attention (``notebooks/magsd/attention_augmentation.py``)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from ipywidgets import VBox
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from torch import Tensor

from covidlib.book import Page
from covidlib.figures import PALETTE, legend_below
from covidlib.pages.attended import Chest, draw, draw_image
from covidlib.pages.magsd_start import grid
from covidlib.runs.recorded import recorded
from covidlib.settings import MAGSDSettings
from covidlib.settings.magsd import VIEWS
from covidlib.training import attention_augmentation as augmentation

SETTINGS = MAGSDSettings()
THRESHOLDS = (0.1, 0.3, 0.5, 0.7, 0.9)
TITLES = {"mixup": "mix-up", "dimming": "dimming", "patching": "patching"}
FACTORS = (0.9, 0.7, 0.5, 0.3, 0.1, 0.001)
GRID = np.linspace(0, 0.98, 50)


def shares(count: int, number: int | None = None, seed: int = 0) -> Tensor:
    """Return draws for one chest; a map's number takes the place of the drawn ones."""
    drawn = augmentation.draw_views(1, (seed, 0, 0))
    if number is not None:
        drawn[:, :, 0] = (number + 0.5) / count
    return drawn


def views(chest: Chest, settings: MAGSDSettings, drawn: Tensor) -> dict[str, np.ndarray]:
    """Return the views of one image by name, normalised as the network gets them, (S, S)."""
    made = augmentation.make_views(chest.inputs[:, :1], chest.maps, settings, drawn)
    names = [name for name in VIEWS if name in settings.views]
    return {name: view[0, 0].numpy() for name, view in zip(names, made, strict=True)}


def limits(chest: Chest) -> tuple[float, float]:
    """Return the grey values of the normalised image, black and white of every view of it."""
    return float(chest.inputs.min()), float(chest.inputs.max())


def draw_views(axes: Sequence[Axes], chest: Chest, seed: int) -> None:
    """Draw an image and its three views, with the map and the region that made each."""
    drawn = shares(chest.maps.shape[1], seed=seed)
    made = views(chest, SETTINGS, drawn)
    draw_image(axes[0], chest.inputs[0, 0].numpy(), chest.label, limits(chest))
    for number, (name, view) in enumerate(made.items()):
        which = int(drawn[VIEWS.index(name), 0, 0] * chest.maps.shape[1])
        heat = chest.attention(which)
        draw(axes[1 + 2 * number], chest, heat, f"map {which + 1}")
        outline(axes[1 + 2 * number], heat > 0.5)
        draw_image(axes[2 + 2 * number], view, TITLES[name], limits(chest))


def outline(ax: Axes, region: np.ndarray) -> None:
    """Draw the edge of a region, and the box around it."""
    if not region.any():
        return
    if not region.all():
        ax.contour(region.astype(float), [0.5], colors=["white"], linewidths=1)
    box = augmentation.bounding_box(torch.from_numpy(region)[None, None])
    top, bottom, left, right = (int(edge) for edge in box)
    corners = ([left, right, right, left, left], [top, top, bottom, bottom, top])
    ax.plot(*corners, color="cyan", linewidth=1.4, clip_on=False)


def at_threshold(chest: Chest, threshold: float, number: int) -> dict[str, np.ndarray]:
    """Return the views of one map at one threshold."""
    changed = {f"{name}_threshold": threshold for name in VIEWS}
    return views(chest, replace(SETTINGS, **changed), shares(chest.maps.shape[1], number))


def draw_threshold(axes: Sequence[Axes], chest: Chest, threshold: float, number: int) -> None:
    """Draw region and box of one map, and the three views."""
    heat = chest.attention(number)
    draw(axes[0], chest, heat, f"map {number + 1}, θ = {threshold:g}")
    outline(axes[0], heat > threshold)
    made = at_threshold(chest, threshold, number)
    for ax, (name, view) in zip(axes[1:], made.items(), strict=True):
        draw_image(ax, view, TITLES[name], limits(chest))


def threshold_browser(chest: Chest, *, phantom: bool = False) -> VBox:
    """Return a slider over thresholds, for the map with the largest spread."""
    places = {f"θ = {t:g}": (t, chest.liveliest[0]) for t in THRESHOLDS}
    return _browser(places, chest, "threshold", phantom)


def map_browser(chest: Chest, count: int = 3, *, phantom: bool = False) -> VBox:
    """Return a slider over maps, at the default threshold."""
    total = chest.maps.shape[1]
    places = {f"map {n + 1} of {total}": (0.5, n) for n in chest.liveliest[:count]}
    return _browser(places, chest, "map", phantom)


def _browser(places: dict[str, tuple[float, int]], chest: Chest, what: str, phantom: bool) -> VBox:
    from covidlib.widgets import browser

    frames = {}
    for label, (threshold, number) in places.items():
        figure, axes = plt.subplots(1, 4, figsize=(8.4, 2.4), layout="constrained")
        draw_threshold(axes, chest, threshold, number)
        frames[label] = figure
    return browser(frames, what, phantom=phantom)


def factor_views(chest: Chest, factor: float) -> dict[str, np.ndarray]:
    """Return mix-up and dimming of the liveliest map when γ and the dimming are one number."""
    changed = replace(SETTINGS, mix=factor, dimming_factor=factor)
    made = views(chest, changed, shares(chest.maps.shape[1], chest.liveliest[0]))
    return {name: made[name] for name in ("mixup", "dimming")}


def factor_browser(chest: Chest, *, phantom: bool = False) -> VBox:
    """Return a slider over the factors of mix-up and dimming."""
    from covidlib.widgets import browser

    frames = {}
    for factor in FACTORS:
        figure, axes = plt.subplots(1, 2, figsize=(5.4, 2.9), layout="constrained")
        draw_factor(axes, chest, factor)
        frames[f"γ and dimming factor {factor:g}"] = figure
    return browser(frames, "factor", phantom=phantom)


def draw_factor(axes: Sequence[Axes], chest: Chest, factor: float) -> None:
    """Draw mix-up and dimming with one factor."""
    for ax, (name, view) in zip(axes, factor_views(chest, factor).items(), strict=True):
        sign = "γ = " if name == "mixup" else "× "
        draw_image(ax, view, f"{TITLES[name]}, {sign}{factor:g}", limits(chest))


def areas(chests: Sequence[Chest]) -> pd.DataFrame:
    """Return which share of the image region and box take, over thresholds.

    Returns:
        Columns threshold, region, box: one row for each map of each image and each threshold.
    """
    rows = []
    for chest in chests:
        size = chest.image.shape[0]
        maps = augmentation.upsample(augmentation.rescale(chest.maps[0][:, None]), size)
        for threshold in GRID:
            region = maps > threshold
            top, bottom, left, right = augmentation.bounding_box(region)
            box = ((bottom - top) * (right - left)).double() / size**2
            found = {"region": region.double().mean((1, 2, 3)).numpy(), "box": box.numpy()}
            rows.append(pd.DataFrame({"threshold": threshold, **found}))
    return pd.concat(rows, ignore_index=True)


def recorded_grid(page: Page) -> dict[str, str]:
    """Return the sizes of images and maps in the recorded trainings of Table 7."""
    rows = recorded("magsd/augmentation_count", page.recorded)
    return grid([record for records in rows.values() for record in records])


def draw_areas(ax: Axes, found: pd.DataFrame) -> Axes:
    """Draw medians and quartiles of both areas against the threshold."""
    for colour, name in zip(PALETTE, ("box", "region"), strict=False):
        grouped = found.groupby("threshold")[name]
        low, middle, high = (grouped.quantile(share) for share in (0.25, 0.5, 0.75))
        ax.plot(GRID, middle, color=colour, linewidth=2, label=name)
        ax.fill_between(GRID, low, high, color=colour, alpha=0.2, linewidth=0)
    ax.axvline(0.5, color="0.6", linewidth=1, linestyle=":")
    ax.set(xlabel="threshold θ", ylabel="share of the image", xlim=(0, 1), ylim=(0, 1.02))
    legend_below(ax, ncols=2)
    return ax


def area_at(found: pd.DataFrame, threshold: float, column: str) -> float:
    """Return the median share at the grid's nearest threshold."""
    nearest = GRID[np.abs(GRID - threshold).argmin()]
    return float(found.loc[found["threshold"] == nearest, column].median())


def draw_dimming(axes: Sequence[Axes], chest: Chest) -> None:
    """Draw dimming of the grey values, and of the normalised ones, which is what is done."""
    region = chest.attention(chest.liveliest[0]) > SETTINGS.dimming_threshold
    factor = SETTINGS.dimming_factor
    normalised = chest.inputs[0, 0].numpy()
    draw_image(axes[0], chest.image, "image")
    draw_image(axes[1], np.where(region, factor, 1) * chest.image, "grey values dimmed")
    dimmed = np.where(region, factor, 1) * normalised
    draw_image(axes[2], dimmed, "normalised values dimmed", limits(chest))
