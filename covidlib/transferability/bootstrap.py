"""How sure a score is, and what it would be if the source knew nothing."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from covidlib.errors import DataError
from covidlib.evaluation import Interval
from covidlib.evaluation.resampling import draw
from covidlib.transferability.inputs import as_labels

Score = Callable[[np.ndarray, np.ndarray], float]


def bootstrap(
    score: Score,
    inputs: ArrayLike,
    targets: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 500,
    seed: int = 0,
) -> Interval:
    """Return a score with the basic bootstrap interval over target images.

    Images are drawn with replacement within their class, whole groups at a time. Drawing an image
    twice makes any score that is fitted to its own images look better, so resampled scores lie
    above the value. The basic interval, 2 value - quantiles, takes that shift off instead of
    adding it a second time, as the percentile interval would.

    It takes off about as much as the value itself is above the score of the population only while
    that is little. With 100 source classes and 425 images the interval held the population's LEEP
    in 49 of 60 simulated cases for soft outputs and in 34 for nearly one-hot ones, and mostly lay
    too high in the others. ``permuted`` shows how much a score is fitted to its images.

    Args:
        score: maps inputs and labels to a number.
        inputs: source probabilities or features. Shape: (N, Z) or (N, D).
        targets: Shape: (N,).
        groups: who belongs together, patients. Shape: (N,).
        level: coverage aimed at.
        resamples, seed: how many draws, and from where.
    """
    values = np.asarray(inputs)
    labels = as_labels(targets, len(values))
    who = np.arange(len(labels)) if groups is None else np.asarray(groups)
    times = draw(who, labels, resamples, np.random.default_rng([seed, resamples]))
    value = float(score(values, labels))
    found = np.array([score(*_repeated(values, labels, row)) for row in times])
    low, high = 2 * value - np.quantile(found, [(1 + level) / 2, (1 - level) / 2])
    return Interval(value, float(low), float(high), 1, len(labels))


def _repeated(
    values: np.ndarray, labels: np.ndarray, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    rows = np.repeat(np.arange(len(labels)), times)
    return values[rows], labels[rows]


def permuted(
    score: Score,
    inputs: ArrayLike,
    targets: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    permutations: int = 200,
    seed: int = 0,
) -> np.ndarray:
    """Return the score with shuffled labels: the same source, but with nothing to tell.

    A score fitted to its own images rewards a source for having many classes or features. The
    mean of these values is that reward, which is higher if images of one patient are alike.
    So every patient gets the labels of another, repeated or cut to its number of images. Where
    these numbers differ, class shares vary a little: take a score that allows for the entropy of
    the labels it is given, such as ``information_gain``.

    Args:
        score, inputs, targets, groups: see ``bootstrap``.
        permutations: how many, at least 1.
        seed: where they start from.

    Returns:
        Shape: (permutations,).

    Raises:
        DataError: no permutation is asked for.
    """
    if permutations < 1:
        raise DataError(f"at least one permutation, not {permutations}")
    values = np.asarray(inputs)
    labels = as_labels(targets, len(values))
    who = np.arange(len(labels)) if groups is None else np.asarray(groups)
    rng = np.random.default_rng([seed, permutations])
    _, patient, sizes = np.unique(who, return_inverse=True, return_counts=True)
    together = np.argsort(patient, kind="stable")
    starts = np.cumsum(sizes) - sizes
    patient = patient[together]
    nth = np.arange(len(labels)) - starts[patient]
    found = []
    for _ in range(permutations):
        giver = rng.permutation(len(sizes))[patient]
        shuffled = np.empty_like(labels)
        shuffled[together] = labels[together][starts[giver] + nth % sizes[giver]]
        found.append(score(values, shuffled))
    return np.array(found)
