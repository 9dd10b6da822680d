"""Which accuracy, F1 and specificity can go with a mean recall, given the class sizes (magsd)."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import pandas as pd

from covidlib.audit.magsd_rows import distinct_rows
from covidlib.errors import DataError
from covidlib.published import published

ROUNDED = 0.005  # percentage points: half of the last printed digit
F1_SLACK = 0.3  # percentage points: how far averaging over folds moves F1 on set A, see the page
DRAWS = 20_000
LEAST_RECALL = 0.4
REACH = 0.5  # how far recalls are drawn from their least-squares value


def class_sizes(dataset: str) -> np.ndarray:
    """Return the images per class of magsd Table 1, in printed order.

    >>> class_sizes("B").tolist()
    [462, 1567, 1602]
    """
    frame = published("magsd", 1)
    own = frame[(frame["dataset"] == dataset) & (frame["class"] != "total")]
    if own.empty:
        raise DataError(f"magsd Table 1 has no set {dataset!r}")
    return own["value"].astype(int).to_numpy()


def accuracy_range(macro_recall: float, sizes: Sequence[int]) -> tuple[float, float]:
    """Return the smallest and largest accuracy that go with a mean recall.

    The accuracy is lowest if the errors are in the largest classes, highest if in the smallest.

    Args:
        macro_recall: mean share of right answers over the classes.
        sizes: images per class.

    Raises:
        DataError: a mean recall outside [0, 1], or an empty class.

    >>> low, high = accuracy_range(0.9, [1, 3])
    >>> round(low, 6), round(high, 6)
    (0.85, 0.95)
    """
    if not 0 <= macro_recall <= 1 or min(sizes) < 1:
        raise DataError(f"no mean recall {macro_recall} over classes of sizes {list(sizes)}")
    shares = np.sort(np.asarray(sizes, dtype=float)) / sum(sizes)
    missing = (1 - macro_recall) * len(shares)  # recalls lost, over all classes
    lost = np.clip(missing - np.arange(len(shares)), 0, 1)
    return float(1 - (shares[::-1] * lost).sum()), float(1 - (shares * lost).sum())


def recall_table() -> pd.DataFrame:
    """Check every row of magsd Tables 3 to 8: can ACC go with SEN, if SEN is the mean recall?

    Returns:
        Columns dataset, name, acc, sen, low and high (percent: what ACC can be, rounding
        allowed), possible, images (by how many ACC is outside).
    """
    rows = []
    for row in distinct_rows().itertuples():
        sizes = class_sizes(row.dataset)
        low = 100 * accuracy_range((row.sen - ROUNDED) / 100, sizes)[0] - ROUNDED
        high = 100 * accuracy_range((row.sen + ROUNDED) / 100, sizes)[1] + ROUNDED
        outside = max(low - row.acc, row.acc - high, 0)
        images = outside * sizes.sum() / 100
        rows.append((row.dataset, row.name, row.acc, row.sen, low, high, outside == 0, images))
    columns = ["dataset", "name", "acc", "sen", "low", "high", "possible", "images"]
    return pd.DataFrame(rows, columns=columns)


def draw_matrices(
    accuracy: float, macro_recall: float, sizes: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw confusion matrices with a given accuracy and mean recall.

    Class recalls are drawn evenly among those that satisfy both; where the errors of a class go
    is drawn from a Dirichlet law that favours uneven splits.

    Args:
        accuracy, macro_recall: shares.
        sizes: images per class. Shape: (K,).
        rng: source of chance.

    Returns:
        Counts, which need not be whole; rows actual, columns predicted. Shape: (n, K, K), with n
        at most ``DRAWS``, 0 if no recalls in [``LEAST_RECALL``, 1] satisfy both.
    """
    count = len(sizes)
    conditions = np.stack([sizes / sizes.sum(), np.full(count, 1 / count)])
    one = np.linalg.pinv(conditions) @ np.array([accuracy, macro_recall])
    free = np.linalg.svd(conditions)[2][2:]  # directions that change neither
    recalls = one + rng.uniform(-REACH, REACH, (DRAWS, len(free))) @ free
    recalls = recalls[((recalls <= 1) & (recalls >= LEAST_RECALL)).all(axis=1)]
    matrices = np.zeros((len(recalls), count, count))
    for k in range(count):
        others = [j for j in range(count) if j != k]
        wrong = sizes[k] * (1 - recalls[:, [k]])
        matrices[:, k, others] = wrong * rng.dirichlet(np.full(count - 1, 0.5), len(recalls))
        matrices[:, k, k] = sizes[k] * recalls[:, k]
    return matrices


def macro_scores(matrices: np.ndarray) -> dict[str, np.ndarray]:
    """Return macro F1, specificity TN / (TN + FP), and TN / (TN + FN) of confusion matrices.

    Args:
        matrices: rows actual, columns predicted. Shape: (n, K, K).

    Returns:
        Shares by "f1", "specificity", "negative_value". Shape: (n,) each.
    """
    right = np.einsum("nkk->nk", matrices)
    actual, said = matrices.sum(axis=2), matrices.sum(axis=1)
    images = actual.sum(axis=1, keepdims=True)
    return {
        "f1": (2 * right / (actual + said)).mean(axis=1),
        "specificity": 1 - ((said - right) / (images - actual)).mean(axis=1),
        "negative_value": 1 - ((actual - right) / (images - said)).mean(axis=1),
    }


def spc_readings(dataset: str = "B", seed: int = 0) -> pd.DataFrame:
    """See which reading of SPC goes with ACC, SEN and F1 of the same row.

    Among drawn confusion matrices with the row's ACC and SEN, those whose macro F1 is the printed
    one within ``F1_SLACK`` give a range for each reading. The range is that of the draws: the
    true one is a little wider.

    Args:
        dataset: "B" or "C"; the two classes of A are solved exactly in ``specificity``.
        seed: of the draws.

    Returns:
        Index: row. Columns spc (printed, percent), matrices (how many fit), f1 (printed) and
        f1_most (largest macro F1 drawn, NaN without draws), then for specificity and
        negative_value the range ``_low``, ``_high`` and ``_off`` (distance of SPC from the range,
        points; NaN where no matrix fits).
    """
    return _spc_readings(dataset, seed).copy()


@cache
def _spc_readings(dataset: str, seed: int) -> pd.DataFrame:
    rows, sizes, found = distinct_rows(), class_sizes(dataset), {}
    for row in rows[rows["dataset"] == dataset].itertuples():
        rng = np.random.default_rng([seed, len(found)])
        drawn = macro_scores(draw_matrices(row.acc / 100, row.sen / 100, sizes, rng))
        fits = np.abs(100 * drawn["f1"] - row.f1) < F1_SLACK
        line = {"spc": row.spc, "f1": row.f1, "matrices": int(fits.sum())}
        line["f1_most"] = 100 * drawn["f1"].max(initial=-np.inf) if len(fits) else np.nan
        for reading in ("specificity", "negative_value"):
            values = 100 * drawn[reading][fits]
            low, high = (values.min(), values.max()) if len(values) else (np.nan, np.nan)
            line |= {f"{reading}_low": low, f"{reading}_high": high}
            line[f"{reading}_off"] = np.maximum(np.maximum(low - row.spc, row.spc - high), 0)
        found[row.name] = line
    return pd.DataFrame.from_dict(found, orient="index")
