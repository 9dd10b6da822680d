"""The best network class by class, manet Tables 4 and 5 (``notebooks/manet/classification.py``)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from statsmodels.stats.proportion import proportion_confint

from covidlib import figures
from covidlib.evaluation import Interval, confusion
from covidlib.evaluation.intervals import mean_interval
from covidlib.evaluation.predictions import Scored, scored
from covidlib.evaluation.resampling import draw
from covidlib.pages.results import NOT_YET, Results, nothing
from covidlib.plans.manet import ATTENTIONS, label
from covidlib.published import PaperValue, paper_values, published
from covidlib.runs.record import Record
from covidlib.tables import ComparisonTable, Row, comparison_table, run_title
from covidlib.verdicts import Measured

BEST = label("resnet50", "mask")  # Tables 4 and 5
# Our classes and the names of the published tables.
CLASSES = {
    "normal": "normal", "COVID-19": "covid19", "TB": "tb", "bacterial pneumonia": "bp",
    "viral pneumonia": "vp",
}  # fmt: skip
SHORT = {**{c: c for c in CLASSES}, "bacterial pneumonia": "BP", "viral pneumonia": "VP"}
CALLED = {name: f"called {short}" for name, short in SHORT.items()}
PNEUMONIAS = ("bacterial pneumonia", "viral pneumonia")
SCORES = ("precision", "recall", "f1")
WHOLE = "weighted average"  # over the classes, by their images
ABSENT = "no images of it"
UNKNOWN = "no images of that class"


def class_table(results: Results) -> ComparisonTable:
    """Return Table 4: scores of each class and their weighted means, ResNet50 with masks."""
    known, done = (runs.get(BEST, []) for runs in (results.shown, results.done))
    recorded, here = class_scores(known), class_scores(done)
    rows = []
    for name, printed in {**CLASSES, WHOLE: "weighted_average"}.items():
        paper = paper_values("manet", 4, SCORES, model="resnet50_ma", class_=printed)
        sides = ((recorded, known), (here, done))
        ours = (found.get(name) or _undefined(runs, SCORES) for found, runs in sides)
        rows.append(Row(name, paper, *ours))
    note = (
        "Shares with 95% intervals over patients and trials. The paper prints its best trial by "
        "test accuracy, which flatters. Undefined cells are not testable here."
    )
    return comparison_table(rows, SCORES, note=note)


def class_scores(
    records: Sequence[Record], resamples: int = 2000, seed: int = 0
) -> dict[str, Measured]:
    """Return precision, recall and F1 of each class with intervals, means over trials.

    Also their means over classes, weighted by the images of each; a class that is never predicted
    has precision 0 in those.
    """
    if not records:
        return {}
    sides, weights = _drawn(records, resamples, seed)
    first = sides[0]
    found = {}
    whole = dict.fromkeys(SCORES, 0.0)
    for number, name in enumerate(first.classes):
        parts = [_one_class(side.truth, side.predicted, number, weights) for side in sides]
        found[name] = {score: np.column_stack([part[score] for part in parts]) for score in SCORES}
        share = weights @ (first.truth == number) / weights.sum(axis=1)
        for score in SCORES:
            whole[score] = whole[score] + share[:, None] * np.nan_to_num(found[name][score])
    origin = tuple(record.provenance for record in records)
    return {
        name: Measured({s: _interval(tables[s], len(first)) for s in SCORES}, origin)
        for name, tables in (found | {WHOLE: whole}).items()
    }


def _drawn(records: Sequence[Record], resamples: int, seed: int) -> tuple[list[Scored], np.ndarray]:
    """Return what each trial says of the test images, and how often each image is drawn.

    The images as they are come first. Shape of the second: (1 + resamples, N).
    """
    sides = [scored(record.predictions) for record in records]
    first, rng = sides[0], np.random.default_rng(seed)
    times = draw(first.clusters, first.truth.astype(str), resamples, rng).astype(float)
    return sides, np.vstack([np.ones(len(first)), times])


def _undefined(
    records: Sequence[Record], metrics: Sequence[str], reason: str = ABSENT
) -> Measured | tuple[()]:
    """Return cells that say why they are empty; nothing where there are no runs at all."""
    if not records:
        return ()
    empty = Interval(np.nan, np.nan, np.nan, len(records), 0, reason=reason)
    return Measured(dict.fromkeys(metrics, empty), tuple(r.provenance for r in records))


def _one_class(truth, predicted, number: int, weights: np.ndarray) -> dict[str, np.ndarray]:
    hits, given, there = (
        weights @ part.astype(float)
        for part in (
            (truth == number) & (predicted == number), predicted == number, truth == number
        )
    )  # fmt: skip
    both = given + there
    nan = np.full(len(weights), np.nan)
    return {
        "precision": np.divide(hits, given, out=nan.copy(), where=given > 0),
        "recall": np.divide(hits, there, out=nan.copy(), where=there > 0),
        "f1": np.divide(2 * hits, both, out=nan.copy(), where=both > 0),
    }


def _interval(table: np.ndarray, images: int) -> Interval:
    """Return the mean over trials with its interval. Shape: (1 + resamples, trials)."""
    found = mean_interval(table, images)
    return replace(found, reason="never predicted") if np.isnan(found.value) else found


def confusion_table(results: Results) -> ComparisonTable:
    """Return Table 5 as shares of each actual class: paper, recorded, this run, verdict."""
    known, done = (runs.get(BEST, []) for runs in (results.shown, results.done))
    sides = [confusion_shares(records) for records in (known, done)]
    counts, rows = paper_confusion(), []
    for name in CLASSES:
        printed = {CALLED[c]: _share(counts.loc[name], c) for c in CLASSES}
        rows.append(Row(f"actual {SHORT[name]}", printed, *(side.get(name, ()) for side in sides)))
    note = (
        "Shares of the images of an actual class, with 95% intervals over patients and trials. "
        "Paper: the counts of its third trial, over those of the row. Undefined cells are not "
        "testable here."
    )
    return comparison_table(rows, list(CALLED.values()), note=note)


def _share(counts: pd.Series, name: str) -> PaperValue:
    """Return a printed count as a share of its row; counts are not rounded."""
    value = counts[name] / counts.sum()
    nan = float("nan")
    return PaperValue(str(counts[name]), "images", value, 0.0, nan, 3, "manet Table 5")


def confusion_shares(
    records: Sequence[Record], resamples: int = 2000, seed: int = 0
) -> dict[str, Measured]:
    """Return, by actual class, which share is called what, with intervals, means over trials.

    Drawing patients anew cannot tell how rare a mistake is that nobody made. So an interval also
    holds what is compatible with the mean share among that many patients (Wilson).
    """
    if not records:
        return {}
    sides, weights = _drawn(records, resamples, seed)
    first, found = sides[0], {}
    origin = tuple(record.provenance for record in records)
    for name in CLASSES:
        there = first.truth == (first.classes.index(name) if name in first.classes else -1)
        if not there.any():
            found[name] = _undefined(records, list(CALLED.values()))
            continue
        patients = len(np.unique(first.clusters[there]))
        cells = {}
        for guess, title in CALLED.items():
            if guess not in first.classes:
                cells[title] = _undefined(records, [title], UNKNOWN).intervals[title]
                continue
            number = first.classes.index(guess)
            called = np.column_stack([there & (side.predicted == number) for side in sides])
            shares = (weights @ called) / (weights @ there)[:, None]
            cells[title] = _widened(_interval(shares, int(there.sum())), patients)
        found[name] = Measured(cells, origin)
    return found


def _widened(one: Interval, patients: int) -> Interval:
    """Widen an interval of a share to Wilson's, among so many patients."""
    low, high = proportion_confint(one.value * patients, patients, method="wilson")
    return replace(one, low=min(one.low, float(low)), high=max(one.high, float(high)))


