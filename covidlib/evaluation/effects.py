"""What an experiment measured, with its interval: from drawn patients, from repeats, from both.

A few trainings or networks, each tested on the same patients, are what readers are in studies of
radiologists: repeats crossed with cases. Their mean has the interval of Obuchowski and Rockette
(1995) with the degrees of freedom of Hillis (2007). A percentile interval that draws three repeats
anew is too narrow, since three show a third less than their variance; the expanded percentiles of
Hesterberg (2015) would lie at 7e-8 for three, beyond all draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy import stats

from covidlib.errors import DataError

LEVEL, POWER = 0.05, 0.8
ROUNDING = 1e-12  # scatter below it is that of adding decimals
MANY = 100  # degrees of freedom: a t distribution is a normal one by then
BY_PATIENTS = "bootstrap over patients"
BY_REPEATS = "t over repeats and patients"


@dataclass(frozen=True)
class Effect:
    """What an experiment measured, in the direction of a statement.

    Args:
        value: above 0 where it agrees with the statement.
        low, high: 95% interval.
        p_value: two-sided; how likely so large an effect is if there is none.
        error: standard error of the value.
        units: networks (or other units) over which the value is a mean.
        runs: trainings on the side that has fewest, over all units; recorded ones that share their
            pre-training count as one.
        images: how many distinct images went in.
        each: the value of every unit.
        test: what gave interval and p value.
        records: what it was computed from, below the folder of results.
        printed: the same in a paper's own numbers, of the units that went in.
        part: what of the claim it speaks of, where that is not all.
        freedom: degrees of freedom of ``error``.
        tests: how many tests its p value is to be corrected for.
        compared: out of how many effects it was chosen as the worst.
    """

    value: float
    low: float
    high: float
    p_value: float
    error: float
    units: int
    runs: int
    images: int
    each: tuple[float, ...] = ()
    test: str = ""
    records: tuple[str, ...] = ()
    printed: float | None = None
    part: str = ""
    freedom: float = np.inf
    tests: int = 1
    compared: int = 1

    @property
    def smallest(self) -> float:
        """The effect that such an experiment finds in four of five cases, after the correction."""
        return smallest_seen(self.error, self.freedom, self.tests)

    @property
    def highest(self) -> float:
        """The upper end of the interval, corrected (Bonferroni) for the choice of the worst."""
        if self.compared == 1:
            return self.high
        level = LEVEL / (2 * self.compared)
        return self.value + float(stats.t.ppf(1 - level, self.freedom)) * self.error

    def falls_short(self, printed: float | None) -> bool:
        """Say whether it has no sure sign, and is surely less than what a paper prints."""
        return printed is not None and self.low <= 0 and self.highest < printed


class Repeats(NamedTuple):
    """Trainings of one side, or networks; the number is the sum of the means of all groups.

    Args:
        values: what each repeat gave, with its weight. Shape: (repeats,).
        draws: the same when patients are drawn anew, the same ones for all. Shape:
            (resamples, repeats).
    """

    values: np.ndarray
    draws: np.ndarray


class Spread(NamedTuple):
    """Interval, p value and standard error of a number, with its degrees of freedom."""

    low: float
    high: float
    p_value: float
    error: float
    freedom: float
    test: str


def spread_of(groups: Sequence[Repeats]) -> Spread:
    """Return how sure the sum over groups of the mean over repeats is.

    Without a group of two or more, only patients vary: percentiles of the draws. Else ``crossed``.

    Raises:
        DataError: the number is undefined in more than a tenth of the draws.
    """
    whole = np.all([np.isfinite(draws).all(axis=1) for _, draws in groups], axis=0)
    if whole.mean() < 0.9:
        raise DataError("undefined in more than a tenth of the draws of patients")
    kept = [Repeats(values, draws[whole]) for values, draws in groups]
    if max(len(values) for values, _ in kept) > 1:
        return crossed(kept)
    return by_draws(sum(draws[:, 0] for _, draws in kept))


def crossed(groups: Sequence[Repeats]) -> Spread:
    """Return the spread of a number that is a mean over repeats on the same patients.

    The variance between repeats holds all that is theirs, chance in the patients included, and has
    few degrees of freedom. What all repeats share, the covariance that drawing patients gives, is
    added (Hillis 2007, with one group of differences). A sum of several groups, such as two models
    with three trainings each, adds up their variances (Satterthwaite 1946). The result is never
    less sure than patients alone make it: ours.

    Args:
        groups: at least one with two repeats or more; one that has a single repeat counts as if
            further ones would give the same.
    """
    value = sum(float(values.mean()) for values, _ in groups)
    alone = float(sum(draws.mean(axis=1) for _, draws in groups).var(ddof=1))
    shared, between, few = alone, 0.0, 0.0
    for values, draws in groups:
        count = len(values)
        if count < 2:
            continue
        table = np.cov(draws, rowvar=False)
        diagonal = float(np.trace(table))
        own = diagonal / count - (float(table.sum()) - diagonal) / (count * (count - 1))
        part = float(values.var(ddof=1)) / count
        shared -= own / count
        between += part
        few += part**2 / (count - 1)
    variance = max(between + max(shared, 0.0), alone)
    return by_t(value, float(np.sqrt(variance)), variance**2 / few if few else np.inf, BY_REPEATS)


def smallest_seen(error: float, freedom: float, tests: int = 1) -> float:
    """Return the effect that a two-sided t test finds in four of five cases.

    Args:
        error, freedom: of the effect.
        tests: how many are corrected for; the effect is then found where it alone is one of them.
    """
    level = LEVEL / (2 * max(tests, 1))
    return float((stats.t.ppf(1 - level, freedom) + stats.t.ppf(POWER, freedom)) * error)


def by_t(value: float, error: float, freedom: float, test: str) -> Spread:
    """Return the spread of a number with a standard error that has few degrees of freedom.

    Without any scatter nothing tells how sure the number is; the p value is then not a number,
    or 1 where the number is 0.
    """
    half = float(stats.t.ppf(0.975, freedom)) * error
    many = f"{freedom:.1f}" if freedom < MANY else f"over {MANY}"
    still = 1.0 if abs(value) <= ROUNDING else np.nan  # without any scatter
    return Spread(
        low=value - half,
        high=value + half,
        p_value=float(2 * stats.t.sf(abs(value) / error, freedom)) if error > ROUNDING else still,
        error=error,
        freedom=freedom,
        test=f"{test}, {many} degrees of freedom",
    )


def by_draws(means: np.ndarray) -> Spread:
    """Return the spread of a number that drawn patients alone give. Shape: (resamples,)."""
    low, high = np.quantile(means, [0.025, 0.975])
    # One draw more on each side, so that no p value is 0 (Davison and Hinkley 1997, eq. 4.11).
    tail = (1 + min((means <= 0).sum(), (means >= 0).sum())) / (1 + len(means))
    return Spread(
        low=float(low),
        high=float(high),
        p_value=float(min(1.0, 2 * tail)),
        error=float(means.std(ddof=1)),
        freedom=np.inf,
        test=BY_PATIENTS,
    )


def _doubt(effect: Effect) -> tuple[float, float]:
    """Order effects by how little they speak for a statement; an unknown p value counts as 1."""
    p_value = 1.0 if np.isnan(effect.p_value) else effect.p_value
    return (p_value if effect.value > 0 else 2 - p_value, -effect.value)


def weakest(effects: Sequence[Effect]) -> Effect:
    """Return the effect that speaks least for a statement: all of them must hold for it to hold.

    The larger p value is valid for "all of them hold" without a correction (Berger 1982). An effect
    that speaks against the statement is the worst of several: for "one of them fails" its p value
    is multiplied by their number (Bonferroni).
    """
    one = max(effects, key=_doubt)
    one = replace(one, compared=len(effects))
    if one.value > 0:
        return one
    return replace(one, p_value=min(1.0, one.p_value * len(effects)))
