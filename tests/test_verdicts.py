from dataclasses import replace

import numpy as np
import pytest
from synthetic_predictions import Result, predictions

from covidlib.errors import DataError
from covidlib.evaluation import Interval, intervals
from covidlib.published import paper_value
from covidlib.verdicts import (
    VERDICTS,
    counts,
    measure,
    verdict,
)

REAL = {"phantom": False, "profile": "laptop"}
PAPER = paper_value("msatl", 4, "accuracy", model="r50", variant="baseline", stages="none")


def ours(low, high):
    return Interval((low + high) / 2, low, high, runs=3, images=203)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.80, 0.90, "reproduced"),
        (0.70, 0.80, "below"),
        (0.85, 0.90, "above"),
        # The paper prints 83.7: anything from 83.65 to 83.75 rounds to it.
        (0.80, 0.8365, "reproduced"),
        (0.80, 0.8364, "below"),
        (0.8375, 0.90, "reproduced"),
        (0.8376, 0.90, "above"),
        (0.8368, 0.8372, "reproduced"),
        (np.nan, np.nan, "not testable here"),
    ],
)
def test_the_printed_number_with_its_rounding_meets_the_interval_or_not(low, high, expected):
    assert verdict(PAPER, ours(low, high)) == expected
    assert expected in VERDICTS


def test_without_a_record_that_counts_there_is_no_verdict():
    assert verdict(PAPER, None) == "not testable here"
    assert verdict(PAPER, ours(0.8, 0.9), counts=False) == "not testable here"
    assert verdict(replace(PAPER, value=np.nan), ours(0.8, 0.9)) == "not testable here"


@pytest.mark.parametrize(
    ("provenance", "expected"),
    [
        (REAL, True),
        ({"phantom": False, "profile": "paper"}, True),
        ({"phantom": True, "profile": "paper"}, False),
        ({"phantom": False, "profile": "smoke"}, False),
        ({"profile": "paper"}, False),
        ({"phantom": False}, False),
        ({"phantom": None, "profile": "paper"}, False),
        ({}, False),
    ],
)
def test_only_acquired_images_outside_smoke_count(provenance, expected):
    assert counts(provenance) is expected


def test_measured_is_what_the_evaluation_says_and_keeps_its_provenance():
    runs = [Result(f"k{s}", REAL, predictions(80, seed=s)) for s in range(2)]
    found = measure(runs, ["auc"], resamples=200)
    assert found.intervals == intervals([r.predictions for r in runs], ["auc"], resamples=200)
    assert (found.counts, found.phantom, found.profile) == (True, False, "laptop")


def test_nothing_measured_does_not_count():
    drawn = Result("k", {"phantom": True, "profile": "paper"}, predictions(80))
    assert not measure([drawn], ["auc"]).counts
    assert measure([drawn], ["auc"]).phantom


def test_runs_that_make_no_one_number_are_refused():
    one = Result("k", REAL, predictions(80))
    with pytest.raises(DataError, match="given twice"):
        measure([one, one], ["auc"])
    with pytest.raises(DataError, match="cannot mix"):
        measure([one, replace(one, key="l", provenance={**REAL, "profile": "paper"})], ["auc"])
    with pytest.raises(DataError, match="cannot mix"):
        measure([one, replace(one, key="l", provenance={**REAL, "phantom": True})], ["auc"])
