"""One row of results in two states: by how much it moved, and by how much seeds would move it."""

import math
from dataclasses import asdict, dataclass

import pandas as pd

from covidlib.runs.seed_spread import Group, spread


@dataclass(frozen=True)
class Move:
    """A difference of means over folds and seeds.

    Args:
        first, second: means.
        runs_first, runs_second: distinct seeds, summed over folds.
        difference: second minus first.
        error: standard error of the difference if nothing but seeds moved it; NaN if unknown.
        freedom: degrees of freedom behind the error.
        spread: where the error is from.
        same: whether every run repeats one of the first state bit for bit.
    """

    first: float
    second: float
    runs_first: int
    runs_second: int
    difference: float
    error: float = math.nan
    freedom: float = math.nan
    spread: str = ""
    same: bool = False

    @property
    def tested(self) -> bool:
        """Whether there is something to test, and something to test it with."""
        return not self.same and not math.isnan(self.error)

    @property
    def p(self) -> float:
        """Student's, two-sided; NaN where nothing is tested."""
        if not self.tested:
            return math.nan
        if not self.error:  # nothing varies, so any change is one
            return float(self.difference == 0)
        from scipy.stats import t as student

        return float(2 * student.sf(abs(self.difference) / self.error, self.freedom))

    def shown(self) -> dict[str, object]:
        """Return what a table says of it."""
        names = {"runs_first": "runs, first", "runs_second": "runs, second"}
        return {names.get(name, name): value for name, value in asdict(self).items()} | {
            "p": self.p
        }


def moved(before: pd.DataFrame, after: pd.DataFrame, groups: list[Group]) -> Move:
    """Compare the runs of one row, fold by fold where both states have the same folds.

    Args:
        before, after: rows of ``seed_spread.scaled`` of one metric.
        groups: of the same pool.
    """
    cells = _cells(before, after)
    changed = [cell for cell in cells if not _same(*cell)]
    sides = [(_seeds(one), _seeds(two)) for one, two in changed or cells]
    first = sum(float(one.mean()) for one, _ in sides) / len(sides)
    second = sum(float(two.mean()) for _, two in sides) / len(sides)
    numbers = [sum(len(side[i]) for side in sides) for i in (0, 1)]
    if not changed:
        return Move(first, second, *numbers, second - first, same=True)
    units = [float(one["unit"].iloc[0]) for one, _ in changed]
    families = set(before["family"]) | set(after["family"])
    found = spread(_own(sides, units), [group for group in groups if group.family not in families])
    if found is None:
        return Move(first, second, *numbers, second - first)
    squares = [
        (unit**2) * (1 / len(one) + 1 / len(two))
        for unit, (one, two) in zip(units, sides, strict=True)
    ]
    error = found.deviation * math.sqrt(sum(squares)) / len(sides)
    return Move(first, second, *numbers, second - first, error, found.freedom, found.source)


def together(moves: list[Move]) -> Move | None:
    """Return the mean of the moves of several rows, each weighed by how well it is known.

    Returns:
        None for fewer than two.
    """
    known = [move for move in moves if move.tested and move.error > 0]
    if len(known) < 2:
        return None
    weights = [1 / move.error**2 for move in known]

    def mean(name: str) -> float:
        values = [getattr(move, name) for move in known]
        return sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)

    numbers = [sum(getattr(move, name) for move in known) for name in ("runs_first", "runs_second")]
    error, freedom = math.sqrt(1 / sum(weights)), min(move.freedom for move in known)
    means = mean("first"), mean("second")
    return Move(*means, *numbers, mean("difference"), error, freedom, f"{len(known)} rows")


def _cells(before: pd.DataFrame, after: pd.DataFrame) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    shared = [name for name in before["family"].unique() if name in set(after["family"])]
    if not shared:
        return [(before, after)]
    return [(before[before["family"] == n], after[after["family"] == n]) for n in shared]


def _same(before: pd.DataFrame, after: pd.DataFrame) -> bool:
    known = set(zip(before["family"], before["seed"], before["digest"], strict=True))
    return set(zip(after["family"], after["seed"], after["digest"], strict=True)) <= known


def _seeds(runs: pd.DataFrame) -> pd.Series:
    """Return one value per seed: repetitions of a seed are no further seeds."""
    return runs.groupby("seed")["value"].mean()


def _own(sides: list[tuple[pd.Series, pd.Series]], units: list[float]) -> Group:
    squares, freedom = 0.0, 0
    for unit, cell in zip(units, sides, strict=True):
        for values in cell:
            squares += float(((values - values.mean()) ** 2).sum()) / unit**2
            freedom += len(values) - 1
    return Group(squares / freedom if freedom else 0.0, freedom)