def sentences(results: Results) -> dict[str, str]:
    """Return what the recorded ResNet50s find of the two other pneumonias, and how many these are.

    Few epochs may leave a network without its rarer classes, which an accuracy does not show.
    """
    told = {"bp_images": NOT_YET, "bp_patients": "unknown patients"}
    for kind, name in zip(("plain", "mask", "cbam"), ATTENTIONS, strict=True):
        records = results.shown.get(label("resnet50", name), [])
        tests = [r.test[r.test["label"].isin(PNEUMONIAS)] for r in records]
        right = [scored(t).predicted == scored(t).truth for t in tests if len(t)]
        told[f"pneumonia_{kind}"] = f"{np.mean(right):.0%}" if right else NOT_YET
        if tests:
            bacterial = scored(tests[0][tests[0]["label"] == PNEUMONIAS[0]])
            patients = len(np.unique(bacterial.clusters))
            told["bp_images"] = str(len(bacterial))
            told["bp_patients"] = "one patient" if patients == 1 else f"{patients} patients"
    return told


def draw_confusions(axes: Sequence[Axes], results: Results) -> None:
    """Draw Table 5: the paper's confusion matrix, the recorded one and this run's."""
    panels = {"paper": paper_confusion()}
    drawn = any(record.phantom for record in results.done.get(BEST, []))
    for name, runs in (("recorded", results.shown), (run_title(drawn), results.done)):
        records = runs.get(BEST, [])
        panels[name] = sum(confusion(r.predictions) for r in records) if records else None
    for ax, (name, counts) in zip(axes, panels.items(), strict=True):
        if counts is None:
            nothing(ax)
        else:
            figures.confusion(ax, counts.rename(index=SHORT, columns=SHORT))
        ax.set_title(name)


def paper_confusion() -> pd.DataFrame:
    """Return Table 5: rows actual, columns predicted."""
    rows = published("manet", 5)
    names = {printed: name for name, printed in CLASSES.items()}
    rows = rows.assign(
        actual=rows["class"].map(names),
        predicted=rows["metric"].str.removeprefix("count_pred_").map(names),
    )
    counts = rows.pivot_table(index="actual", columns="predicted", values="number").astype(int)
    return counts.loc[list(CLASSES), list(CLASSES)]
