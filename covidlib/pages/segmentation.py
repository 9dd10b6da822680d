"""Where the lungs are: network, scores, masks (``notebooks/manet/segmentation.py``)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from covidlib import figures
from covidlib.book import Page
from covidlib.data.batches import DeviceImages
from covidlib.evaluation.overlap import overlap_intervals
from covidlib.models.res_unet import ResUNet, ResUNetSettings
from covidlib.pages.results import NOT_YET, Results
from covidlib.plans import plan
from covidlib.postprocessing import clean
from covidlib.published import PaperValue, claims
from covidlib.runs.record import Record
from covidlib.runs.running import load
from covidlib.tables import ComparisonTable, Row, comparison_table
from covidlib.training.data import training_data
from covidlib.training.method import prepare
from covidlib.training.segmentation import CLEANED, evaluate, lung_masks
from covidlib.verdicts import Measured

NAME = "manet/segmentation"
# Which claim prints the IoU of which class; "" is all images.
CLAIMED = {"": "manet-P04", "normal": "manet-P01", "tuberculosis": "manet-P02"}
CLAIMED |= {"COVID-19": "manet-P03"}
TITLES = {"": "all images", "normal": "normal", "tuberculosis": "TB", "COVID-19": "COVID-19"}
TITLES |= {"other": "other (not in the paper)"}
METRICS = {
    "iou": "IoU", "iou_clean": "IoU, post-processed", "pooled_iou": "IoU, pixels pooled",
    "dice": "Dice",
}  # fmt: skip
LUNGS = {"right": "right lung", "left": "left lung"}
NOTE = (
    "Shares in [0, 1], means over test images unless pooled, with 95% intervals over patients; "
    "n: folds. The paper does not say which IoU it prints; the verdict takes the first. A class "
    "without recorded images is not testable here."
)


@dataclass(frozen=True)
class Shown:
    """One test image with its masks.

    Args:
        name: of the sample.
        image: grey, uint8. Shape: (S, S).
        truth, predicted, cleaned: masks. Shape: (S, S), bool.
        iou, iou_clean: before and after post-processing.
    """

    name: str
    image: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray
    cleaned: np.ndarray
    iou: float
    iou_clean: float

    @property
    def segmented(self) -> np.ndarray:
        """What the second stage sees: the image, black outside the cleaned mask."""
        return self.image * self.cleaned


def settings_table(profile: str) -> pd.DataFrame:
    """Set the settings of a profile beside the paper's (manet sec. 2.2 and 4.1)."""
    ours, paper = (plan(NAME, p, phantoms=False) for p in (profile, "paper"))
    return pd.DataFrame({"paper": _settings(paper), f"profile {profile}": _settings(ours)})


def _settings(chosen) -> dict[str, str]:
    spec = chosen.specs[0]
    training, cleaning = spec.training, spec.training.cleaning
    return {
        "pixels": f"{training.size}²",
        "epochs": str(training.epochs),
        "batch": str(training.batch),
        "learning rate (Adam, constant)": f"{training.lr:g}",
        "weight decay": f"{training.weight_decay:g}",
        "folds run": f"{len(chosen.specs)} of {spec.data.folds}",
        "a pixel is lung from": f"{training.threshold:g} (ours)",
        "regions removed below": f"{cleaning.smallest:.0%} of the picture (ours)",
        "regions kept": f"{cleaning.regions} largest (ours)",
    }


def draw_network(ax: Axes, size: int = 512) -> Axes:
    """Draw the network from itself: each block with the channels and the side it really has."""
    with torch.device("meta"):
        network: ResUNet = ResUNetSettings().build(2)
        seen: dict[str, tuple[int, ...]] = {}
        for name, blocks in (("down", network.down), ("up", network.up)):
            for number, block in enumerate(blocks):
                block.register_forward_hook(
                    lambda _, __, out, key=f"{name}{number}": seen.update({key: out.shape[1:]})
                )
        network(torch.empty(1, 1, size, size))
    depth = len(network.down)
    for number in range(depth):
        _box(ax, number, -number, seen[f"down{number}"], figures.PALETTE[0])
        if number:
            _arrow(ax, (number - 1, 1 - number), (number, -number))
    for number in range(depth - 1):
        column, level = depth + number, depth - 2 - number
        _box(ax, column, -level, seen[f"up{number}"], figures.PALETTE[2])
        _arrow(ax, (column - 1, -level - 1), (column, -level))
        _arrow(ax, (level, -level), (column, -level), "hand across")
    ax.text(-0.2, 0.62, f"image {size}²", ha="center", fontsize=9)
    ax.text(2 * depth - 2, 0.62, "1×1, sigmoid:\nlung", ha="center", va="bottom", fontsize=9)
    ax.text(0.6, -2.6, "down: pool by 2", ha="center", fontsize=9, color="0.35")
    ax.text(
        2 * depth - 2.6, -2.6, "up: transposed\nconvolution", ha="center", fontsize=9, color="0.35"
    )
    ax.set(xlim=(-0.8, 2 * depth - 1.2), ylim=(0.8 - depth - 0.3, 1.3))
    ax.set_axis_off()
    return ax


