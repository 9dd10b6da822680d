"""Whether a probability means what it says: bins, error, Brier score, temperature.

What is judged is the probability of the positive class when there are two classes, and that of the
predicted class when there are more. Nothing here is fitted on test images: a temperature comes from
the validation images.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from statsmodels.stats.proportion import proportion_confint

from covidlib.errors import DataError
from covidlib.evaluation.predictions import PREFIX, Scored, classes_of, scored

BINS = 10
LEAST = 1e-12  # a probability that underflowed to 0 must not cost an infinite loss
RANGE = (0.05, 20.0)  # of temperatures


@dataclass(frozen=True)
class Temperature:
    """By how much the logits of a model are divided.

    Args:
        value: above 1 makes the model less sure, below 1 surer.
        images: how many it was fitted on.
        before, after: mean negative log-likelihood of those images, nats.
        at_edge: whether the search ended at a bound: the images do not say how sure to be.
    """

    value: float
    images: int
    before: float
    after: float
    at_edge: bool


def reliability(
    predictions: pd.DataFrame, bins: int = BINS, split: str | None = "test"
) -> pd.DataFrame:
    """Compare how sure a model was with how often it was right, in bins of equal mass.

    Args:
        predictions: see ``covidlib.evaluation.predictions.scored``.
        bins: at most so many; images that share a probability share a bin.
        split: which rows count; None takes all.

    Returns:
        One row per bin in rising order: sure (mean probability), right (share), images, and the
        95% Wilson interval of the share, low and high. Images of a patient count singly.

    Raises:
        DataError: fewer than one bin.
    """
    sure, right = judged(scored(predictions, split))
    number = _bin_numbers(sure, bins)
    rows = pd.DataFrame({"sure": sure, "right": right}).groupby(number)
    table = rows.mean().assign(images=rows.size()).reset_index(drop=True)
    hits = (table["right"] * table["images"]).round()
    low, high = proportion_confint(hits, table["images"], method="wilson")
    return table.assign(low=low, high=high)


def calibration_error(
    predictions: pd.DataFrame, bins: int = BINS, split: str | None = "test"
) -> float:
    """Return the expected calibration error over bins of equal mass, in [0, 1].

    The mean over images of the distance between sure and right in their bin (Naeini et al. 2015;
    equal mass: Nguyen and O'Connor 2015). A well calibrated model of few images has an error above
    0 by chance; the fewer images in a bin, the larger: see ``chance_error``.
    """
    table = reliability(predictions, bins, split)
    gap = (table["sure"] - table["right"]).abs()
    return float(np.average(gap, weights=table["images"]))


def chance_error(
    predictions: pd.DataFrame, bins: int = BINS, split: str | None = "test", draws: int = 1000
) -> float:
    """Return the calibration error that is expected of these probabilities if all were true.

    Outcomes are drawn with the probabilities themselves (Bröcker and Smith 2007), always the same
    ones, and the errors averaged. An error near this one is no evidence of bad calibration.
    """
    sure, _ = judged(scored(predictions, split))
    right = np.random.default_rng(0).random((draws, len(sure))) < sure
    number = _bin_numbers(sure, bins)
    member = number[:, None] == np.unique(number)
    return float(np.abs((sure - right) @ member).sum(axis=1).mean() / len(sure))


def brier(predictions: pd.DataFrame, split: str | None = "test") -> float:
    """Return the Brier score, 0 is best.

    With two classes the mean squared error of the positive class's probability, in [0, 1]; with
    more the mean over images of the sum over classes, in [0, 2] (Brier 1950).
    """
    s = scored(predictions, split)
    wrong = (s.probabilities - np.eye(len(s.classes))[s.truth]) ** 2
    return float(wrong[:, 1].mean() if s.binary else wrong.sum(axis=1).mean())


def fit_temperature(predictions: pd.DataFrame, split: str = "val") -> Temperature:
    """Find the temperature of the smallest log-loss (Guo et al. 2017, sec. 4.2).

    One number cannot change which class is the most probable, so no accuracy and, with two classes,
    no AUC.

    Args:
        predictions: with rows of ``split``.
        split: the validation images. The test images must not decide.

    Raises:
        DataError: there are no such rows, or it is the test split.
    """
    if split == "test":
        raise DataError("a temperature is fitted on validation images, not on the test images")
    s = scored(predictions, split)
    logits = np.log(s.probabilities.clip(LEAST))
    ends = np.log(RANGE)
    found = minimize_scalar(
        lambda t: _loss(logits / np.exp(t), s.truth), bounds=ends, method="bounded"
    )
    value = float(np.exp(found.x))
    edge = bool(np.abs(ends - found.x).min() < 1e-3)
    after = _loss(logits / value, s.truth)
    return Temperature(value, len(s), _loss(logits, s.truth), after, edge)


def at_temperature(predictions: pd.DataFrame, temperature: float) -> pd.DataFrame:
    """Return a copy of predictions with every probability at another temperature.

    Args:
        predictions: columns ``p_<class>``; other columns stay.
        temperature: above 0; 1 changes nothing.

    Raises:
        DataError: a temperature that is not above 0.

    >>> given = pd.DataFrame({"p_a": [0.8], "p_b": [0.2]})
    >>> at_temperature(given, 2.0)["p_a"].round(4).tolist()
    [0.6667]
    """
    if not temperature > 0:
        raise DataError(f"a temperature is above 0, not {temperature}")
    columns = [PREFIX + name for name in classes_of(predictions)]
    powers = predictions[columns].clip(LEAST) ** (1 / temperature)
    return predictions.assign(**powers.div(powers.sum(axis=1), axis=0))


def judged(s: Scored) -> tuple[np.ndarray, np.ndarray]:
    """Return the probability that is judged, and whether it came true. Shapes: (N,), (N,)."""
    if s.binary:
        return s.probabilities[:, 1], s.truth == 1
    return s.probabilities.max(axis=1), s.truth == s.predicted


def _bin_numbers(sure: np.ndarray, bins: int) -> np.ndarray:
    if bins < 1:
        raise DataError(f"one bin or more, not {bins}")
    edges = np.quantile(sure, np.linspace(0, 1, bins + 1))
    return np.searchsorted(edges[1:-1], sure)


def _loss(logits: np.ndarray, truth: np.ndarray) -> float:
    top = logits.max(axis=1, keepdims=True)
    log_sum = top[:, 0] + np.log(np.exp(logits - top).sum(axis=1))
    return float((log_sum - logits[np.arange(len(truth)), truth]).mean())
