"""Ten classifiers of segmented X-rays (``notebooks/manet/classification.py``)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy import stats

from covidlib import figures
from covidlib.data_page import PlainTable
from covidlib.evaluation import Interval, confusion, holm, margin
from covidlib.evaluation.convergence import fluctuation, rise
from covidlib.evaluation.predictions import scored
from covidlib.evaluation.resampling import draw
from covidlib.pages.results import Results, nothing, paired_table
from covidlib.plans import plan
from covidlib.plans.manet import ATTENTIONS, BACKBONES, VARIANTS, label
from covidlib.published import paper_values, published
from covidlib.runs.record import Record
from covidlib.tables import ComparisonTable, Row, comparison_table
from covidlib.verdicts import Measured

NAME = "manet/classification"
BEST = label("resnet50", "mask")  # Tables 4 and 5
TEST_IMAGES = 680  # manet Table 4
# Our classes and the names of the published tables.
CLASSES = {
    "normal": "normal", "COVID-19": "covid19", "TB": "tb", "bacterial pneumonia": "bp",
    "viral pneumonia": "vp",
}  # fmt: skip
SCORES = ("precision", "recall", "f1")
WHOLE = "weighted average"  # over the classes, by their images


def small(cell: Mapping[str, str]) -> bool:
    """Whether the "smoke" profile trains a row: the ResNet50s."""
    return cell["model"].startswith("resnet50")


def settings_table(profile: str) -> pd.DataFrame:
    """Set the settings of a profile beside the paper's (manet sec. 2.3 and 4.2)."""
    ours, paper = (plan(NAME, p, phantoms=False).rows[3].specs for p in (profile, "paper"))
    return pd.DataFrame({"paper": _settings(paper), f"profile {profile}": _settings(ours)})


def _settings(specs) -> dict[str, str]:
    chosen = specs[0].training
    return {
        "pixels": f"1×{chosen.size}²",
        "epochs": str(chosen.epochs),
        "batch": str(chosen.batch),
        "learning rate (SGD, cosine to 0)": f"{chosen.lr:g}",
        "momentum": f"{chosen.momentum:g}",
        "weight decay": f"{chosen.weight_decay:g} (ours)",
        "grey values": "[−1, 1]",
        "trials": str(len(specs)),
    }


def table(results: Results) -> ComparisonTable:
    """Return Table 2: mean test accuracy, paper, recorded, this run, verdict."""
    return results.table(("accuracy",))


def noise_table() -> PlainTable:
    """Test the paper's own trials: is mask attention's gain more than the trials' scatter?

    Welch's test per network, and a paired one over all twelve trials, which share nothing but
    their number.
    """
    lines, gains, chances = {}, [], {}
    for backbone, title in BACKBONES.items():
        plain, ours = (_trials(backbone, attention) for attention in ("none", "mask"))
        gains += list(ours - plain)
        chances[title] = stats.ttest_ind(ours, plain, equal_var=False).pvalue
        lines[title] = _noise_line(plain, ours)
    for name, value in holm(chances).items():
        lines[name]["p"] = f"{value:.2f}"
    whole = stats.ttest_1samp(gains, 0)
    lines["all twelve trials"] = {
        "MA − plain": f"{np.mean(gains):+.4f} ± {np.std(gains, ddof=1):.4f}",
        "p": f"{whole.pvalue:.2f}",
    }
    caption = (
        "The paper's accuracies, mean ± standard deviation over three trials. p: Welch's t test, "
        "after Holm over the four networks; last line: one-sample t test of twelve differences."
    )
    frame = pd.DataFrame.from_dict(lines, orient="index")
    return PlainTable(frame[["plain", "MA", "MA − plain", "p"]], caption)


def _trials(backbone: str, attention: str) -> np.ndarray:
    model = backbone if attention == "none" else f"{backbone}_{VARIANTS[attention]}"
    rows = published("manet", 2)
    rows = rows[(rows["model"] == model) & (rows["trial"] != "average")]
    return rows.sort_values("trial")["number"].to_numpy(float)


def _noise_line(plain: np.ndarray, ours: np.ndarray) -> dict[str, str]:
    return {
        "plain": f"{plain.mean():.4f} ± {plain.std(ddof=1):.4f}",
        "MA": f"{ours.mean():.4f} ± {ours.std(ddof=1):.4f}",
        "MA − plain": f"{ours.mean() - plain.mean():+.4f}",
    }


def tests(results: Results) -> PlainTable:
    """Compare the networks with and without attention on the same test images."""
    backbones = [b for b in BACKBONES if label(b, "mask") in results.labels()]
    lines = {
        f"{BACKBONES[b]}: MA − plain": [[(1.0, label(b, "mask")), (-1.0, label(b, "none"))]]
        for b in backbones
    }
    lines["four networks: MA − plain"] = [pair for [pair] in lines.values()]
    for other, name in (("none", "plain"), ("mask", "MA")):
        pairs = [
            [(1.0, label(b, "cbam")), (-1.0, label(b, other))] for b in ("resnet34", "resnet50")
        ]
        lines[f"two ResNets: CBAM − {name}"] = pairs
    return paired_table(results.known, lines)