def _box(ax: Axes, x: float, y: float, shape: Sequence[int], colour: str) -> None:
    look = {"boxstyle": "round,pad=0,rounding_size=0.08", "facecolor": colour, "edgecolor": "none"}
    ax.add_patch(FancyBboxPatch((x - 0.38, y - 0.3), 0.76, 0.6, **look))
    text = f"residual\n{shape[0]} ch.\n{shape[1]}²"
    ax.text(x, y, text, ha="center", va="center", color="white", fontsize=8)


def _arrow(ax: Axes, start: tuple[int, int], end: tuple[int, int], text: str = "") -> None:
    """Draw an arrow between two boxes: level and dashed with its text, or down or up a level."""
    (x0, y0), (x1, y1) = start, end
    lift = 0.3 * np.sign(y1 - y0)
    look = {"arrowstyle": "->", "color": "0.35", "linestyle": "--" if y0 == y1 else "-"}
    ax.annotate("", (x1 - 0.38, y1 - lift), (x0 + 0.38, y0 + lift), arrowprops=look)
    ax.text((x0 + x1) / 2, y0 + 0.06, text, ha="center", fontsize=8, color="0.35")


def paper_iou(label: str) -> PaperValue | None:
    """Return the IoU that the paper prints for a class in its text (manet sec. 4.1)."""
    if label not in CLAIMED:
        return None
    row = claims("manet").set_index("id").loc[CLAIMED[label]]
    value = float(row["value"]) / 100
    return PaperValue(row["value"], row["unit"], value, 0.00005, float("nan"), 4, row["where"])


def table(results: Results) -> ComparisonTable:
    """Return IoU and Dice of all images and of each class: paper, recorded, this run, verdict."""
    known = [r for runs in results.shown.values() for r in runs]
    done = [r for runs in results.done.values() for r in runs]
    present = {label for r in (*known, *done) for label in r.test["label"].unique()}
    rows = []
    for label, title in TITLES.items():
        printed = paper_iou(label)
        if label and printed is None and label not in present:
            continue
        paper = {} if printed is None else {METRICS["iou"]: printed}
        rows.append(Row(title, paper, measured(known, label), measured(done, label)))
    return comparison_table(rows, list(METRICS.values()), note=NOTE)


def measured(records: Sequence[Record], label: str = "") -> Measured | tuple:
    """Return the scores of the test images of all folds, or of one class; () where none is."""
    tables = [record.predictions for record in records]
    if label:
        tables = [part[part["label"] == label] for part in tables]
    tables = [part for part in tables if (part["split"] == "test").any()]
    if not tables:
        return ()
    found = overlap_intervals(tables)
    named = {title: found[name] for name, title in METRICS.items()}
    sides = {f"IoU, {LUNGS[s]}": found[f"iou_{s}"] for s in LUNGS if f"iou_{s}" in found}
    return Measured(named | sides, tuple(record.provenance for record in records))


def test_images(page: Page, results: Results) -> list[Shown]:
    """Return the test images of this run's first fold with their masks, best IoU first."""
    spec = results.chosen.specs[0]
    record = next(r for runs in results.done.values() for r in runs if r.key == spec.key)
    data = training_data(spec.data, page.root)
    network = load(record, spec, data).network
    images = DeviceImages(data.cached, data.classes)
    scores = record.test.set_index("sample")
    found = []
    for batch in images.iterate([data.rows("test")]):
        inputs = prepare(batch.image, spec.training, lungs=batch.lung)
        masks = lung_masks(evaluate(network, inputs.images, spec.training), spec.training)
        for place, row in enumerate(batch.index.tolist()):
            name = data.table["sample"].iloc[row]
            found.append(
                Shown(
                    name,
                    batch.image[place, 0].numpy(),
                    batch.lung[place, 0].numpy(),
                    masks[place],
                    clean(masks[place], spec.training.cleaning),
                    *scores.loc[name, ["iou", "iou" + CLEANED]],
                )
            )
    return sorted(found, key=lambda shown: -shown.iou)


