"""Drawings of networks and of chains of stages, made from what they show."""

from collections.abc import Mapping

from matplotlib.axes import Axes

from covidlib.models.attention_resnet import CHANNELS, PLACEMENTS, STAGES
from covidlib.runs.spec import RunSpec

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#666666"  # Okabe and Ito's colours
GREEN = "#009e73"
# By stage: its colour, and what it is told of its images.
TOLD = {
    "stl-n": (BLUE, "labels of objects"),
    "stl-m": (BLUE, "labels of diseases"),
    "sstl-m": (ORANGE, "no label: two views,\nfive lobes"),
    "target": (GREEN, "COVID-19 or not"),
}


def framework(axes: Axes, chains: Mapping[str, RunSpec]) -> Axes:
    """Draw the stages before the target (msatl, figure 1a, redrawn).

    Args:
        axes: to draw on.
        chains: the last run of each chain by name, a line each; all of the same stages.
    """
    from matplotlib.patches import FancyBboxPatch

    for line, (name, last) in enumerate(chains.items()):
        y, runs = -1.9 * line, [last]
        while runs[0].init is not None:
            runs.insert(0, runs[0].init)
        axes.text(-0.3, y, name, ha="right", va="center", fontsize=11)
        for place, run in enumerate(runs):
            x, (colour, _) = 3.6 * place, TOLD[run.stage]
            look = {"boxstyle": "round,pad=0,rounding_size=0.1", "fc": colour, "ec": "none"}
            axes.add_patch(FancyBboxPatch((x, y - 0.55), 2.8, 1.1, **look))
            words = {"color": "white", "ha": "center", "va": "center"}
            axes.text(x + 1.4, y + 0.22, run.stage.upper(), fontsize=11, **words)
            axes.text(x + 1.4, y - 0.24, run.data.dataset, fontsize=9.5, **words)
            if place:
                _arrow(axes, (x - 0.8, y), (x, y))
            if not line:
                note = {"fontsize": 9, "color": GREY, "ha": "center", "va": "bottom"}
                axes.text(x + 1.4, 0.7, TOLD[run.stage][1], **note)
    below = 0.75 - 1.9 * len(chains)
    handed = "each arrow hands on all weights but the classifier's"
    axes.text(0, below, handed, color=GREY, fontsize=9)
    axes.set_xlim(-2.6, 13.8)
    axes.set_ylim(below - 0.4, 1.7)
    axes.set_aspect("equal")
    axes.axis("off")
    return axes


def attention_resnet(axes: Axes, depth: int = 50, size: int = 224) -> Axes:
    """Draw where the 0, 1 or 5 attention layers stand (msatl, figure 1b, redrawn).

    Args:
        axes: to draw on.
        depth: of the ResNet.
        size: side of the input, pixels.
    """
    widths = dict(zip(STAGES, CHANNELS[depth], strict=True))
    for line, (variant, counts) in enumerate(PLACEMENTS.items()):
        y, x = -1.6 * line, 0.0
        axes.text(-0.25, y, variant, ha="right", va="center", fontsize=11)
        for stage, count in zip(STAGES, counts, strict=True):
            _box(axes, x, y, 1.5, BLUE, stage)
            x += 1.6
            for _ in range(count):
                _box(axes, x, y, 0.5, ORANGE, "A")
                x += 0.6
            x += 0.25
        _box(axes, x, y, 1.0, GREY, "GAP, fc")
    sides = (f"{s}: {size // 4 // 2**i}²×{widths[s]}" for i, s in enumerate(STAGES))
    axes.text(0, 0.75, f"outputs at {size} pixels   " + "   ".join(sides), fontsize=9, color=GREY)
    axes.set_xlim(-1.9, 12.4)
    axes.set_ylim(-4.1, 1.2)
    axes.set_aspect("equal")
    axes.axis("off")
    return axes


def _box(axes: Axes, x: float, y: float, width: float, colour: str, text: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    shape = FancyBboxPatch(
        (x, y - 0.4), width, 0.8, boxstyle="round,pad=0,rounding_size=0.1", fc=colour, ec="none"
    )
    axes.add_patch(shape)
    axes.text(x + width / 2, y, text, ha="center", va="center", color="white", fontsize=10)


def self_supervision(axes: Axes) -> Axes:
    """Draw the two branches of SSTL-M and the loss of equation 6 (msatl, figure 2, redrawn).

    Args:
        axes: to draw on.
    """
    boxes = {
        "slice": (0, 0, 1.2, GREY, "slice\n$X$"),
        "one": (2.1, 2.4, 1.7, GREY, "view $X_q$"),
        "two": (2.1, 1.2, 1.7, GREY, "view $X_k$"),
        "generator": (2.1, -1.6, 1.7, ORANGE, "Generator\neq. 4"),
        "query": (4.8, 2.4, 2.3, BLUE, "query encoder"),
        "key": (4.8, 1.2, 2.3, "#33658a", "key encoder"),
        "again": (6.0, -1.6, 2.3, BLUE, "query encoder"),
        "queue": (8.4, 0.0, 1.7, GREY, "queue of keys"),
        "contrast": (8.4, 1.8, 1.7, ORANGE, "$L_{cons}$\neq. 2"),
        "region": (8.8, -1.6, 1.6, ORANGE, "$L_{ra}$\neq. 5"),
        "total": (11.2, 0.2, 1.9, GREEN, "$\\alpha_1 L_{cons}$\n$+\\,\\alpha_2 L_{ra}$"),
    }
    for x, y, width, colour, text in boxes.values():
        _box(axes, x, y, width, colour, text)
    lobes = ("ru", "rm", "rl", "lu", "ll")
    for number, name in enumerate(lobes):
        _box(axes, 4.35, -1.6 + 0.88 * (2 - number), 0.8, GREY, name)
    right = {name: (x + width, y) for name, (x, y, width, _, _) in boxes.items()}
    left = {name: (x, y) for name, (x, y, _, _, _) in boxes.items()}
    for start, end in (
        ("slice", "one"), ("slice", "two"), ("slice", "generator"), ("one", "query"),
        ("two", "key"), ("query", "contrast"), ("key", "contrast"), ("again", "region"),
        ("contrast", "total"), ("region", "total"),
    ):  # fmt: skip
        _arrow(axes, right[start], left[end])
    _arrow(axes, right["key"], left["queue"])
    _arrow(axes, (9.25, 0.42), (9.25, 1.36))
    for number in range(len(lobes)):
        y = -1.6 + 0.88 * (2 - number)
        _arrow(axes, right["generator"], (4.33, y))
        _arrow(axes, (5.17, y), left["again"])
    _arrow(axes, (5.95, 1.98), (5.95, 1.62), "--")
    notes = {
        (6.05, 1.8): "slow copy, eq. 3", (6.05, 3.0): "gradient", (5.5, 0.62): "no gradient",
        (9.35, 0.85): "negatives", (6.05, -2.25): "same weights",
        (8.85, -2.25): "shared classifier",
    }  # fmt: skip
    for (x, y), text in notes.items():
        axes.text(x, y, text, fontsize=8.5, color=GREY, va="center")
    axes.set_xlim(-0.2, 13.3)
    axes.set_ylim(-4.0, 3.3)
    axes.set_aspect("equal")
    axes.axis("off")
    return axes


def _arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], line: str = "-"
) -> None:
    look = {"arrowstyle": "->", "color": GREY, "linestyle": line, "shrinkA": 2, "shrinkB": 2}
    axes.annotate("", xy=end, xytext=start, arrowprops=look)
