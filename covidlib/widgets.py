"""Controls that also work on a rendered page, where no Python answers."""

import base64
import io
from collections.abc import Mapping
from html import escape

import ipywidgets as widgets
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from covidlib.figures import phantom_stamp


def browser(
    frames: Mapping[str, Figure | str], description: str, *, phantom: bool = False
) -> widgets.VBox:
    """Return a slider that chooses among figures or tables made beforehand.

    Slider and frames are linked in the browser, so the control moves on a static page too.
    Show the same frames side by side below it for readers without JavaScript.

    Args:
        frames: a label and a figure, or HTML, for each position of the slider; the figures are
            closed.
        description: what the slider chooses, one or two words.
        phantom: whether the figures show phantoms and are to say so.

    Raises:
        ValueError: fewer than two frames.
    """
    if len(frames) < 2:
        raise ValueError(f"a slider needs two frames or more, not {len(frames)}")
    if phantom:
        for shown in frames.values():
            if isinstance(shown, Figure):
                phantom_stamp(shown)
    pages = [
        widgets.VBox([widgets.HTML(f"<b>{label}</b>"), _frame(shown, f"{description}: {label}")])
        for label, shown in frames.items()
    ]
    stack = widgets.Stack(children=pages, selected_index=0)
    slider = widgets.IntSlider(
        value=0,
        min=0,
        max=len(pages) - 1,
        description=description,
        readout=False,  # the label above the frame says more than a number
        layout=widgets.Layout(width="min(28rem, 95%)"),
    )
    widgets.jslink((slider, "value"), (stack, "selected_index"))
    return widgets.VBox([slider, stack])


def _frame(figure: Figure | str, alternative: str) -> widgets.HTML:
    """Return HTML as it is, a figure as an image that shrinks with the page and has words."""
    if isinstance(figure, str):
        return widgets.HTML(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight")
    plt.close(figure)
    code = base64.b64encode(buffer.getvalue()).decode()
    words = escape(alternative)
    return widgets.HTML(
        f'<img alt="{words}" style="max-width:100%" src="data:image/png;base64,{code}">'
    )
