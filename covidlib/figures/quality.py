"""How good a model is: ROC curves, confusion, reliability."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss
from statsmodels.stats.proportion import proportion_confint

from covidlib.evaluation import Interval, against_rest, intervals, mean_roc, roc_band
from covidlib.evaluation.bootstrap import Runs
from covidlib.evaluation.predictions import scored
from covidlib.figures.style import DASHES, GREY, legend_below, looks
from covidlib.tables import format_interval

POINTS = 201  # at which curves are read
BANDED = 3  # more bands hide each other


def roc_curves(
    ax: Axes,
    models: Mapping[str, Runs],
    *,
    floors: Mapping[str, Runs] | None = None,
    positive: str | None = None,
    split: str = "test",
    resamples: int = 500,
    seed: int = 0,
) -> Axes:
    """Draw the mean ROC curve of each model, its AUC with interval in the legend.

    Args:
        ax: where to draw.
        models: predictions of one or more runs each. Up to three models get a 95% band.
        floors: the same for classifiers that a network must beat; grey, drawn beneath.
        positive: the class against the rest; needed where there are more than two.
        split, seed: see ``covidlib.evaluation.intervals``.
        resamples: how many draws the bands take. The legend takes as many as the tables, so that
            both print the same interval.
    """
    ax.plot([0, 1], [0, 1], color="0.8", linewidth=1, zorder=0)

    def draw(name: str, runs: Runs, curve: pd.DataFrame, **look: object) -> None:
        label = f"{name}: {format_interval(_area(runs, positive, split, seed))}"
        ax.plot(curve["fpr"], curve["tpr"], label=label, **look)

    for name, look in looks(list(models)):
        if len(models) <= BANDED:
            options = {"resamples": resamples, "seed": seed, "points": POINTS}
            curve = roc_band(models[name], positive, split, **options)
            band = {"alpha": 0.15, "linewidth": 0, "color": look["color"]}
            ax.fill_between(curve["fpr"], curve["low"], curve["high"], zorder=2, **band)
        else:
            curve = mean_roc(models[name], positive, split, points=POINTS)
        draw(name, models[name], curve, linewidth=2, zorder=3, **look)
    for i, (name, runs) in enumerate((floors or {}).items(), 1):
        dash = DASHES[i % len(DASHES)]
        curve = mean_roc(runs, positive, split, points=POINTS)
        draw(f"floor, {name}", runs, curve, color=GREY, linewidth=1.4, linestyle=dash, zorder=1)
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    ax.set(xlabel="false-positive rate", ylabel="true-positive rate")
    legend_below(ax, title="AUC [95% interval] (runs)", title_fontsize="small")
    return ax


def _area(runs: Runs, positive: str | None, split: str, seed: int) -> Interval:
    """Measure the area under the curve of one class against the rest."""
    tables = [runs] if isinstance(runs, pd.DataFrame) else list(runs)
    if positive is not None:
        tables = [against_rest(table, positive) for table in tables]
    return intervals(tables, ["auc"], split, seed=seed)["auc"]


def confusion(ax: Axes, counts: pd.DataFrame) -> Axes:
    """Draw a confusion matrix: counts, and the share of each actual class as colour and text.

    Args:
        ax: where to draw.
        counts: rows actual, columns predicted; see ``covidlib.evaluation.confusion``.
    """
    totals = counts.sum(axis=1)
    # A class without images has no shares: its row stays blank, not 0%.
    shares = counts.div(totals.where(totals > 0), axis=0)
    notes = [
        [f"{n}" if np.isnan(s) else f"{n}\n{s:.0%}" for n, s in zip(*pair, strict=True)]
        for pair in zip(counts.to_numpy(), shares.to_numpy(), strict=True)
    ]
    sns.heatmap(
        shares, annot=np.array(notes), fmt="", vmin=0, vmax=1, cmap="Blues", square=True,
        cbar=False, linewidths=1, linecolor="white", ax=ax,
    )  # fmt: skip
    ax.set(xlabel="predicted", ylabel="actual")
    ax.tick_params(axis="y", rotation=0, length=0)
    ax.tick_params(axis="x", rotation=0 if len(counts) < 4 else 40, length=0)
    return ax


def reliability(
    ax: Axes, models: Mapping[str, pd.DataFrame], *, bins: int = 8, split: str = "test"
) -> Axes:
    """Draw how often the prediction is right against how sure the model was.

    With two classes: the probability of the positive one; with more: of the predicted one. Bins
    hold equally many images; bars are 95% Wilson intervals, beside the Brier score (two classes).

    Args:
        ax: where to draw.
        models: predictions of one run each.
        bins: how many; images that share a probability share a bin.
        split: which rows count.
    """
    ax.plot([0, 1], [0, 1], color="0.8", linewidth=1, zorder=0)
    for name, look in looks(list(models)):
        s = scored(models[name], split)
        sure = s.probabilities[:, 1] if s.binary else s.probabilities.max(axis=1)
        hit = (s.truth == 1) if s.binary else (s.truth == s.predicted)
        share, mean = calibration_curve(hit, sure, n_bins=bins, strategy="quantile")
        size = len(s) / len(share)  # equal-mass bins
        low, high = proportion_confint(share * size, size, method="wilson")
        label = f"{name}: Brier {brier_score_loss(hit, sure):.3f}" if s.binary else name
        errors = np.clip([share - low, high - share], 0, None)
        ax.errorbar(mean, share, yerr=errors, marker="o", capsize=2, label=label, **look)
    what = "probability of the positive class" if s.binary else "probability of the predicted class"
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal", xlabel=what)
    ax.set_ylabel("share of positives" if s.binary else "share of right predictions")
    legend_below(ax)
    return ax
