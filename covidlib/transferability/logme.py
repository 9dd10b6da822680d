"""LogME: the largest evidence of a Bayesian linear model of the labels (You et al. 2021)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from covidlib.transferability.inputs import as_features, one_hot, thin_svd

# Where lambda = alpha / beta may lie, in units of the largest squared singular value.
GRID = np.logspace(-10, 10, 81)


@dataclass(frozen=True)
class Evidence:
    """The maximum of the log evidence of one target.

    Args:
        value: log p(y | F, alpha, beta) / N in nats.
        alpha: precision of the weights' prior.
        beta: precision of the noise.
        steps: of the fixed point.
        edge: whether the maximum lies at the edge of the searched range of alpha / beta: the
            features explain nothing, or everything.
    """

    value: float
    alpha: float
    beta: float
    steps: int
    edge: bool


def logme(features: ArrayLike, targets: ArrayLike) -> float:
    """Return the mean over classes of the maximal log evidence per image (You et al. 2021).

    Each class indicator y is modelled as F w + noise with w ~ N(0, 1/alpha) and noise of variance
    1/beta; alpha and beta are those of the largest evidence. Features are taken as they are, with
    neither mean nor scale removed, as in the paper.

    Args:
        features: Shape: (N, D).
        targets: Shape: (N,).

    Returns:
        Nats per image; unbounded above, since it is a density.
    """
    values, labels = as_features(features, targets)
    decomposed = thin_svd(values)
    targets_of = one_hot(labels).T
    return float(np.mean([maximise(decomposed[0], decomposed[1], y).value for y in targets_of]))


def maximise(u: np.ndarray, s: np.ndarray, y: np.ndarray, steps: int = 500) -> Evidence:
    """Run MacKay's fixed point (You et al. 2021, algorithm 1).

    gamma = sum s^2 / (s^2 + lambda), alpha = gamma / |m|^2, beta = (N - gamma) / |F m - y|^2,
    lambda = alpha / beta, until lambda stays; m is the posterior mean of the weights. All sums
    run over singular values, so a step costs O(rank). The evidence may have two maxima, and the
    fixed point keeps to the nearest: it starts at the best point of a coarse grid.

    Args:
        u, s: left singular vectors and singular values of F, rank R. Shapes: (N, R), (R,).
        y: one target. Shape: (N,).
        steps: at most this many.
    """
    n, power = len(y), s**2
    if not len(s):  # features that are all 0: noise alone
        value = log_evidence(1.0, power, power, float(y @ y), n)
        return Evidence(value / n, np.inf, n / float(y @ y), 0, True)
    along = (u.T @ y) ** 2
    beyond = max(float(y @ y - along.sum()), 0.0)  # what no weights can explain
    grid = power[0] * GRID
    ratio = start = float(max(grid, key=lambda r: log_evidence(r, power, along, beyond, n)))
    taken = 0
    while taken < steps:
        taken += 1
        previous = ratio
        weights = float((power * along / (power + ratio) ** 2).sum())
        error = float((along * (ratio / (power + ratio)) ** 2).sum()) + beyond
        used = float((power / (power + ratio)).sum())
        # N - gamma as a sum: the difference cancels where the features explain everything.
        unused = float((ratio / (power + ratio)).sum()) + n - len(s)
        upper, lower = used * error, weights * unused
        ratio = float(np.clip(upper / lower, grid[0], grid[-1])) if lower > 0 else grid[-1]
        if abs(np.log(ratio / previous)) < 1e-10:
            break
    ratio = max(ratio, start, key=lambda r: log_evidence(r, power, along, beyond, n))
    beta = n / (float((along * ratio / (power + ratio)).sum()) + beyond)
    value = log_evidence(ratio, power, along, beyond, n)
    return Evidence(value / n, ratio * beta, beta, taken, ratio in (grid[0], grid[-1]))


def log_evidence(
    ratio: float, power: np.ndarray, along: np.ndarray, beyond: float, n: int
) -> float:
    """Return max over beta of log N(y; 0, I / beta + F F^T / alpha) at a fixed alpha / beta.

    The determinant has one factor 1 + s^2 / lambda per singular value; directions of weight space
    without data cancel. (A sum over min(N, D) singular values beside D/2 log alpha, as some code
    has it, is off by (D - N)/2 log alpha with more features than images.)

    Args:
        ratio: lambda = alpha / beta.
        power: squared singular values. Shape: (R,).
        along: squared coefficients of y along the left singular vectors. Shape: (R,).
        beyond: squared length of the rest of y.
        n: images.
    """
    quadratic = float((along * ratio / (power + ratio)).sum()) + beyond
    determinant = float(np.log1p(power / ratio).sum())
    return -0.5 * (n * np.log(2 * np.pi * quadratic / n) + n + determinant)