def draw_accuracy(axes: Sequence[Axes], results: Results) -> None:
    """Draw validation accuracy per epoch, a panel per network (manet figure 10).

    Recorded curves where there are some, of this run otherwise; the title says which.
    """
    for ax, (backbone, title) in zip(axes, BACKBONES.items(), strict=True):
        names = [label(backbone, a) for a in ATTENTIONS if label(backbone, a) in results.labels()]
        for kind, runs in (("recorded", results.shown), ("this run", results.done)):
            curves = {n: [r.curve for r in runs[n]] for n in names if runs.get(n)}
            if curves and max(len(c) for found in curves.values() for c in found) < 3:
                nothing(ax, "too few epochs for a curve").set_title(title, fontsize=10)
                break
            if curves:
                words = {"label": "validation accuracy", "names": names}
                figures.training_curves(ax, curves, "val_accuracy", **words)
                ax.set_title(f"{title}, {kind}", fontsize=10)
                break
        else:
            nothing(ax).set_title(title, fontsize=10)


def stability_table(results: Results) -> PlainTable:
    """Return fluctuation and speed of every network's curves, means over trials."""
    lines = {}
    for name in results.labels():
        for kind, runs in (("recorded", results.shown), ("this run", results.done)):
            if records := runs.get(name):
                lines[name] = {"from": kind} | _stability([r.curve for r in records])
                break
    frame = pd.DataFrame.from_dict(lines, orient="index")
    caption = (
        "Fluctuation: standard deviation of successive differences over √2, in the last half of "
        "the epochs. Speed: share of training after which validation accuracy is past nine tenths "
        "of its rise. Means over trials; a curve too short or without rise gives none."
    )
    return PlainTable(frame.rename_axis(None), caption)


def _stability(curves: Sequence[pd.DataFrame]) -> dict[str, str]:
    columns = {
        "fluctuation, accuracy": [fluctuation(c, "val_accuracy") for c in curves],
        "fluctuation, loss": [fluctuation(c, "val_loss") for c in curves],
        "speed": [rise(c, "val_accuracy") for c in curves],
    }
    shown = {}
    for name, values in columns.items():
        known = [v for v in values if not np.isnan(v)]
        digits = 2 if name == "speed" else 3
        shown[name] = f"{np.mean(known):.{digits}f} (n={len(known)})" if known else None
    return shown


def class_table(results: Results) -> ComparisonTable:
    """Return Table 4: scores of each class and their weighted means, ResNet50 with masks."""
    known, done = (runs.get(BEST, []) for runs in (results.shown, results.done))
    recorded, here = class_scores(known), class_scores(done)
    rows = []
    for name, printed in {**CLASSES, WHOLE: "weighted_average"}.items():
        paper = paper_values("manet", 4, SCORES, model="resnet50_ma", class_=printed)
        rows.append(Row(name, paper, recorded.get(name, ()), here.get(name, ())))
    note = (
        "Shares with 95% intervals over patients; recorded: mean over trials. The paper prints its "
        "best trial by test accuracy, which flatters."
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
    sides = [scored(record.predictions) for record in records]
    first = sides[0]
    rng = np.random.default_rng(seed)
    times = draw(first.clusters, first.truth.astype(str), resamples, rng).astype(float)
    weights = np.vstack([np.ones(len(first)), times])  # the images as they are come first
    means = {}
    whole = dict.fromkeys(SCORES, 0.0)
    for number, name in enumerate(first.classes):
        parts = [_one_class(side.truth, side.predicted, number, weights) for side in sides]
        means[name] = {score: np.mean([part[score] for part in parts], axis=0) for score in SCORES}
        share = weights @ (first.truth == number) / weights.sum(axis=1)
        for score in SCORES:
            values = np.mean([np.nan_to_num(part[score]) for part in parts], axis=0)
            whole[score] = whole[score] + share * values
    origin = tuple(record.provenance for record in records)
    return {
        name: Measured({s: _interval(mean[s], len(sides), len(first)) for s in SCORES}, origin)
        for name, mean in (means | {WHOLE: whole}).items()
    }


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


def _interval(values: np.ndarray, runs: int, images: int) -> Interval:
    value, drawn = float(values[0]), values[1:]
    if np.isnan(value) or np.isnan(drawn).all():
        return Interval(np.nan, np.nan, np.nan, runs, images, reason="never predicted")
    low, high = np.nanquantile(drawn, (0.025, 0.975))
    return Interval(value, float(low), float(high), runs, images)


def draw_confusions(axes: Sequence[Axes], results: Results) -> None:
    """Draw Table 5: the paper's confusion matrix, the recorded one and this run's."""
    short = {**{c: c for c in CLASSES}, "bacterial pneumonia": "BP", "viral pneumonia": "VP"}
    panels = {"paper": paper_confusion()}
    for name, runs in (("recorded", results.shown), ("this run", results.done)):
        records = runs.get(BEST, [])
        panels[name] = sum(confusion(r.predictions) for r in records) if records else None
    for ax, (name, counts) in zip(axes, panels.items(), strict=True):
        if counts is None:
            nothing(ax)
        else:
            figures.confusion(ax, counts.rename(index=short, columns=short))
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


def sentences(results: Results, found: ComparisonTable) -> dict[str, float | int | str]:
    """Return the numbers of the page's sentences."""
    gains = np.concatenate([_trials(b, "mask") - _trials(b, "none") for b in BACKBONES])
    spread = np.mean([_trials(b, a).std(ddof=1) for b in BACKBONES for a in ("none", "mask")])
    counts = paper_confusion()
    return results.sentences(found) | {
        "gain": 100 * gains.mean(),
        "gain_p": float(stats.ttest_1samp(gains, 0).pvalue),
        "wins": int((gains > 0).sum()),
        "spread": 100 * spread,
        "margin": 100 * margin(0.96, TEST_IMAGES),
        "paper_tb": int(counts.loc["TB", "TB"]),
        "paper_tb_all": int(counts.loc["TB"].sum()),
    }