def draw_masks(axes: np.ndarray, shown: Sequence[Shown]) -> None:
    """Draw image, prediction, drawn mask and segmentation, a row per image (manet figure 8)."""
    titles = ("image", "predicted", "drawn", "segmentation")
    for number, (line, one) in enumerate(zip(axes, shown, strict=True)):
        pictures = (one.image, one.predicted, one.truth, one.segmented)
        for ax, picture, title in zip(line, pictures, titles, strict=True):
            ax.imshow(picture, cmap="gray", vmin=0, vmax=255 if picture.dtype == np.uint8 else 1)
            ax.set_axis_off()
            if number == 0:
                ax.set_title(title, fontsize=10)
        line[0].text(-0.04, 0.5, f"IoU {one.iou:.2f}", rotation=90, ha="right", va="center",
                     transform=line[0].transAxes, fontsize=9)  # fmt: skip


def draw_cleaning(axes: np.ndarray, shown: Sequence[Shown]) -> None:
    """Draw masks before and after post-processing where it changed most (manet figure 3)."""
    changed = sorted(shown, key=lambda one: -(one.predicted != one.cleaned).mean())
    for line, one in zip(axes, changed, strict=False):
        gone, filled = one.predicted & ~one.cleaned, one.cleaned & ~one.predicted
        colours = np.zeros((*one.truth.shape, 3))
        colours[one.cleaned & one.predicted] = 0.75
        colours[gone], colours[filled] = (0.84, 0.37, 0), (0, 0.45, 0.7)
        titles = (f"predicted, IoU {one.iou:.3f}", f"cleaned, IoU {one.iou_clean:.3f}", "change")
        for ax, picture, title in zip(
            line, (one.predicted, one.cleaned, colours), titles, strict=True
        ):
            ax.imshow(picture, cmap="gray", vmin=0, vmax=1)
            ax.set_title(title, fontsize=9)
            ax.set_axis_off()


def draw_scores(ax: Axes, records: Sequence[Record]) -> Axes:
    """Draw the IoU of every test image, before against after post-processing, by class."""
    whole = pd.concat([record.test for record in records])
    for (label, part), look in zip(
        whole.groupby("label"), figures.looks(sorted(whole["label"].unique())), strict=True
    ):
        ax.scatter(part["iou"], part["iou" + CLEANED], s=18, alpha=0.7, color=look[1]["color"],
                   label=f"{label} ({len(part)})")  # fmt: skip
    least = max(0.0, min(whole["iou"].min(), whole["iou" + CLEANED].min()) - 0.02)
    ax.plot([least, 1], [least, 1], color="0.7", linewidth=1, zorder=0)
    ax.set(xlabel="IoU as predicted", ylabel="IoU after post-processing", aspect="equal")
    figures.legend_below(ax, ncols=2)
    return ax


def last_epochs(records: Sequence[Record], epochs: int = 10) -> dict[str, str]:
    """Return how the validation IoU of the last epoch compares with those before it.

    Means over folds: the last and the best epoch's; and the largest fall from one epoch to the
    next in the last ``epochs`` of any fold.
    """
    curves = [record.curve["val_iou"].dropna() for record in records]
    if not curves:
        return dict.fromkeys(("last", "best", "fall"), NOT_YET)
    falls = [-curve.diff().tail(epochs).min() for curve in curves]
    numbers = {
        "last": np.mean([curve.iloc[-1] for curve in curves]),
        "best": np.mean([curve.max() for curve in curves]),
        "fall": max(falls),
    }
    return {name: f"{value:.3f}" for name, value in numbers.items()}


def sentences(results: Results, found: ComparisonTable) -> dict[str, float | int | str]:
    """Return the numbers of the page's sentences."""
    told = results.sentences(found)
    known = [r for runs in results.shown.values() for r in runs]
    done = [r for runs in results.done.values() for r in runs]
    told |= {f"epoch_{name}": value for name, value in last_epochs(known).items()}
    for name, records in (("recorded", known), ("here", done)):
        told |= {f"{name}_folds": len(records)}
        scores = overlap_intervals([r.predictions for r in records]) if records else {}
        for metric in ("iou", "iou_clean", "dice", "dice_clean"):
            told[f"{name}_{metric}"] = f"{scores[metric].value:.3f}" if scores else NOT_YET
        tests = pd.concat([r.test for r in records]) if records else pd.DataFrame()
        told[f"{name}_images"] = len(tests)
        if len(tests):
            change = tests["iou" + CLEANED] - tests["iou"]
            told |= {f"{name}_better": int((change > 0.0005).sum())}
            told |= {f"{name}_worse": int((change < -0.0005).sum())}
        else:
            told |= {f"{name}_better": "?", f"{name}_worse": "?"}
    return told
