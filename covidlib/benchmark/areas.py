"""AUCs of every training set on every test set, and what becomes of them elsewhere."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from covidlib.benchmark.sources import GROUPS, POSITIVE, TESTS, group_of, tested
from covidlib.evaluation import Interval, intervals
from covidlib.evaluation.calibration import at_temperature, calibration_error, fit_temperature
from covidlib.evaluation.predictions import Scored, scored
from covidlib.evaluation.resampling import draw, weighted_auc
from covidlib.plans.across import CT

Runs = Sequence[pd.DataFrame]
# Predictions by (network, view), then by training set.
Board = Mapping[tuple[str, str], Mapping[str, Runs]]
Cell = tuple[Runs, str]  # runs, and the set they are tested on
Measure = Callable[[pd.DataFrame], float]
RESAMPLES = 1000


def crossed(runs: Mapping[str, Runs], resamples: int = RESAMPLES) -> pd.DataFrame:
    """Return the AUC of each training set (rows) on each X-ray test set (columns).

    Args:
        runs: predictions by training set; others than the X-ray sets are left out.
        resamples: of the intervals over patients.

    Returns:
        Cells are ``Interval``; rows of training sets that were not run are missing.
    """
    options = {"resamples": resamples}
    rows = {
        learnt: {
            test: intervals([tested(t, test) for t in tables], ["auc"], **options)["auc"]
            for test in TESTS
        }
        for learnt, tables in runs.items()
        if learnt != CT and tables
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(TESTS))


def own(runs: Mapping[str, Runs]) -> list[Cell]:
    """Return the cells in which a network is tested on the sources that it learnt from."""
    return [(runs[test], test) for test in TESTS] if _whole(runs) else []


def external(runs: Mapping[str, Runs]) -> list[Cell]:
    """Return the cells in which it is tested on another set."""
    if not _whole(runs):
        return []
    return [(runs[learnt], test) for learnt in TESTS for test in TESTS if learnt != test]


def _whole(runs: Mapping[str, Runs]) -> bool:
    """A mean over some of the cells would not compare with a mean over others."""
    return all(runs.get(name) for name in TESTS)


def mean_area(cells: Sequence[Cell], resamples: int = RESAMPLES, seed: int = 0) -> Interval | None:
    """Return the mean AUC over cells; patients are drawn once for all of them.

    The runs of a cell are averaged and not drawn: the interval is over patients.

    Args:
        cells: runs and their test set; none gives None.
        resamples, seed: how many draws, and from where.
    """
    if not cells:
        return None
    sides = [[scored(tested(run, test)) for run in runs] for runs, test in cells]
    names, clusters, groups = _everybody(sides)
    place = {name: number for number, name in enumerate(names)}
    drawn = draw(clusters, groups, resamples, np.random.default_rng([seed, resamples]))
    weights = np.vstack([np.ones(len(names), dtype=drawn.dtype), drawn])
    means = [np.mean([_area(s, weights, place) for s in runs], axis=0) for runs in sides]
    values = np.mean(means, axis=0)
    low, high = np.nanquantile(values[1:], (0.025, 0.975))
    count = min(len(runs) for runs in sides)
    return Interval(float(values[0]), float(low), float(high), count, len(names))


def _everybody(sides: Sequence[Sequence[Scored]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return every tested image once: name, who it belongs to, and group."""
    parts = [
        pd.DataFrame(
            {
                "sample": s.samples,
                "cluster": s.clusters,
                "label": np.array(s.classes, dtype=object)[s.truth],
            }
        )
        for runs in sides
        for s in runs
    ]
    whole = pd.concat(parts).drop_duplicates("sample").sort_values("sample", ignore_index=True)
    kinds = group_of(whole)
    kinds = kinds.where(kinds != "", whole["label"])
    return whole["sample"].to_numpy(), whole["cluster"].to_numpy(), kinds.to_numpy(str)


