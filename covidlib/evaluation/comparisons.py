"""Is one model better than another? Paired tests, corrections, and what n images can show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from covidlib.errors import DataError
from covidlib.evaluation.metrics import one_against_rest
from covidlib.evaluation.predictions import Scored, scored


@dataclass(frozen=True)
class Comparison:
    """A paired comparison: second minus first.

    Args:
        test: its name.
        difference, low, high: effect with its 95% interval; NaN bounds where the test gives none.
        p_value: two-sided; NaN if undefined.
        n: images, or folds for the corrected t test.
        reason: why something is undefined.
    """

    test: str
    difference: float
    low: float
    high: float
    p_value: float
    n: int
    reason: str = ""


def delong(positive: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return AUCs and their covariance (DeLong et al. 1988, by midranks: Sun and Xu 2014, eq. 4).

    Args:
        positive: whether each image is positive. Shape: (N,).
        values: scores of M models on the same images. Shape: (M, N).

    Returns:
        AUCs and covariance. Shapes: (M,), (M, M).

    Raises:
        DataError: fewer than two positives or two negatives: their variance is undefined.
    """
    positive = np.asarray(positive, dtype=bool)
    values = np.atleast_2d(np.asarray(values, dtype=float))
    m, n = int(positive.sum()), int((~positive).sum())
    if m < 2 or n < 2:
        raise DataError(f"DeLong needs two images of each class, got {m} positive, {n} negative")
    rank = stats.rankdata(values, axis=1)  # ties share their mean rank
    among_positive = stats.rankdata(values[:, positive], axis=1)
    among_negative = stats.rankdata(values[:, ~positive], axis=1)
    beats = (rank[:, positive] - among_positive) / n  # (M, m) share of negatives below
    beaten = 1 - (rank[:, ~positive] - among_negative) / m  # (M, n) share of positives above
    covariance = np.atleast_2d(np.cov(beats)) / m + np.atleast_2d(np.cov(beaten)) / n
    return beats.mean(axis=1), covariance


def _paired(first: pd.DataFrame, second: pd.DataFrame, split: str | None) -> tuple[Scored, Scored]:
    one, two = scored(first, split), scored(second, split)
    if one.classes != two.classes:
        raise DataError(f"the two models differ in classes: {one.classes} and {two.classes}")
    place = {name: i for i, name in enumerate(two.samples)}
    if set(place) != set(one.samples):
        raise DataError("the two models were not tested on the same images")
    order = np.array([place[name] for name in one.samples])
    if (two.truth[order] != one.truth).any():
        raise DataError("the two models disagree about the label of an image")
    same = Scored(one.samples, one.clusters, one.truth, two.probabilities[order], one.classes)
    return one, same


def compare_auc(
    first: pd.DataFrame,
    second: pd.DataFrame,
    positive: str | None = None,
    split: str | None = "test",
) -> Comparison:
    """Test whether two models have the same AUC on the same images (DeLong et al. 1988).

    It compares two trainings and counts images as independent. What several trainings of each
    model say, with patients drawn as a whole, is ``covidlib.evaluation.contrasts.contrast``.

    Args:
        first, second: predictions of one run each; see ``scored``.
        positive: the class against the rest; may be left out when there are two.
        split: which rows count.

    Raises:
        DataError: other images, other classes, or fewer than two images of a class.
    """
    one, two = _paired(first, second, split)
    truth, values = one_against_rest(one, positive)
    areas, covariance = delong(truth, np.stack([values, one_against_rest(two, positive)[1]]))
    gap = float(areas[1] - areas[0])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    if variance <= 1e-15:
        # Equal scores: certainly no difference. Unequal without variance: nothing to test with.
        p, reason = (1.0, "") if gap == 0 else (float("nan"), "the difference has no variance")
        return Comparison("DeLong", gap, gap, gap, p, len(one), reason)
    error = np.sqrt(variance)
    half = float(stats.norm.ppf(0.975) * error)
    p = float(2 * stats.norm.sf(abs(gap) / error))
    return Comparison("DeLong", gap, gap - half, gap + half, p, len(one))


