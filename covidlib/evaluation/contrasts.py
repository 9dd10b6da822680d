"""Weighted sums of several models' scores: differences, and differences of differences.

One bootstrap for all models: patients are drawn once for every model, so what is hard for all
cancels; the runs of each model are drawn on their own; where a statement is about several
networks, these are drawn too.
"""

import weakref
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from covidlib.errors import DataError
from covidlib.evaluation.bootstrap import blocks_of
from covidlib.evaluation.metrics import compute
from covidlib.evaluation.predictions import scored
from covidlib.evaluation.resampling import draw, weighted

Runs = Sequence[pd.DataFrame]
Terms = Sequence[tuple[float, Runs]]  # one number: weights, and the runs whose mean each weighs
POWER = 0.8
_KNOWN: dict[int, tuple[weakref.ref, dict[tuple, np.ndarray]]] = {}


@dataclass(frozen=True)
class Effect:
    """What an experiment measured, in the direction of a statement.

    Args:
        value: above 0 where it agrees with the statement.
        low, high: 95% interval.
        p_value: two-sided; how likely so large an effect is if there is none.
        smallest: the effect that such an experiment finds in four of five cases.
        units: networks (or other units) over which the value is a mean.
        runs: trainings on the side that has fewest, over all units.
        images: how many distinct images went in.
        each: the value of every unit.
    """

    value: float
    low: float
    high: float
    p_value: float
    smallest: float
    units: int
    runs: int
    images: int
    each: tuple[float, ...] = ()


def contrast(
    units: Sequence[Terms],
    metric: str = "auc",
    *,
    margin: float = 0.0,
    split: str | None = "test",
    resamples: int = 2000,
    seed: int = 0,
) -> Effect:
    """Return the mean over units of a weighted sum of scores, with paired interval and p value.

    With four models, "does attention gain more from transfer?" is one unit:
    ``[(1, attention_with), (-1, attention_without), (-1, plain_with), (1, plain_without)]``.

    Args:
        units: one sum per network, say; drawn with replacement if there are two or more.
        metric: a name of ``METRICS``.
        margin: added to the value and its bounds: above 0 asks "not worse by more than this".
        split: which rows count.
        resamples, seed: how many draws, and from where.

    Raises:
        DataError: no unit, a side without runs, or models that were tested on other images.
    """
    groups = {_name(runs): list(runs) for terms in units for _, runs in terms}
    if not groups or not all(groups.values()):
        raise DataError("a contrast needs at least one unit, and a run on every side")
    rng = np.random.default_rng([seed, resamples])
    means = _group_means(groups, metric, split, resamples, seed)
    sums = [
        sum(weight * means[_name(runs)] for weight, runs in terms) for terms in units
    ]  # each (1 + resamples,): the value itself, then the draws
    table = np.column_stack(sums) + margin
    fewest = sum(min(len(runs) for _, runs in terms) for terms in units)
    count = len({s for runs in groups.values() for t in runs for s in scored(t, split).samples})
    return _effect(table[0], table[1:], fewest, count, rng)


