"""Words for those who do not see a figure, read off the figure itself."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LONGEST = 400  # characters: a listener cannot skim


def describe(figure: "Figure") -> str:
    """Return what a figure shows: kinds of marks, titles, axes and names in its legends.

    Empty only where a figure has neither marks nor words.
    """
    panels = [ax for ax in figure.axes if ax.get_visible() and ax.get_label() != "<colorbar>"]
    lines = [_panel(ax) for ax in panels]
    lines = [line for line in lines if line]
    heading = figure.get_suptitle()
    names = _names(figure.legends)
    if len(lines) > 1:
        lines = [f"{len(lines)} panels", *_distinct(lines)]
    if names:
        lines.append(f"Legend: {', '.join(names)}")
    return _short(". ".join([heading, *lines] if heading else lines))


def _panel(ax: "Axes") -> str:
    """Describe one panel: its kind, title, axes and legend."""
    parts = [" and ".join(_kinds(ax))]
    if title := _clean(ax.get_title() or ax.get_title("left")):
        parts.append(title)
    if ax.axison:
        axes = [_clean(ax.get_ylabel()), _clean(ax.get_xlabel())]
        if all(axes):
            parts.append(f"{axes[0]} against {axes[1]}")
        elif any(axes):
            parts.append(f"axis: {axes[0] or axes[1]}")
    if ax.get_legend() is not None:
        parts.append(f"legend: {', '.join(_names([ax.get_legend()]))}")
    words = _distinct(_clean(text.get_text()) for text in ax.texts)
    if words and parts == [""]:
        parts = [f"Diagram with the words {', '.join(words)}"]
    elif words and ax.images:
        parts.append(f"labelled {', '.join(words)}")
    return ", ".join(part for part in parts if part)


def _kinds(ax: "Axes") -> list[str]:
    from matplotlib.collections import PathCollection

    found = {
        "picture": bool(ax.images),
        "lines": any(len(line.get_xdata()) > 1 for line in ax.lines),
        "points": any(isinstance(c, PathCollection) for c in ax.collections)
        or any(len(line.get_xdata()) == 1 for line in ax.lines),
        "areas": any(not isinstance(c, PathCollection) for c in ax.collections),
        "bars": bool(ax.containers) and bool(ax.patches),
    }
    return [name for name, there in found.items() if there]


def _names(legends: Iterable[Any]) -> list[str]:
    return _distinct(_clean(text.get_text()) for box in legends for text in box.get_texts())


def _distinct(words: Iterable[str]) -> list[str]:
    return [word for word in dict.fromkeys(words) if word]


def _clean(text: str) -> str:
    return " ".join(text.replace("$", "").split())


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 2].rsplit(" ", 1)[0] + " …"


def attach() -> None:
    """Let every figure of this notebook carry its description in its output's metadata.

    Outside a notebook there is nothing to do.
    """
    from IPython import get_ipython
    from matplotlib.figure import Figure

    shell = get_ipython()
    formatter = shell and shell.display_formatter.formatters["image/png"]
    if not formatter or Figure not in formatter.type_printers:
        return
    draw = formatter.lookup_by_type(Figure)
    if getattr(draw, "describes", False):
        return

    def described(figure: "Figure") -> tuple[Any, dict]:
        drawn = draw(figure)
        data, metadata = drawn if isinstance(drawn, tuple) else (drawn, {})
        return data, {**metadata, "alt": describe(figure)}

    described.describes = True
    formatter.for_type(Figure, described)
