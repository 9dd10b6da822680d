"""Top-1 and top-5 of many classes, from the rank of the right class alone.

A probability for each of 1000 classes and 50,000 images would fill 400 MB; the rank is enough.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from covidlib.errors import DataError
from covidlib.evaluation.bootstrap import Interval

TOP = {"top1": 1, "top5": 5}


def ranked(table: pd.DataFrame, probabilities: np.ndarray, classes: Sequence[str]) -> pd.DataFrame:
    """Return what is kept of class probabilities.

    Args:
        table: rows with sample, patient, split and label.
        probabilities: of every class. Shape: (N, K).
        classes: names of the K classes.

    Returns:
        The four columns, then ``predicted``, ``probability`` (of the label) and ``rank`` (of the
        label; 1 is most probable, and of equally probable classes the first named comes first).

    Raises:
        DataError: a label is none of the classes, or a probability is not finite.
    """
    if not np.isfinite(probabilities).all():
        raise DataError("some probabilities are not finite")
    kept = table[["sample", "patient", "split", "label"]].reset_index(drop=True)
    numbers = {name: number for number, name in enumerate(classes)}
    if strangers := sorted(set(kept["label"]) - set(classes)):
        raise DataError(f"labels {strangers[:5]} are none of the classes")
    truth = kept["label"].map(numbers).to_numpy(dtype=int)
    own = probabilities[np.arange(len(truth)), truth][:, None]
    before = np.arange(len(classes)) < truth[:, None]
    ahead = (probabilities > own) | ((probabilities == own) & before)
    return kept.assign(
        predicted=np.array(classes, dtype=object)[probabilities.argmax(1)],
        probability=own[:, 0].astype(np.float32),
        rank=(1 + ahead.sum(1)).astype(np.int16),
    )


def top_k(predictions: pd.DataFrame, k: int, split: str = "test") -> float:
    """Return the share of images whose class is among the k most probable.

    NaN where there are no more than k classes among the labels: it could only be 1.
    """
    rows = predictions[predictions["split"] == split]
    if rows["label"].nunique() <= k and k > 1:
        return float("nan")
    return float((rows["rank"] <= k).mean())


def top_interval(runs: Sequence[pd.DataFrame], k: int, split: str = "test") -> Interval:
    """Return the mean over runs of top-k with Wilson's 95% interval of one run.

    Natural images have no patients, so each is an independent draw. Several runs of one network
    see the same images: they narrow nothing.
    """
    values = [top_k(run, k, split) for run in runs]
    images = int((runs[0]["split"] == split).sum())
    value = float(np.mean(values))
    if np.isnan(value):
        return Interval(value, value, value, len(runs), images, reason=f"{k} or fewer classes")
    low, high = proportion_confint(value * images, images, method="wilson")
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return Interval(value, float(low), float(high), len(runs), images, spread)


def top_difference(
    first: pd.DataFrame, second: pd.DataFrame, k: int, split: str = "test"
) -> Interval:
    """Return top-k of the second network minus that of the first, on the same images.

    The 95% interval is that of the mean of a paired difference, which is -1, 0 or 1 per image.

    Raises:
        DataError: the two did not see the same images.
    """
    seen = (run[run["split"] == split] for run in (first, second))
    one, two = (rows.set_index("sample")["rank"].sort_index() for rows in seen)
    if not one.index.equals(two.index):
        raise DataError("a paired difference needs the same images")
    difference = (two <= k).astype(int) - (one <= k).astype(int)
    mean, half = float(difference.mean()), 1.96 * float(difference.std(ddof=1)) / len(one) ** 0.5
    return Interval(mean, mean - half, mean + half, 1, len(one))
