"""The house style: colours, dashes, fonts, and where legends go."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle

import matplotlib as mpl
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.transforms import ScaledTranslation

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (5, 1.5, 1.5, 1.5)))
GREY, WARNING = "0.45", "#d55e00"
STAMP = "phantoms – not data"


@contextmanager
def style() -> Iterator[None]:
    """Give figures made inside the house style: 6.4 inches wide, for a page of 700 pixels."""
    house = {
        **sns.axes_style("ticks"),
        **sns.plotting_context("notebook"),
        "axes.prop_cycle": mpl.cycler(color=PALETTE),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "axes.titleweight": "bold",
        "figure.constrained_layout.use": True,
        "figure.dpi": 110,
        "figure.figsize": (6.4, 4.4),
        "font.family": ["DejaVu Sans"],  # ships with matplotlib: the same figure everywhere
        "font.size": 12,
        "image.cmap": "gray",
        "legend.frameon": False,
        "svg.hashsalt": "covidlib",
    }
    with mpl.rc_context(house):
        yield


def looks(names: Sequence[str]) -> Iterator[tuple[str, dict]]:
    """Yield each name with a colour and a dash of its own."""
    for i, (name, colour) in enumerate(zip(names, cycle(PALETTE), strict=False)):
        yield name, {"color": colour, "linestyle": DASHES[(i + i // len(PALETTE)) % len(DASHES)]}


def legend_below(ax: Axes, **options: object) -> None:
    """Put the legend under the x label, whatever the height of the Axes."""
    down = ScaledTranslation(0, -48 / 72, ax.figure.dpi_scale_trans)
    ax.legend(
        loc="upper center", bbox_to_anchor=(0.5, 0), bbox_transform=ax.transAxes + down,
        borderaxespad=0, fontsize="small", **options,
    )  # fmt: skip
