"""Drawings of networks, made from the networks themselves."""

from matplotlib.axes import Axes

from covidlib.models.attention_resnet import CHANNELS, PLACEMENTS, STAGES

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#666666"  # Okabe and Ito's colours


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
    axes.text(0, 0.75, "outputs at 224 pixels   " + "   ".join(sides), fontsize=9, color=GREY)
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
