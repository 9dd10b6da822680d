"""Weighted sums of several models' scores: differences, and differences of differences.

One bootstrap for all models: patients are drawn once for every model, so what is hard for all
cancels. The runs of each model, or several networks where a statement is about them, are repeats;
see ``covidlib.evaluation.effects``.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from covidlib.errors import DataError
from covidlib.evaluation.bootstrap import blocks_of, drawn_scores
from covidlib.evaluation.effects import Effect, Repeats, by_t, spread_of, weakest
from covidlib.evaluation.predictions import scored
from covidlib.evaluation.resampling import draw

Runs = Sequence[pd.DataFrame]
Terms = Sequence[tuple[float, Runs]]  # one number: weights, and the runs whose mean each weighs
__all__ = ["Effect", "contrast", "over_draws", "over_runs", "paired", "weakest"]


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
        units: one sum per network, say. Two or more are the repeats; with one, the runs of each
            side are.
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
    tables = _scores(groups, metric, split, resamples, seed)
    if len(units) > 1:
        means = _means_of_drawn_runs(tables, seed)
        sums = [sum(weight * means[_name(runs)] for weight, runs in terms) for terms in units]
        repeats = [np.column_stack(sums) + margin]
    else:
        weights = dict.fromkeys(tables, 0.0)
        for weight, runs in units[0]:
            weights[_name(runs)] += weight
        repeats = [weight * tables[name] for name, weight in weights.items()]
        repeats[0] = repeats[0] + margin
    found = _effect(
        repeats,
        runs=sum(min(len(runs) for _, runs in terms) for terms in units),
        images=len({s for r in groups.values() for t in r for s in scored(t, split).samples}),
    )
    return found if len(units) > 1 else replace(found, units=1, each=(found.value,))


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
    table = np.vstack([values.mean(axis=0), drawn @ values])
    return _effect([table], values.shape[1], len(values))


def over_draws(table: np.ndarray, images: int) -> Effect:
    """Return the mean over runs of a number that was also computed on drawn patients.

    Args:
        table: first the number of each run, then its values when patients are drawn anew. Shape:
            (1 + resamples, runs).
        images: how many went in.
    """
    found = _effect([table], table.shape[1], images)
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
    error = float(values.std(ddof=1) / np.sqrt(values.size))
    mean, freedom = float(values.mean()), values.size - 1
    return Effect(
        mean,
        **by_t(mean, error, freedom, "t over trainings")._asdict(),
        units=values.shape[1],
        runs=values.size,
        images=0,
        each=tuple(float(v) for v in values.mean(axis=0)),
    )


def _name(runs: Runs) -> tuple[int, ...]:
    return tuple(id(table) for table in runs)


def _scores(
    groups: dict[tuple, list[pd.DataFrame]],
    metric: str,
    split: str | None,
    resamples: int,
    seed: int,
) -> dict[tuple, np.ndarray]:
    """Return the score of each run of each group, then under every draw. (1 + resamples, runs)."""
    tables = {id(t): t for runs in groups.values() for t in runs}
    runs = {name: scored(table, split).sorted() for name, table in tables.items()}
    names = list(runs)
    for block in blocks_of([runs[name] for name in names]):
        members = {names[i] for i in block}
        if not all(members & set(group) for group in groups):
            raise DataError("the models were not tested on the same images")
    return {
        group: np.column_stack(
            [drawn_scores(t, [metric], split, resamples, seed)[metric] for t in own]
        )
        for group, own in groups.items()
    }


def _means_of_drawn_runs(tables: dict[tuple, np.ndarray], seed: int) -> dict[tuple, np.ndarray]:
    """Return each group's mean over its runs, then over drawn ones. Shape of each: (1 + draws,).

    Networks that share a group of runs are alike for that reason, which only drawing runs shows.
    """
    rng = np.random.default_rng([seed, 1])
    means = {}
    for group, table in tables.items():
        count, draws = table.shape[1], len(table) - 1
        # One fewer than there are: the variance of their mean is then right (McCarthy and
        # Snowden 1985).
        fewer = max(1, count - 1)
        times = rng.multinomial(fewer, np.full(count, 1 / count), size=draws)
        drawn = (table[1:] * times).sum(axis=1) / fewer
        means[group] = np.concatenate([[table[0].mean()], drawn])
    return means


def _effect(tables: Sequence[np.ndarray], runs: int, images: int) -> Effect:
    """Summarise groups of repeats: their values, then draws. Shapes: (1 + resamples, repeats)."""
    groups = [Repeats(table[0], table[1:]) for table in tables]
    return Effect(
        float(sum(values.mean() for values, _ in groups)),
        **spread_of(groups)._asdict(),
        units=tables[0].shape[1],
        runs=runs,
        images=images,
        each=tuple(float(v) for v in tables[0][0]),
    )
