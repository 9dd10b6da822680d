"""Whether a recorded result supports what a paper printed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from covidlib.errors import DataError
from covidlib.evaluation import Interval, intervals
from covidlib.published import PaperValue

REPRODUCED, BELOW, ABOVE = "reproduced", "below", "above"
NOT_TESTABLE = "not testable here"
VERDICTS = (REPRODUCED, BELOW, ABOVE, NOT_TESTABLE)
EXACT = "exact"
COUNTING_PROFILES = ("laptop", "paper")


class Run(Protocol):
    """What a table needs of a run: its key, its provenance and its predictions."""

    @property
    def key(self) -> str:
        """Name of the run's folder."""

    @property
    def provenance(self) -> Mapping:
        """At least ``phantom`` and ``profile``."""

    @property
    def predictions(self) -> pd.DataFrame:
        """One row per image: sample, patient, split, label, ``p_<class>``."""


def counts(provenance: Mapping) -> bool:
    """Return whether a run may speak about a paper: on acquired images, not in "smoke".

    >>> counts({"phantom": False, "profile": "laptop"}), counts({"profile": "paper"})
    (True, False)
    """
    # What a record does not say is taken against it.
    return provenance.get("phantom") is False and provenance.get("profile") in COUNTING_PROFILES


@dataclass(frozen=True)
class Measured:
    """Intervals, and the runs they came from.

    Args:
        intervals: one per metric.
        provenance: one per run.
    """

    intervals: Mapping[str, Interval]
    provenance: tuple[Mapping, ...]

    @property
    def counts(self) -> bool:
        """Whether every run may speak about a paper."""
        return bool(self.provenance) and all(counts(p) for p in self.provenance)

    @property
    def phantom(self) -> bool:
        """Whether any run saw drawn images, or does not say that it did not."""
        return any(p.get("phantom") is not False for p in self.provenance)

    @property
    def exact(self) -> bool:
        """Whether the numbers follow from definitions, whatever the images; see ``exact``."""
        return bool(self.provenance) and all(p.get("profile") == EXACT for p in self.provenance)

    @property
    def profile(self) -> str:
        """The profile of the runs."""
        return ", ".join(sorted({str(p.get("profile", "unknown")) for p in self.provenance}))


def exact(values: Mapping[str, float]) -> Measured:
    """Take numbers that no image, no training and no chance has a part in, such as parameters.

    They earn a verdict without a record, and their interval is a point.
    """
    points = {
        name: Interval(value, value, value, runs=1, images=0, reason=EXACT)
        for name, value in values.items()
    }
    return Measured(points, ({"phantom": False, "profile": EXACT},))


def measure(
    runs: Sequence[Run], metrics: Sequence[str], split: str = "test", **options: int
) -> Measured:
    """Measure the mean over runs of one model; see ``covidlib.evaluation.intervals``.

    Raises:
        DataError: one run is given twice, or runs of different profiles or of drawn and acquired
            images are mixed.
    """
    keys = [run.key for run in runs]
    if len(set(keys)) < len(keys):
        raise DataError(f"a run is given twice among {keys}")
    provenance = tuple(run.provenance for run in runs)
    kinds = {(p.get("profile"), p.get("phantom")) for p in provenance}
    if len(kinds) > 1:
        raise DataError(f"one number cannot mix runs of {sorted(map(str, kinds))}")
    tables = [run.predictions for run in runs]
    return Measured(intervals(tables, metrics, split, **options), provenance)


def verdict(paper: PaperValue, ours: Interval | None, counts: bool = True) -> str:
    """Compare a printed number with a recorded 95% interval.

    The printed number stands for all that round to it. Its own uncertainty is not known: hardly
    any printed number has one.

    Args:
        paper: the printed number.
        ours: the recorded interval; None if nothing is recorded.
        counts: whether the records may speak about a paper; see ``counts``.

    Returns:
        "reproduced" if interval and rounding range meet, "below" or "above" if ours lies wholly on
        that side of the paper's, "not testable here" without an interval that counts, or with
        one that excludes nothing.
    """
    if ours is None or not counts or np.isnan([ours.low, ours.high, paper.value]).any():
        return NOT_TESTABLE
    if ours.low <= 0 and ours.high >= 1:  # as that of two trainings often is
        return NOT_TESTABLE
    slack = 1e-9  # decimals such as 0.8375 have no exact binary form
    if ours.high < paper.value - paper.half_width - slack:
        return BELOW
    if ours.low > paper.value + paper.half_width + slack:
        return ABOVE
    return REPRODUCED
