"""Few repeats on the same patients: closed forms, and coverage by simulation."""

import numpy as np
import pytest
from scipy import stats

from covidlib.errors import DataError
from covidlib.evaluation.contrasts import over_draws, over_runs, paired
from covidlib.evaluation.effects import (
    BY_PATIENTS,
    Repeats,
    by_t,
    crossed,
    smallest_seen,
    spread_of,
)


def still(values):
    """Return repeats that patients have no part in."""
    values = np.asarray(values, dtype=float)
    return Repeats(values, np.tile(values, (50, 1)))


def half(found):
    return (found.high - found.low) / 2


def test_without_patients_it_is_a_t_test():
    values = np.array([0.1, 0.5, 1.2])
    found, theirs = crossed([still(values)]), stats.ttest_1samp(values, 0)
    assert (found.low, found.high) == pytest.approx(tuple(theirs.confidence_interval()))
    assert found.p_value == pytest.approx(theirs.pvalue)
    assert "2.0 degrees of freedom" in found.test


def test_two_sides_without_patients_are_welch_s_t_test():
    more, less = np.array([0.9, 0.8, 0.85]), np.array([0.7, 0.5, 0.75, 0.6])
    found = crossed([still(more), still(-less)])
    theirs = stats.ttest_ind(more, less, equal_var=False)
    assert (found.low, found.high) == pytest.approx(tuple(theirs.confidence_interval()))
    assert found.p_value == pytest.approx(theirs.pvalue)


def test_equal_repeats_are_as_sure_as_patients_make_them():
    rng = np.random.default_rng(0)
    draws = rng.normal(0.4, 0.1, 4000)
    found = crossed([Repeats(np.full(3, 0.4), np.column_stack([draws] * 3))])
    assert half(found) == pytest.approx(1.96 * 0.1, rel=0.05)
    assert smallest_seen(found.error, found.freedom) == pytest.approx(2.80 * 0.1, rel=0.05)
    assert "over 100 degrees" in found.test


def test_variances_are_put_together_as_hillis_does():
    rng = np.random.default_rng(1)
    values = np.array([0.0, 0.3, 0.1])
    shared, own = rng.normal(0, 0.05, (20_000, 1)), rng.normal(0, 0.04, (20_000, 3))
    found = crossed([Repeats(values, values + shared + own)])
    variance = values.var(ddof=1) / 3 + 0.05**2
    freedom = variance**2 / ((values.var(ddof=1) / 3) ** 2 / 2)
    assert half(found) == pytest.approx(stats.t.ppf(0.975, freedom) * variance**0.5, rel=0.02)


def test_repeats_that_agree_by_luck_are_no_surer_than_their_patients():
    rng = np.random.default_rng(2)
    own = rng.normal(0, 0.3, (20_000, 2))
    found = crossed([Repeats(np.array([0.5, 0.5 + 1e-9]), 0.5 + own)])
    assert half(found) >= 1.9 * 0.3 / 2**0.5


def test_one_repeat_leaves_percentiles_of_patients():
    draws = np.random.default_rng(3).gamma(2, 0.1, 1000)
    found = spread_of([Repeats(np.array([0.2]), draws[:, None])])
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])))
    assert found.test == BY_PATIENTS
    gone = np.where(np.arange(1000) < 200, np.nan, draws)
    with pytest.raises(DataError, match="undefined"):
        spread_of([Repeats(np.array([0.2]), gone[:, None])])


def test_p_values_agree_with_intervals():
    for value in (0.1, 0.2, 0.3, 0.4):
        found = by_t(value, 0.1, 3.0, "t")
        assert (found.p_value < 0.05) == (found.low > 0)
    assert by_t(0.0, 0.0, 2.0, "t").p_value == 1
    assert np.isnan(by_t(0.1, 0.0, 2.0, "t").p_value), "nothing tells how sure it is"
    tenths = np.array([[0.1]] * 3)
    assert tenths.std(ddof=1) > 0 and np.isnan(over_runs(tenths).p_value), "scatter of rounding"


def percentile(units, rng):
    """Return the interval that draws units and patients anew, of two levels."""
    count, patients = units.shape
    times = rng.multinomial(patients, np.full(patients, 1 / patients), size=300) / patients
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=300) / count
    return np.quantile((times @ units.T * drawn).sum(axis=1), [0.025, 0.975])


def test_three_trainings_cover_nothing_in_19_of_20_cases():
    rng = np.random.default_rng(4)
    old = new = 0
    for _ in range(300):
        seeds, people = rng.normal(0, 1, (3, 1)), rng.normal(0, 2, (1, 40))
        units = seeds + people + rng.normal(0, 1, (3, 40))
        found = paired(list(units), resamples=300)
        new += found.low < 0 < found.high
        low, high = percentile(units, rng)
        old += low < 0 < high
    assert old / 300 < 0.86
    assert 0.91 < new / 300 < 0.98


def test_the_smallest_effect_is_found_in_four_of_five_cases():
    rng = np.random.default_rng(5)
    error = np.hypot(1 / 5**0.5, 0.3)
    hits, said = [], []
    for _ in range(400):
        shared = rng.normal(0, 0.3, (201, 1))  # what the patients at hand add, then draws of it
        table = rng.normal(0, 1, (1, 5)) + shared
        base = over_draws(table, images=1)
        said.append(base.smallest)
        hits.append(over_draws(table + 3.3 * error, images=1).p_value < 0.05)
    assert np.median(said) == pytest.approx(3.3 * error, rel=0.12)
    assert 0.7 < np.mean(hits) < 0.9
