"""Figures 1 to 4 of magsd as our own diagrams, their numbers read from the network."""

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from covidlib.models.backbones import plan
from covidlib.models.ma_net import MANetSettings

BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#666666"
Point = tuple[float, float]


def overview(ax: Axes) -> Axes:
    """Draw one training step (compare magsd figure 1)."""
    image, primary, views = (0.8, 3.0), (3.6, 3.0), (3.6, 0.9)
    second, loss = (6.5, 0.9), (9.3, 2.0)
    _box(ax, image, 1.3, "image\n$I_0$", GREY)
    _box(ax, primary, 1.7, "MA-Net", BLUE)
    _box(ax, views, 2.2, "mix-up, dimming,\npatching", ORANGE)
    _box(ax, second, 1.7, "MA-Net\nsame weights", BLUE)
    _box(ax, loss, 2.0, "cross-entropy\n+ soft distance", GREEN)
    _arrow(ax, (1.45, 3.0), (2.75, 3.0))
    _arrow(ax, (1.2, 2.6), (2.5, 1.2))
    _arrow(ax, (3.6, 2.6), (3.6, 1.3), "attention $A$", (3.7, 1.95))
    _arrow(ax, (4.45, 3.0), (8.3, 2.3), "prediction $P$", (6.3, 2.95))
    _arrow(ax, (4.7, 0.9), (5.65, 0.9), "$I_1, I_2, I_3$", (4.72, 0.35))
    _arrow(ax, (7.35, 0.9), (8.3, 1.7), "$p_1, p_2, p_3$", (7.85, 0.75))
    _arrow(ax, (9.3, 3.3), (9.3, 2.4), "label", (9.4, 3.1))
    return _finish(ax, (0, 10.6), (0.1, 3.6))


def ma_net(ax: Axes, settings: MANetSettings) -> Axes:
    """Draw backbone, attention generator and pooling (compare magsd figures 2 to 4).

    Args:
        ax: where to draw.
        settings: scales that are not used are drawn in grey.
    """
    found = plan(settings.backbone)
    widths, sides, taps = found.widths[-3:], found.sides[-3:], found.taps[-3:]
    for number, (width, side, tap) in enumerate(zip(widths, sides, taps, strict=True)):
        y, used = 3.4 - 1.3 * number, number >= 3 - settings.scales
        colour = BLUE if used else "0.55"
        name = f"$f_{number + 1}$: {width}×{side}×{side}\n{tap.split('.')[0]}"
        _box(ax, (1.2, y), 2.2, name, colour)
        if number:
            _arrow(ax, (1.2, y + 0.9), (1.2, y + 0.4))
        if used:
            _box(ax, (4.2, y), 2.2, f"1×1, norm, ReLU\n{settings.maps}×{side}×{side}", ORANGE)
            _arrow(ax, (2.3, y), (3.1, y))
            _arrow(ax, (5.3, y), (6.25, 1.55 + 0.2 * (1 - number)), "")
    side = sides[-1]
    _box(ax, (7.2, 1.5), 1.8, f"mean, sum\n$A$: {settings.maps}×{side}×{side}", ORANGE)
    _box(ax, (7.2, -0.35), 1.8, "pooling\nequation 1", GREEN)
    _arrow(ax, (7.2, 1.1), (7.2, 0.05))
    ax.plot([1.2, 1.2, 6.2], [0.4, -0.35, -0.35], color=GREY, linewidth=1.3)
    _arrow(ax, (6.0, -0.35), (6.3, -0.35))
    features = settings.maps * widths[-1]
    _box(ax, (9.8, -0.35), 2.2, f"linear\nof {features:,} features", GREY)
    _arrow(ax, (8.1, -0.35), (8.7, -0.35))
    return _finish(ax, (0, 11), (-0.9, 3.9))


def _box(ax: Axes, centre: Point, width: float, text: str, colour: str) -> None:
    x, y = centre[0] - width / 2, centre[1] - 0.4
    style = "round,pad=0,rounding_size=0.08"
    ax.add_patch(FancyBboxPatch((x, y), width, 0.8, boxstyle=style, fc=colour, ec="none"))
    ax.text(*centre, text, ha="center", va="center", color="white", fontsize=9)


def _arrow(ax: Axes, start: Point, end: Point, text: str = "", at: Point = (0, 0)) -> None:
    look = {"arrowstyle": "-|>", "color": GREY, "linewidth": 1.3}
    ax.annotate("", end, start, arrowprops=look)
    ax.text(*at, text, ha="left", va="center", fontsize=9, color="0.25")


def _finish(ax: Axes, wide: Point, high: Point) -> Axes:
    ax.set(xlim=wide, ylim=high)
    ax.set_aspect("equal")
    ax.set_axis_off()
    return ax
