"""Figures of the book: functions that draw on an Axes and return it, under one house style.

Nothing is set globally: figures made inside ``with style():`` look alike, others stay as they are.
Colours are those of Okabe and Ito, apart for colour-blind readers; lines differ in dash as well.
"""

from covidlib.figures.images import image_grid, overlay, phantom_stamp
from covidlib.figures.quality import confusion, reliability, roc_curves
from covidlib.figures.runs import forest, training_curves
from covidlib.figures.steps import steps
from covidlib.figures.style import DASHES, PALETTE, STAMP, legend_below, looks, style

__all__ = [
    "DASHES",
    "PALETTE",
    "STAMP",
    "confusion",
    "forest",
    "image_grid",
    "legend_below",
    "looks",
    "overlay",
    "phantom_stamp",
    "reliability",
    "roc_curves",
    "steps",
    "style",
    "training_curves",
]
