"""What a classifier knows that sees no lung (``notebooks/manet/shortcuts.py``)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from covidlib import figures
from covidlib.book import Page
from covidlib.data_page import PlainTable
from covidlib.evaluation.predictions import scored
from covidlib.evaluation.resampling import draw, recall_by_class
from covidlib.pages.results import NOT_YET, Results, gather, nothing
from covidlib.plans.manet import ATTENTIONS, label
from covidlib.runs.record import Record
from covidlib.runs.running import shown
from covidlib.runs.store import Store
from covidlib.training.lungs import show

NAME = "manet/shortcuts"
NO_INDEX = "none, as the lungs tell nothing beyond chance"
VIEWS = {
    "image": "the whole image",
    "lungs": "the lungs alone",
    "outside": "all but the lungs",
    "shape": "the mask's shape",
    "frame": "the outer eighth",
}


def results(page: Page) -> Results:
    """Train, or find, ResNet50 on each view; "smoke" trains the plain one on three of them."""
    return gather(
        page,
        NAME,
        lambda cell: cell["attention"] == "none" and cell["view"] in ("lungs", "shape", "frame"),
    )


def views(page: Page, found: Results) -> dict[str, np.ndarray]:
    """Return one test image as each view shows it, (S, S), uint8."""
    spec = next(s for row in found.chosen.rows for s in row.specs if s.data.view == "lungs")
    data = shown(spec, Store(page.store), page.root)
    whole = found.chosen.rows[0].specs[0].data
    row = int(data.rows("test")[0])
    image = _decoded(whole, page)[row][None]
    lungs = np.asarray(data.cached.lungs[row])[None]
    return {title: show(image, lungs, view)[0] for view, title in VIEWS.items()}


def _decoded(settings, page: Page) -> np.ndarray:
    from covidlib.training.data import training_data

    return training_data(settings, page.root).cached.images


def draw_views(axes: Sequence[Axes], pictures: dict[str, np.ndarray]) -> None:
    """Draw one image as each view shows it."""
    for ax, (title, picture) in zip(axes, pictures.items(), strict=True):
        ax.imshow(picture, cmap="gray", vmin=0, vmax=255)
        ax.set_title(title, fontsize=9)
        ax.set_axis_off()


def balanced(records: Sequence[Record], resamples: int = 2000) -> tuple[np.ndarray, int] | None:
    """Return balanced accuracy, first of the images as they are, then of drawn patients.

    The mean over classes of the share that is right, so that the largest class is worth no more
    than chance; means over trials.

    Returns:
        Values, (1 + resamples,), and the number of classes; None without records.
    """
    if not records:
        return None
    sides = [scored(record.predictions) for record in records]
    first = sides[0]
    rng = np.random.default_rng(0)
    times = draw(first.clusters, first.truth.astype(str), resamples, rng).astype(float)
    weights = np.vstack([np.ones(len(first)), times])
    recalls = [recall_by_class(side.truth, side.predicted, weights) for side in sides]
    return np.nanmean(recalls, axis=2).mean(axis=0), len(np.unique(first.truth))


def index(view: Sequence[Record], lungs: Sequence[Record]) -> tuple[float, float, float] | None:
    """Return a shortcut index with its interval: what a view knows of what the lungs tell.

    (b − c) / (a − c) with a the balanced accuracy on the lungs, b on the view and c chance: 0
    where the view says nothing, 1 where it says as much. Drawn patients are the same in both.

    Returns:
        None without records on both sides, or where the lungs tell nothing beyond chance.
    """
    both = balanced(view), balanced(lungs)
    if None in both:
        return None
    (seen, classes), (whole, _) = both
    chance = 1 / classes
    if whole[0] - chance < 0.05:
        return None
    # A drawn set on which the lungs tell nothing has no index; the quantiles are of the others.
    usable = whole - chance > 0.05
    drawn = ((seen - chance) / np.where(usable, whole - chance, np.nan))[1:]
    low, high = np.nanquantile(drawn, (0.025, 0.975))
    return float((seen[0] - chance) / (whole[0] - chance)), float(low), float(high)


def table(found: Results) -> PlainTable:
    """Return balanced accuracy and index of every view: recorded and this run."""
    lines = {}
    for row in found.chosen.rows:
        cell = dict(row.cell)
        name = f"{label('resnet50', cell['attention'])}: {VIEWS[cell['view']]}"
        reference = f"{label('resnet50', cell['attention'])}: lungs"
        line = {}
        for kind, runs in (("recorded", found.shown), ("this run", found.done)):
            records = runs.get(row.label, [])
            measured = balanced(records)
            line[kind] = NOT_YET if kind == "recorded" else None
            if measured is not None:
                low, high = np.nanquantile(measured[0][1:], (0.025, 0.975))
                drawn = "phantoms: " if records[0].phantom else ""
                value = f"{measured[0][0]:.3f} [{low:.2f}, {high:.2f}] (n={len(records)})"
                line[kind] = drawn + value
            value = index(records, runs.get(reference, []))
            shares = None if value is None else _shares(value)
            line[f"index, {kind}"] = shares if cell["view"] != "lungs" else None
        lines[name] = line
    columns = ["recorded", "index, recorded", "this run", "index, this run"]
    frame = pd.DataFrame.from_dict(lines, orient="index")[columns]
    caption = (
        "Balanced accuracy on the test images with 95% intervals over patients, and the shortcut "
        "index beside the same network on the lungs. No index: nothing recorded, or the lungs "
        "themselves tell nothing beyond chance."
    )
    return PlainTable(frame, caption)


def _shares(value: Sequence[float]) -> str:
    """Write an index with its interval."""
    return f"{value[0]:.2f} [{value[1]:.2f}, {value[2]:.2f}]"


def draw_index(axes: Sequence[Axes], found: Results) -> None:
    """Draw balanced accuracy by view, recorded (left) and of this run (right)."""
    for ax, (kind, runs) in zip(
        axes, (("recorded", found.shown), ("this run", found.done)), strict=True
    ):
        ax.set_title(kind)
        lines = {r.label: dict(r.cell) for r in found.chosen.rows if runs.get(r.label)}
        if not lines:
            nothing(ax)
            continue
        kinds = [a for a in ATTENTIONS if any(c["attention"] == a for c in lines.values())]
        order = list(VIEWS)
        looks = figures.looks([label("resnet50", a) for a in kinds])
        for shift, (attention, (name, look)) in enumerate(zip(kinds, looks, strict=True)):
            mine = [(k, c) for k, c in lines.items() if c["attention"] == attention]
            for number, (key, cell) in enumerate(mine):
                values, classes = balanced(runs[key])
                low, high = np.nanquantile(values[1:], (0.025, 0.975))
                place = order.index(cell["view"]) + 0.18 * shift
                ax.plot([low, high], [place, place], color=look["color"], linewidth=2)
                ax.plot(values[0], place, "o", color=look["color"],
                        label=None if number else name)  # fmt: skip
        ax.axvline(1 / classes, color="0.5", linestyle="--", linewidth=1)
        ax.set_yticks(range(len(order)), [VIEWS[view] for view in order])
        ax.set(xlim=(0, 1.02), ylim=(len(order) - 0.4, -0.5), xlabel="balanced accuracy")
        figures.legend_below(ax, ncols=2)


def sentences(found: Results) -> dict[str, str]:
    """Return the numbers of the page's sentences, as text."""
    told = {}
    for kind, runs in (("recorded", found.shown), ("here", found.done)):
        for view in VIEWS:
            measured = balanced(runs.get(f"ResNet50: {view}", []))
            told[f"{kind}_{view}"] = NOT_YET if measured is None else f"{measured[0][0]:.2f}"
        for attention in ATTENTIONS:
            name = label("resnet50", attention)
            sides = [runs.get(f"{name}: {view}", []) for view in ("shape", "lungs")]
            value = index(*sides)
            why = NO_INDEX if all(sides) else NOT_YET
            told[f"{kind}_index_{attention}"] = why if value is None else _shares(value)
    return told