def compare_errors(
    first: pd.DataFrame, second: pd.DataFrame, split: str | None = "test"
) -> Comparison:
    """Test whether two models are wrong equally often on the same images (McNemar, exact).

    The difference is that of the accuracies; its bounds are NaN. Images count as independent, as
    in ``compare_auc``.
    """
    one, two = _paired(first, second, split)
    right = [one.predicted == one.truth, two.predicted == two.truth]
    table = pd.crosstab(*[pd.Categorical(r, [True, False]) for r in right], dropna=False)
    p = float(mcnemar(table.to_numpy(), exact=True).pvalue)
    gap = float(right[1].mean() - right[0].mean())
    return Comparison("McNemar", gap, float("nan"), float("nan"), min(p, 1.0), len(one))


def holm(p_values: Mapping[str, float] | Sequence[float]) -> pd.Series:
    """Adjust p-values for how many there are (Holm 1979); NaN stays NaN and does not count."""
    series = pd.Series(p_values, dtype=float, copy=True)  # pandas 2 shares memory otherwise
    tested = series.notna()
    if tested.any():
        series[tested] = multipletests(series[tested], method="holm")[1]
    return series


def corrected_t(differences: Sequence[float], train: int, test: int) -> Comparison:
    """Test a mean difference over folds whose training images overlap (Nadeau and Bengio 2003).

    Folds that all differ by as much, as two folds of few images often do, have no variance to test
    with: p value and bounds are NaN, also where that difference is 0. They are NaN as well where a
    fold's difference is.

    Args:
        differences: second minus first, one per fold (or per repeat of a fold).
        train, test: images per fold in training and in testing.

    Raises:
        DataError: fewer than two folds, or no training or test image.
    """
    # Equal shares of images differ in their last bits.
    gaps = np.asarray(differences, dtype=float).round(12)
    count = len(gaps)
    if count < 2 or train < 1 or test < 1:
        raise DataError("a corrected t test needs two folds or more, with images on both sides")
    gap = float(gaps.mean())
    error = float(np.sqrt(gaps.var(ddof=1) * (1 / count + test / train)))
    name = "corrected t"
    if not (spread := float(np.ptp(gaps))) > 0:
        reason = "the folds do not vary" if spread == 0 else "undefined in a fold"
        return Comparison(name, gap, np.nan, np.nan, np.nan, count, reason)
    half = float(stats.t.ppf(0.975, count - 1) * error)
    p = float(2 * stats.t.sf(abs(gap) / error, count - 1))
    return Comparison(name, gap, gap - half, gap + half, p, count)


def mean_std(values: Sequence[float]) -> tuple[float, float]:
    """Return mean and standard deviation (n - 1); one value has no spread, so NaN.

    >>> mean_std([1.0, 3.0])
    (2.0, 1.4142135623730951)
    >>> mean_std([0.9])
    (0.9, nan)
    """
    if len(values) == 0:
        raise DataError("no value to average")
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else np.nan


def margin(accuracy: float, n: int, level: float = 0.95) -> float:
    """Half-width of the interval around an accuracy on n images: differences below it are noise.

    >>> round(margin(0.942, 203), 3)
    0.032
    """
    return float(stats.norm.ppf((1 + level) / 2) * np.sqrt(accuracy * (1 - accuracy) / n))


def minimum_detectable_difference(
    n: int, discordant: float, power: float = 0.8, alpha: float = 0.05
) -> float:
    """Smallest accuracy difference a paired test on n images would find (Connor 1987, eq. 3.1).

    Args:
        n: images that both models see.
        discordant: share of images that exactly one of the two gets right.
        power: how often the difference should be found.
        alpha: two-sided level of the test.

    Returns:
        The difference, or NaN where not even the largest possible one (``discordant``) is found.
    """
    if not 0 < discordant <= 1 or n < 1:
        raise DataError(f"need images and a share in (0, 1], got n={n}, discordant={discordant}")
    one, two = stats.norm.ppf(1 - alpha / 2), stats.norm.ppf(power)

    def excess(gap: float) -> float:
        needed = one * np.sqrt(discordant) + two * np.sqrt(max(discordant - gap**2, 0))
        return gap * np.sqrt(n) - needed

    if excess(discordant) < 0:
        return float("nan")
    return float(optimize.brentq(excess, 0, discordant))
