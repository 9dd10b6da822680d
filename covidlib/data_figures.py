"""Figures of the data pages: what the images look like, their files, and pairs that are alike."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from covidlib.data.decoding import read_uint8
from covidlib.data.properties import file_properties
from covidlib.data.table import Dataset
from covidlib.errors import DataError
from covidlib.figures import image_grid, legend_below, looks

MARKERS = "osD^v"


def samples(ax: Axes, dataset: Dataset, label: str, count: int = 6, seed: int = 0) -> Axes:
    """Draw images of one class, each of another patient where that many are known.

    Args:
        ax: where to draw.
        dataset: where the images come from.
        label: the class.
        count: how many images.
        seed: which.

    Raises:
        DataError: no image has this label.
    """
    rows = dataset.table[dataset.table["label"] == label].sort_values("sample")
    if rows.empty:
        raise DataError(f"{dataset.name} has no image of class {label!r}")
    rows = rows.sample(frac=1, random_state=seed)
    # Patients seen before come last, and unknown ones count as new.
    again = rows["patient"].duplicated() & rows["patient"].notna()
    chosen = pd.concat([rows[~again], rows[again]]).head(count)
    image_grid(ax, [read_uint8(path, "minmax") for path in chosen["path"]], columns=count)
    return ax


def sizes(ax: Axes, dataset: Dataset) -> Axes:
    """Draw width against height of every original file, a colour and marker per class.

    Args:
        ax: where to draw.
        dataset: with the classes' order; images of unknown label are left out.
    """
    files = file_properties(dataset.table)
    for (label, look), marker in zip(looks(dataset.classes), MARKERS, strict=False):
        own = files[(dataset.table["label"] == label).fillna(False)]
        style = {"s": 16, "alpha": 0.55, "linewidths": 0, "marker": marker}
        ax.scatter(own["width"], own["height"], color=look["color"], label=label, **style)
    ax.set(xlabel="width, pixels", ylabel="height, pixels", xlim=(0, None), ylim=(0, None))
    legend_below(ax, ncols=2)
    return ax


def aspects(ax: Axes, dataset: Dataset) -> Axes:
    """Draw the share of images below each aspect ratio, a line per class.

    Args:
        ax: where to draw.
        dataset: with the classes' order; images of unknown label are left out.
    """
    files = file_properties(dataset.table)
    for label, look in looks(dataset.classes):
        own = np.sort(files.loc[(dataset.table["label"] == label).fillna(False), "aspect"])
        if len(own):
            ax.plot(own, np.arange(1, len(own) + 1) / len(own), label=label, **look)
    ax.set(xlabel="width : height", ylabel="share of images below", ylim=(0, 1.02))
    legend_below(ax, ncols=2)
    return ax


def contact_sheet(ax: Axes, pairs: pd.DataFrame, columns: int = 4) -> Axes:
    """Draw pairs of images side by side, with set and label of each.

    Args:
        ax: where to draw.
        pairs: see ``covidlib.data.leaks.described``.
        columns: images per line, an even number so that no pair is broken.

    Raises:
        DataError: no pairs, or an odd number of columns.
    """
    if pairs.empty or columns % 2:
        raise DataError(f"got {len(pairs)} pairs and {columns} columns")
    images, titles = [], []
    for number, pair in enumerate(pairs.itertuples(), 1):
        for side in "ab":
            images.append(read_uint8(getattr(pair, f"path_{side}"), "minmax"))
            where = [getattr(pair, f"{fact}_{side}") for fact in ("split", "label")]
            known = " · ".join("unknown" if pd.isna(fact) else fact for fact in where)
            titles.append(f"{number}{side}  {known}")
    return image_grid(ax, images, titles, columns=columns)
