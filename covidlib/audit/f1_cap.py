"""The largest F1 that an accuracy allows, and what runs would have to look like to pass it."""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pandas as pd

from covidlib.audit.configurations import configurations, set_sizes
from covidlib.audit.rounding import bounds
from covidlib.errors import DataError


def f1_cap(errors: float | np.ndarray, positives: int, negatives: int) -> float | np.ndarray:
    """Return the largest F1 of the positive class among all results with this many errors.

    Every error that is a false positive costs F1 less than one that is a false negative; so the
    largest F1 has no false negative, until the negatives are used up.

    Args:
        errors: wrong answers, from 0 to all; a mean over runs need not be whole.
        positives, negatives: images of the class that F1 is of, and of the other.

    Raises:
        DataError: more errors than images, or fewer than none.

    >>> round(f1_cap(12, positives=98, negatives=105), 4)
    0.9423
    """
    errors = np.asarray(errors, dtype=float)
    if (
        positives < 1
        or negatives < 0
        or (errors < 0).any()
        or (errors > positives + negatives).any()
    ):
        raise DataError(f"{errors} errors among {positives} + {negatives} images")
    found = positives - np.maximum(errors - negatives, 0)
    value = 2 * found / (2 * found + errors)
    return float(value) if value.ndim == 0 else value


def cap_of(accuracy: str, positives: int, negatives: int) -> float:
    """Return the largest F1 that a printed accuracy allows, its rounding used in its favour.

    >>> round(100 * cap_of("94.2", 98, 105), 1), round(100 * cap_of("94.2", 105, 98), 1)
    (94.4, 94.7)
    """
    images = positives + negatives
    fewest = images * max(1 - bounds(accuracy)[1] / 100, Fraction(0))
    return f1_cap(float(fewest), positives, negatives)


def f1_table() -> pd.DataFrame:
    """Set every printed F1 of msatl Tables 2 to 5 beside its caps.

    Returns:
        Index and first columns: see ``configurations``. Then cap_covid and cap_either in percent
        (F1 of the COVID class; of whichever class has the larger cap, which is also more than
        macro or weighted F1 can reach), above_covid and above_either (booleans).
    """
    covid, other = set_sizes("test")
    frame = configurations().drop(columns="auc")
    caps = {
        "covid": [100 * cap_of(a, covid, other) for a in frame["accuracy"]],
        "other": [100 * cap_of(a, other, covid) for a in frame["accuracy"]],
    }
    frame["cap_covid"] = caps["covid"]
    frame["cap_either"] = np.maximum(caps["covid"], caps["other"])
    least = np.array([float(bounds(text)[0]) for text in frame["f1"]])
    frame["above_covid"] = least > frame["cap_covid"]
    frame["above_either"] = least > frame["cap_either"]
    return frame


def _splits(total: int, parts: int, largest: int) -> Iterator[tuple[int, ...]]:
    """Yield all ways to write a total as so many numbers from ``largest`` down to 0."""
    if parts == 1:
        if total <= largest:
            yield (total,)
        return
    for first in range(min(total, largest), -(-total // parts) - 1, -1):
        for rest in _splits(total - first, parts - 1, first):
            yield (first, *rest)


def least_uneven(
    accuracy: str, f1: str, positives: int, negatives: int, runs: int
) -> tuple[int, ...] | None:
    """Find the most even runs whose mean accuracy and mean F1 may be printed so.

    The cap is convex in the errors: the mean F1 of uneven runs can be above the cap of their mean
    accuracy. Each run is given the F1 of its own cap.

    Args:
        accuracy, f1: percent, as printed.
        positives, negatives: images of the class that F1 is of, and of the other.
        runs: how many were averaged.

    Returns:
        Errors of each run, most first, with the smallest distance between most and fewest; None
        if no runs give both printed numbers.
    """
    images = positives + negatives
    low, high = bounds(accuracy)
    total = images * runs
    fewest = -(-(100 - high) * total // 100)
    most = (100 - low) * total // 100
    wanted = runs * float(bounds(f1)[0]) / 100
    caps = f1_cap(np.arange(images + 1), positives, negatives)
    best = None
    for errors in range(max(int(fewest), 0), int(most) + 1):
        for split in _splits(errors, runs, images):
            if best is not None and split[0] - split[-1] >= best[0] - best[-1]:
                continue
            if caps[list(split)].sum() >= wanted:
                best = split
    return best
