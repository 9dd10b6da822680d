"""Differences within noise: what the printed margins can show, in the best case."""

import math
from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import pandas as pd
from scipy import stats

from covidlib.audit.configurations import configurations, set_sizes
from covidlib.audit.magsd_rows import METRICS, NAMES, all_rows
from covidlib.audit.rounding import decimal, half_width
from covidlib.errors import DataError
from covidlib.evaluation.comparisons import holm, mean_std
from covidlib.published import published

FOLDS = 5  # magsd sec. 4.1


def best_case_p(images: int) -> float:
    """Return the smallest p that two results which differ by so many right answers can have.

    The exact McNemar test counts images that one of the two gets right and the other wrong. The
    smallest p is reached if all of them are on one side.

    Raises:
        DataError: a negative number of images.

    >>> [best_case_p(n) for n in (0, 1, 5, 6)]
    [1.0, 1.0, 0.0625, 0.03125]
    """
    if images < 0:
        raise DataError(f"{images} is not a number of images")
    return min(1.0, 2.0 ** (1 - images))


def images_needed(alpha: float = 0.05) -> int:
    """Return how many net images make the best case significant.

    >>> images_needed(), images_needed(0.05 / 12)
    (6, 9)
    """
    if not 0 < alpha < 1:
        raise DataError(f"alpha is between 0 and 1, not {alpha}")
    return math.ceil(1 - math.log2(alpha))


def _most_images(value: str, base: str, images: int) -> tuple[float, int]:
    """Return a difference in images, and the largest whole one that the rounding allows."""
    gap = abs(Fraction(decimal(value)) - Fraction(decimal(base))) * images / 100
    slack = (half_width(value) + half_width(base)) * images / 100
    return float(gap), math.floor(gap + slack)


def accuracy_margins() -> pd.DataFrame:
    """Express accuracy differences of msatl Tables 2 to 4 as images of its test set.

    Returns:
        Columns comparison (kind), name, points (percentage points), images (the difference),
        most (the largest whole number of images), p (best case; see ``best_case_p``).
    """
    frame = configurations().set_index(["model", "variant", "stages", "ssl"])["accuracy"]
    images = sum(set_sizes("test"))
    pairs = []
    for model, variant, stages, ssl in frame.index:
        here = (model, variant, stages, ssl)
        if ssl in ("moco", "simclr"):
            kind = "proposed over other SSL"
            pairs.append((kind, (model, variant, "full", "ours"), here))
        if variant != "baseline" and ssl == "ours":
            pairs.append(("attention, all stages", here, (model, "baseline", stages, ssl)))
        if variant != "baseline" and stages == "none":
            pairs.append(("attention, no transfer", here, (model, "baseline", stages, ssl)))
        if ssl == "ours":
            pairs.append(("all stages over none", here, (model, variant, "none", "")))
    rows = []
    for kind, one, two in pairs:
        gap, most = _most_images(frame[one], frame[two], images)
        points = float(decimal(frame[one]) - decimal(frame[two]))
        label = f"{'/'.join(filter(None, one))} over {'/'.join(filter(None, two))}"
        rows.append((kind, label, points, gap, most, best_case_p(most)))
    columns = ["comparison", "name", "points", "images", "most", "p"]
    return pd.DataFrame(rows, columns=columns)


def needed_correlation(margin: float, stds: tuple[float, float], overlap: float) -> float:
    """Return how alike two arms must vary over folds for a margin to be significant.

    A paired t test over folds needs the standard deviation of the differences, which papers do
    not print: sd^2 = s1^2 + s2^2 - 2 r s1 s2. This solves for the correlation r at p = 0.05.

    Args:
        margin: difference of the two means.
        stds: printed standard deviations.
        overlap: test images by training images: Nadeau and Bengio's term for shared training
            images; 0 for the plain paired t test.

    Returns:
        The correlation; above 1 means that no correlation is enough, below -1 that any is.
    """
    one, two = stds
    if min(stds) <= 0 or overlap < 0:
        raise DataError(f"cannot compare standard deviations {stds} with overlap {overlap}")
    critical = stats.t.ppf(0.975, FOLDS - 1)
    allowed = (margin / critical) ** 2 / (1 / FOLDS + overlap)
    return (one**2 + two**2 - allowed) / (2 * one * two)


