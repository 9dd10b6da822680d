"""How far seeds move a metric, learnt from every setting that has more than one of them.

Few settings have many seeds, so each borrows from the others. Metrics on few images are coarser, so
spreads are pooled in units of the error over test images (``covidlib.runs.image_errors``). Where
this is not known, those of the same paper are pooled as they are.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

FEWEST = 2  # degrees of freedom without which a spread is a guess
SCALES = np.exp(np.linspace(-3, 1, 21))  # of a prior variance, in units of the pooled one
WEIGHTS = np.append(np.geomspace(FEWEST, 64, 11), 1e6)  # of a prior, in degrees of freedom
OWN, OTHERS, BOTH = "its own seeds", "seeds of other settings", "its own seeds and others"


@dataclass(frozen=True)
class Group:
    """Runs that differ in seed alone: variance in units of the image error, degrees of freedom."""

    variance: float = 0.0
    freedom: int = 0
    family: str = ""


@dataclass(frozen=True)
class Spread:
    """A standard deviation over seeds in units of the image error, and whose it is."""

    deviation: float
    freedom: float
    source: str


def spread(own: Group, others: list[Group]) -> Spread | None:
    """Return the spread of one setting, moderated by that of others (Smyth 2004).

    The variances of the others are a prior. It counts for as many degrees of freedom as their
    likeness warrants: all that they have where they differ by no more than chance, few where
    settings differ in truth.

    Returns:
        None where fewer than two degrees of freedom are known.
    """
    variance, weight = _prior(tuple(group for group in others if group.freedom))
    freedom = weight + own.freedom
    if freedom < FEWEST:
        return None
    squares = weight * variance + own.freedom * own.variance
    source = (BOTH if weight else OWN) if own.freedom else OTHERS
    return Spread(math.sqrt(squares / freedom), freedom, source)


@lru_cache(maxsize=256)
def _prior(others: tuple[Group, ...]) -> tuple[float, float]:
    """Fit the prior: variances over seeds, divided by it, follow F (Smyth 2004).

    By likelihood and not by the moments of the logarithms, as there: of two seeds that happen to
    agree the logarithm would outweigh all others.

    Returns:
        Its variance, and the degrees of freedom that it counts for.
    """
    own = np.array([group.freedom for group in others], dtype=float)
    variances = np.array([group.variance for group in others])
    freedom = float(own.sum())
    if not freedom or not variances.any():
        return 0.0, freedom
    mean = float(variances @ own / freedom)
    if len(others) < 2:
        return mean, freedom
    scales, weights = np.meshgrid(mean * SCALES, WEIGHTS)
    each = np.maximum(variances, 1e-6 * mean)[:, None, None] / scales
    likelihood = (_log_f(each, own[:, None, None], weights) - np.log(scales)).sum(axis=0)
    best = np.unravel_index(likelihood.argmax(), likelihood.shape)
    if weights[best] >= freedom:
        return mean, freedom
    return float(scales[best]), float(weights[best])


def _log_f(x: np.ndarray, one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Return the logarithm of F's density; ``scipy.stats.f.logpdf`` takes ten times as long."""
    from scipy.special import betaln

    ratio = one / two
    powers = one / 2 * np.log(ratio) + (one / 2 - 1) * np.log(x)
    return powers - (one + two) / 2 * np.log1p(ratio * x) - betaln(one / 2, two / 2)


def scaled(history: pd.DataFrame) -> pd.DataFrame:
    """Return the history with ``unit``, the image error of a family, and ``pool``, whom it joins.

    Args:
        history: see ``covidlib.runs.history.read``; row, error, recorded and digest may be missing.
    """
    known = history.assign(
        row=history["row"] if "row" in history else history["family"],
        recorded=history["recorded"].astype(bool) if "recorded" in history else False,
        digest=history["digest"] if "digest" in history else history["value"],
        error=history["error"].astype(float) if "error" in history else math.nan,
    )
    unit = known["error"].groupby([known["family"], known["metric"]]).transform("mean")
    joint = known["profile"].astype(str) + " " + known["metric"].astype(str)
    alone = joint + " " + known["paper"].astype(str)
    return known.assign(unit=unit.fillna(1.0), pool=joint.where(unit.notna(), alone))


def seed_groups(history: pd.DataFrame) -> dict[str, list[Group]]:
    """Return for every pool the families in it that have two seeds or more.

    The same seeds on several commits are repetitions and no more seeds: their variances are
    averaged and count once.

    Args:
        history: see ``scaled``.
    """
    found: dict[str, list[Group]] = {}
    for (name, family), runs in history.groupby(["pool", "family"], sort=False):
        states = runs.groupby(["commit", "device", "seed"])["value"].mean()
        each = states.groupby(level=[0, 1])
        enough = each.var(ddof=1)[each.size() > 1] / runs["unit"].iloc[0] ** 2
        if len(enough):
            freedom = int(each.size().max()) - 1
            found.setdefault(name, []).append(Group(float(enough.mean()), freedom, family))
    return found
