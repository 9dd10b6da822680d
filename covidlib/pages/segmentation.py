"""Where the lungs are: settings and scores (``notebooks/manet/segmentation.py``)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from covidlib import figures
from covidlib.evaluation.overlap import overlap_intervals
from covidlib.pages.results import NOT_YET, Results
from covidlib.plans import plan
from covidlib.published import PaperValue, claimed_value
from covidlib.runs.record import Record
from covidlib.tables import ComparisonTable, Row, comparison_table
from covidlib.training.segmentation import CLEANED
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


def paper_iou(label: str) -> PaperValue | None:
    """Return the IoU that the paper prints for a class in its text (manet sec. 4.1)."""
    return claimed_value("manet", CLAIMED[label]) if label in CLAIMED else None


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