def paired(
    units: Sequence[np.ndarray],
    *,
    groups: Sequence[str] | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> Effect:
    """Return the mean over units and images of per-image differences, like ``contrast``.

    Args:
        units: one array of differences per unit, over the same images. Shape of each: (N,).
        groups: who belongs together, patients, drawn whole; without them every image is drawn by
            itself. Length: N.
        resamples, seed: how many draws, and from where.

    Raises:
        DataError: no unit, no image, or units of different length.
    """
    if not len(units) or len({len(values) for values in units}) > 1 or not len(units[0]):
        raise DataError("paired differences need units over the same images, at least one")
    values = np.column_stack(units)  # (N, units)
    rng = np.random.default_rng([seed, resamples])
    if groups is None:
        even = np.full(len(values), 1 / len(values))
        times = rng.multinomial(len(values), even, size=resamples)
    else:
        times = draw(np.asarray(groups), np.zeros(len(values)), resamples, rng)
    drawn = times / times.sum(axis=1, keepdims=True)
    return _effect(values.mean(axis=0), drawn @ values, values.shape[1], len(values), rng)


def over_draws(table: np.ndarray, images: int, seed: int = 0) -> Effect:
    """Return the mean over runs of a number that was also computed on drawn patients.

    Args:
        table: first the number of each run, then its values when patients are drawn anew. Shape:
            (1 + resamples, runs).
        images: how many went in.
        seed: of drawing the runs.
    """
    rng = np.random.default_rng([seed, len(table)])
    found = _effect(table[0], table[1:], table.shape[1], images, rng)
    return replace(found, units=1, each=(found.value,))


def over_runs(differences: np.ndarray) -> Effect:
    """Return the mean of differences between trainings, with the interval and p value of a t test.

    For numbers that each training has one of, such as the unrest of its curve. A bootstrap of
    three such numbers would call any three of one sign significant.

    Args:
        differences: one column per unit, a network, say; each is about the units as they are.
            Shape: (runs, units).

    Raises:
        DataError: fewer than two numbers: nothing tells how much they vary.
    """
    values = np.asarray(differences, dtype=float)
    if values.ndim != 2 or values.size < 2:
        raise DataError(f"a t test needs two differences or more, got shape {values.shape}")
    freedom = values.size - 1
    mean, error = float(values.mean()), float(values.std(ddof=1) / np.sqrt(values.size))
    half = float(stats.t.ppf(0.975, freedom)) * error
    same = 1.0 if mean == 0 else 0.0  # without any scatter
    return Effect(
        value=mean,
        low=mean - half,
        high=mean + half,
        p_value=float(2 * stats.t.sf(abs(mean) / error, freedom)) if error else same,
        smallest=half + float(stats.t.ppf(POWER, freedom)) * error,
        units=values.shape[1],
        runs=values.size,
        images=0,
        each=tuple(float(v) for v in values.mean(axis=0)),
    )


def weakest(effects: Sequence[Effect]) -> Effect:
    """Return the effect that speaks least for a statement: all of them must hold for it to hold."""
    return max(effects, key=lambda e: (e.p_value if e.value > 0 else 2 - e.p_value, -e.value))


def _name(runs: Runs) -> tuple[int, ...]:
    return tuple(id(table) for table in runs)


def _group_means(
    groups: dict[tuple, list[pd.DataFrame]],
    metric: str,
    split: str | None,
    resamples: int,
    seed: int,
) -> dict[tuple, np.ndarray]:
    """Return each group's mean score: over its runs, then under every draw. (1 + resamples,)."""
    tables = {id(t): t for runs in groups.values() for t in runs}
    runs = {name: scored(table, split).sorted() for name, table in tables.items()}
    names = list(runs)
    if len({run.classes for run in runs.values()}) > 1:
        raise DataError("the models differ in classes")
    for block in blocks_of([runs[name] for name in names]):
        members = {names[i] for i in block}
        if not all(members & set(group) for group in groups):
            raise DataError("the models were not tested on the same images")
    rng = np.random.default_rng([seed, resamples, 1])
    means = {}
    for group, own in groups.items():
        table = np.column_stack([_drawn(t, metric, split, resamples, seed) for t in own])
        times = rng.multinomial(len(group), np.full(len(group), 1 / len(group)), size=resamples)
        means[group] = np.concatenate(
            [[table[0].mean()], (table[1:] * times).sum(axis=1) / len(group)]
        )
    return means


def _drawn(
    table: pd.DataFrame, metric: str, split: str | None, resamples: int, seed: int
) -> np.ndarray:
    """Return a run's score, then its scores when patients are drawn anew. (1 + resamples,).

    The draws depend on the images alone, so all models see the same, whichever is asked first.
    They are remembered as long as the table lives: one run serves many comparisons.
    """
    key = (metric, split, resamples, seed)
    place = id(table)
    if place not in _KNOWN:
        _KNOWN[place] = (weakref.ref(table, lambda _: _KNOWN.pop(place)), {})
    known = _KNOWN[place][1]
    if key not in known:
        run = scored(table, split).sorted()
        names = zlib.crc32("\n".join(run.samples.astype(str)).encode())
        rng = np.random.default_rng([seed, resamples, names])
        weights = draw(run.clusters, run.truth, resamples, rng)
        value = compute(run, metric).value
        known[key] = np.concatenate([[value], weighted(run, metric, weights)])
    return known[key]


def _effect(
    values: np.ndarray, draws: np.ndarray, runs: int, images: int, rng: np.random.Generator
) -> Effect:
    """Summarise a value per unit, and draws of it. Shapes: (units,), (resamples, units)."""
    count = len(values)
    times = rng.multinomial(count, np.full(count, 1 / count), size=len(draws))
    means = (draws * times).sum(axis=1) / count
    means = means[np.isfinite(means)]
    if len(means) < 0.9 * len(draws):
        raise DataError("the contrast is undefined in more than a tenth of the draws")
    low, high = np.quantile(means, [0.025, 0.975])
    # One draw more on each side, so that no p value is 0 (Davison and Hinkley 1997, eq. 4.11).
    tail = (1 + min((means <= 0).sum(), (means >= 0).sum())) / (1 + len(means))
    reach = float(stats.norm.ppf(0.975) + stats.norm.ppf(POWER))
    return Effect(
        value=float(values.mean()),
        low=float(low),
        high=float(high),
        p_value=float(min(1.0, 2 * tail)),
        smallest=reach * float(means.std(ddof=1)),
        units=count,
        runs=runs,
        images=images,
        each=tuple(float(v) for v in values),
    )
