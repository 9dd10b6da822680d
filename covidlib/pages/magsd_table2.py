"""Table 2's augmentation and what of it a network sees (``notebooks/magsd/data.py``)."""

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from torch import Tensor

from covidlib.data import Dataset
from covidlib.data.augmentation import (
    MAGSD_TABLE2,
    NONE,
    Augmentation,
    Range,
    apply,
    to_model_input,
)
from covidlib.data.draws import draw
from covidlib.data_page import PlainTable
from covidlib.figures import image_grid
from covidlib.pages.magsd_data import square, verdict_of
from covidlib.plans.magsd_runs import CLAHE, PAPER
from covidlib.published import published
from covidlib.verdicts import ABOVE, BELOW, REPRODUCED

# Of Table 2: operation, its name here, its metric in the published table, unit.
RANGES = (
    ("brightness adjustment", "brightness", "brightness_factor", ""),
    ("contrast adjustment", "contrast", "contrast_factor", ""),
    ("rotation", "angle", "rotation", " degrees"),
)
ROUNDING = 1e-3  # standard deviations; a grey level is about twenty times as much


def augmentations(undone: bool) -> PlainTable:
    """Return Table 2: operation, paper, here, verdict, and whether the network can see it.

    Args:
        undone: whether the z-score takes the grey-value operations back; see ``reaches``.
    """
    printed = published("magsd", 2).set_index("metric")["number"]
    lines = {}
    for title, name, metric, unit in RANGES:
        said = tuple(float(printed[f"{metric}_{end}"]) for end in ("min", "max"))
        chosen = getattr(MAGSD_TABLE2, name)
        here = (chosen.low, chosen.high)
        lines[title] = {
            "paper": f"{said[0]:g} to {said[1]:g}",
            "here": f"{here[0]:g} to {here[1]:g}{unit}",
            "verdict": REPRODUCED if said == here else ABOVE if here > said else BELOW,
            "reaches the network": "no" if undone and name != "angle" else "yes",
        }
    side, crop = int(printed["output_size"]), MAGSD_TABLE2.crop
    lines["resized cropping"] = {
        "paper": f"to {side}×{side}",
        "here": f"{crop.low:g} to {crop.high:g} of the side, to {PAPER.size}×{PAPER.size}",
        "verdict": verdict_of(side, PAPER.size),
        "reaches the network": "yes",
    }
    for title in ("horizontal flipping", "vertical flipping"):
        lines[title] = {"paper": None, "here": "drawn or not", "reaches the network": "yes"}
    note = (
        "Each image gets a random number of the six, every number equally likely; the paper names "
        "no unit of the rotation and no range of the crop."
    )
    return PlainTable(pd.DataFrame.from_dict(lines, orient="index"), note)


def reaches(dataset: Dataset) -> dict[str, float]:
    """Measure what the grey-value operations of Table 2 change of a network's input.

    Returns:
        The largest change of the first COVID-19 image by brightness and by contrast at their
        strongest, in grey values (white is 1), and by either after the z-score ("undone"), in
        standard deviations.
    """
    row = dataset.table[dataset.table["label"] == "COVID-19"].sort_values("sample").iloc[0]
    return changes(torch.from_numpy(square(row["path"], CLAHE))[None, None])


def changes(image: Tensor) -> dict[str, float]:
    """Measure ``reaches`` on one image, uint8, (1, 1, S, S)."""
    found = {"undone": 0.0}
    for name in ("brightness", "contrast"):
        low = getattr(MAGSD_TABLE2, name).low
        strongest = Augmentation(**{name: Range(low, low)})
        after = apply(strongest, image, draw(strongest, 1, (0,)))
        before = apply(NONE, image, draw(NONE, 1, (0,)))
        found[name] = float((after - before).abs().max())
        inputs = [to_model_input(x, "zscore") for x in (before, after)]
        found["undone"] = max(found["undone"], float((inputs[1] - inputs[0]).abs().max()))
    return found


def draw_augmented(ax: Axes, dataset: Dataset, count: int = 8, seed: int = 0) -> Axes:
    """Draw one image under Table 2's augmentation, the first as it is."""
    row = dataset.table[dataset.table["label"] == "COVID-19"].sort_values("sample").iloc[0]
    image = torch.from_numpy(square(row["path"], CLAHE))[None, None]
    drawn = draw(MAGSD_TABLE2, count - 1, (seed, 0, 0))
    several = apply(MAGSD_TABLE2, image.expand(count - 1, -1, -1, -1), drawn)
    shown = [image[0, 0].numpy(), *(several[:, 0].numpy() * 255).round().astype(np.uint8)]
    titles = ["as it is", *(f"draw {k}" for k in range(1, count))]
    return image_grid(ax, shown, titles, columns=4)