def ablations() -> pd.DataFrame:
    """Compare the proposed row with every other arm in magsd Tables 4 to 8.

    Returns:
        Columns table, dataset, metric, arm, margin (proposed minus arm, points), proposed_std,
        arm_std, within_smaller and within_larger (|margin| below the smaller or the larger of the
        two), t (independent arms, no allowance for shared training images), correlation (needed,
        with that allowance) and plain_correlation (needed, without).
    """
    rows = all_rows()
    found = []
    for (table, dataset), group in rows[rows["table"] != 3].groupby(["table", "dataset"]):
        own = group[group["name"] == NAMES["magsd"]].iloc[0]
        for _, arm in group[group["name"] != NAMES["magsd"]].iterrows():
            for metric in METRICS:
                stds = (float(own[f"{metric}_std"]), float(arm[f"{metric}_std"]))
                margin = round(float(own[metric] - arm[metric]), 2)
                found.append((table, dataset, metric, arm["name"], margin, *stds))
    columns = ["table", "dataset", "metric", "arm", "margin", "proposed_std", "arm_std"]
    frame = pd.DataFrame(found, columns=columns)
    stds = frame[["proposed_std", "arm_std"]]
    frame["within_smaller"] = frame["margin"].abs() < stds.min(axis=1)
    frame["within_larger"] = frame["margin"].abs() < stds.max(axis=1)
    frame["t"] = frame["margin"] / np.sqrt((stds**2).sum(axis=1) / FOLDS)
    pairs = list(zip(frame["margin"], stds.to_numpy().tolist(), strict=True))
    for column, overlap in (("correlation", 1 / (FOLDS - 1)), ("plain_correlation", 0.0)):
        frame[column] = [needed_correlation(margin, pair, overlap) for margin, pair in pairs]
    return frame


def trial_scores() -> Mapping[str, list[float]]:
    """Return the three accuracies of each network of manet Table 2, percent."""
    frame = published("manet", 2)
    frame = frame[frame["trial"] != "average"].sort_values("trial")
    return {str(m): [float(v) for v in g["value"]] for m, g in frame.groupby("model", sort=False)}


def trial_tests() -> pd.DataFrame:
    """Test mask attention against no attention and against CBAM over the three trials of manet.

    Returns:
        Index: "resnet34_ma over resnet34". Columns gain (points), images (of the test set), std
        and base_std (of the trials), wins (trials won by position), t, p_paired (trials paired by
        position), p_welch (not paired), holm (the paired p values, corrected).
    """
    scores = trial_scores()
    images = sum(int(v) for v in published("manet", 1).query("split == 'test'")["value"])
    rows = {}
    for model in [m for m in scores if m.endswith("_ma")]:
        base = model.removesuffix("_ma")
        for other in [o for o in (base, f"{base}_cbam") if o in scores]:
            gains = np.subtract(scores[model], scores[other])
            paired = stats.ttest_rel(scores[model], scores[other])
            welch = stats.ttest_ind(scores[model], scores[other], equal_var=False)
            rows[f"{model} over {other}"] = {
                "gain": float(gains.mean()),
                "images": float(gains.mean()) * images / 100,
                "std": mean_std(scores[model])[1],
                "base_std": mean_std(scores[other])[1],
                "wins": int((gains > 0).sum()),
                "t": float(paired.statistic),
                "p_paired": float(paired.pvalue),
                "p_welch": float(welch.pvalue),
            }
    frame = pd.DataFrame.from_dict(rows, orient="index")
    frame["holm"] = holm(frame["p_paired"])
    return frame