def _area(s: Scored, weights: np.ndarray, place: Mapping[str, int]) -> np.ndarray:
    columns = weights[:, [place[name] for name in s.samples]]
    return weighted_auc(s.truth == 1, s.probabilities[:, 1], columns)


def called(runs: Runs, threshold: float = 0.5, resamples: int = RESAMPLES) -> dict[str, Interval]:
    """Return, for each group of test images, the share that is called COVID-19.

    In a group with COVID-19 that is the sensitivity, in one without it the false alarms.

    Args:
        runs: predictions of one training set; several folds test other images.
        threshold: from which probability on.
        resamples: of the intervals over patients.
    """
    whole = pd.concat([run[run["split"] == "test"] for run in runs], ignore_index=True)
    hit = (whole[f"p_{POSITIVE}"] >= threshold).to_numpy(float)
    kinds = group_of(whole)
    owner = whole["patient"].fillna("image " + whole["sample"]).to_numpy(str)
    found = {}
    for group in GROUPS:
        mine = (kinds == group).to_numpy(bool)
        if not mine.any():
            continue
        low, high = _bounds(hit[mine], owner[mine], resamples)
        images = whole.loc[mine, "sample"].nunique()
        found[group] = Interval(float(hit[mine].mean()), low, high, len(runs), images)
    return found


def _bounds(hit: np.ndarray, owner: np.ndarray, resamples: int) -> tuple[float, float]:
    """Return the 95% interval of a share over people; exact where all images agree."""
    if hit.all() or not hit.any():
        people = len(np.unique(owner))
        low, high = proportion_confint(people * hit[0], people, method="beta")
        return float(low), float(high)
    times = draw(owner, np.zeros(len(hit)), resamples, np.random.default_rng(0)).astype(float)
    low, high = np.quantile(times @ hit / times.sum(axis=1), (0.025, 0.975))
    return float(low), float(high)


def miscalibration(
    cells: Sequence[Cell], warm: bool, measure: Measure = calibration_error
) -> float | None:
    """Return the mean over cells of a calibration error.

    Args:
        cells: runs and their test set; none gives None.
        warm: whether a temperature is fitted first, on the run's own validation images; a run
            without any gives None.
        measure: ``calibration_error`` (equal mass) or ``brier``, of the test images.
    """
    if not cells or (warm and not all((r["split"] == "val").any() for t, _ in cells for r in t)):
        return None
    errors = []
    for runs, test in cells:
        for run in runs:
            heat = fit_temperature(run).value if warm else 1.0
            errors.append(measure(at_temperature(tested(run, test), heat)))
    return float(np.mean(errors))


def standing(board: Board, resamples: int = RESAMPLES) -> pd.DataFrame:
    """Return one row per network: AUC on CT, on its own sources and on others.

    Returns:
        Index: (network, view). Columns ``ct``, ``own`` and ``elsewhere`` (``Interval`` or None),
        ``fall`` (own minus elsewhere) and ``error`` (calibration error elsewhere at the validation
        images' temperature). A network that lacks one of the three training sets has no means, a
        forest, which has no validation images, no error.
    """
    rows = {}
    for name, runs in board.items():
        ct = intervals(runs[CT], ["auc"], resamples=resamples)["auc"] if runs.get(CT) else None
        here, there = (mean_area(cells(runs), resamples) for cells in (own, external))
        fall = None if here is None or there is None else here.value - there.value
        warm = miscalibration(external(runs), warm=True)
        rows[name] = {"ct": ct, "own": here, "elsewhere": there, "fall": fall, "error": warm}
    columns = ["ct", "own", "elsewhere", "fall", "error"]
    frame = pd.DataFrame(list(rows.values()), columns=columns, dtype=object)
    frame.index = pd.MultiIndex.from_arrays(
        [[name for name, _ in rows], [view for _, view in rows]], names=["network", "view"]
    )
    return frame
