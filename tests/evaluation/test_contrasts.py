from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from synthetic_predictions import predictions

from covidlib.errors import DataError
from covidlib.evaluation import intervals, score
from covidlib.evaluation.comparisons import delong
from covidlib.evaluation.contrasts import contrast, over_runs, paired, weakest
from covidlib.evaluation.effects import BY_PATIENTS, BY_REPEATS

FEW = {"resamples": 500}


def runs(skill, seeds=(0, 1, 2), n=120, **options):
    return [predictions(n, skill=skill, seed=int(100 * skill) + s, **options) for s in seeds]


def test_one_difference_agrees_with_delong():
    worse, better = runs(0.5), runs(1.5)
    found = contrast([[(1, better[:1]), (-1, worse[:1])]], resamples=4000)
    positive = better[0]["label"] == "covid"
    areas, table = delong(positive, np.stack([t["p_covid"] for t in (better[0], worse[0])]))
    error = np.sqrt(table[0, 0] + table[1, 1] - 2 * table[0, 1])
    assert found.value == pytest.approx(areas[0] - areas[1])
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * error, rel=0.1)
    assert found.p_value < 0.01 and found.test == BY_PATIENTS


def test_a_mean_difference_is_that_of_the_means():
    worse, better = runs(0.5), runs(1.5)
    found = contrast([[(1, better), (-1, worse)]])
    sides = [intervals(side, ["auc"])["auc"].value for side in (better, worse)]
    assert found.value == pytest.approx(sides[0] - sides[1])
    assert (found.units, found.runs, found.images) == (1, 3, 120)
    assert found.test.startswith(BY_REPEATS) and found.p_value < 0.01
    back = contrast([[(1, worse), (-1, better)]])
    assert (back.value, back.low) == pytest.approx((-found.value, -found.high))


def test_shared_difficulty_cancels_in_a_difference():
    one = predictions(203, skill=1.0)
    two = one.copy()
    two["p_covid"] = (one["p_covid"] + np.random.default_rng(0).uniform(0, 0.02, 203)) / 1.02
    two["p_healthy"] = 1 - two["p_covid"]
    paired, alone = contrast([[(1, [two]), (-1, [one])]]), intervals(one)["auc"]
    assert paired.high - paired.low < 0.2 * (alone.high - alone.low)


def test_a_difference_of_differences_is_what_its_four_scores_give():
    sides = [runs(skill) for skill in (0.3, 0.9, 0.4, 1.6)]
    weights = (1, -1, -1, 1)
    found = contrast([list(zip(weights, sides, strict=True))], "accuracy", **FEW)
    means = [np.mean([score(t, "accuracy").value for t in side]) for side in sides]
    assert found.value == pytest.approx(np.dot(weights, means))
    assert found.low < found.value < found.high


def test_units_are_averaged_and_their_spread_counts():
    base = runs(0.5)
    same = [[(1, runs(1.5)), (-1, base)]] * 3
    apart = [*same[:2], [(1, runs(0.2)), (-1, base)]]
    one, three, mixed = (contrast(units, **FEW) for units in (same[:1], same, apart))
    assert three.value == pytest.approx(one.value)
    # Equal networks share their runs, which are no more than one network's.
    assert 1 < three.smallest / one.smallest < 1.5
    assert mixed.value == pytest.approx(np.mean(mixed.each))
    assert mixed.smallest > 1.5 * three.smallest
    assert (three.units, three.runs) == (3, 9)


def test_equal_models_differ_by_nothing():
    base = runs(1.0)
    found = contrast([[(1, base), (-1, base)]], **FEW)
    assert (found.value, found.low, found.high, found.smallest) == (0, 0, 0, 0)
    assert found.p_value == 1


def test_a_margin_asks_whether_a_model_is_not_worse_by_more():
    base, alike = runs(1.0), runs(1.01)
    plain, shifted = (
        contrast([[(1, alike), (-1, base)]], margin=margin, **FEW) for margin in (0.0, 0.5)
    )
    assert shifted.value == pytest.approx(plain.value + 0.5)
    assert shifted.p_value < 0.01 < plain.p_value


def test_p_values_are_even_when_there_is_nothing():
    rng = np.random.default_rng(0)
    found = [
        contrast(
            [[(1, [predictions(80, seed=a)]), (-1, [predictions(80, seed=b)])]], "accuracy", **FEW
        ).p_value
        for a, b in rng.integers(1, 10**6, (60, 2))
    ]
    assert 0 <= np.mean(np.array(found) < 0.05) <= 0.14
    assert 0.3 < np.mean(np.array(found) < 0.5) < 0.7


def test_folds_are_put_together():
    folds = [predictions(40, skill=1.0, seed=s) for s in range(2)]
    folds[1]["sample"] = "other " + folds[1]["sample"]
    better = [predictions(40, skill=3.0, seed=s + 9) for s in range(2)]
    better[1]["sample"] = "other " + better[1]["sample"]
    found = contrast([[(1, better), (-1, folds)]], **FEW)
    assert found.images == 80
    values = [[score(t, "auc").value for t in side] for side in (better, folds)]
    assert found.value == pytest.approx(np.mean(values[0]) - np.mean(values[1]))


def test_models_on_other_images_are_refused():
    other = runs(1.0)
    for table in other:
        table["sample"] = "other " + table["sample"]
    with pytest.raises(DataError, match="same images"):
        contrast([[(1, runs(1.0)), (-1, other)]], **FEW)
    with pytest.raises(DataError, match="every side"):
        contrast([[(1, runs(1.0)), (-1, [])]], **FEW)
    with pytest.raises(DataError, match="at least one unit"):
        contrast([], **FEW)


def test_paired_differences_have_the_interval_of_their_mean():
    rng = np.random.default_rng(1)
    values = rng.normal(0.3, 1, 400)
    found = paired([values])
    error = values.std() / 20
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.06)
    assert found.smallest == pytest.approx((1.96 + 0.84) * error, rel=0.05)
    with pytest.raises(DataError, match="same images"):
        paired([values, values[:3]])


def test_patients_are_drawn_whole():
    rng = np.random.default_rng(3)
    persons = rng.normal(0.3, 1, 100)
    found = paired([np.repeat(persons, 4)], groups=np.repeat(np.arange(100), 4).astype(str))
    error = persons.std() / 10
    assert found.value == pytest.approx(persons.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.06)
    alone = paired([np.repeat(persons, 4)])
    assert found.high - found.low > 1.8 * (alone.high - alone.low)


def test_numbers_of_trainings_have_a_t_test():
    values = np.array([[0.2, 0.5], [0.1, -0.1], [0.4, 0.3]])
    found, theirs = over_runs(values), stats.ttest_1samp(values.ravel(), 0)
    assert found.p_value == pytest.approx(theirs.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(theirs.confidence_interval()))
    assert (found.units, found.runs) == (2, 6)
    assert found.each == pytest.approx((0.7 / 3, 0.7 / 3))
    # Three of one sign prove nothing yet; a bootstrap of them would be certain.
    few = np.array([[0.1], [0.5], [1.2]])
    assert over_runs(few).p_value > 0.1 > 0.01 > paired([few[:, 0]]).p_value
    assert over_runs(np.zeros((2, 1))).p_value == 1
    with pytest.raises(DataError, match="two differences"):
        over_runs(np.ones((1, 1)))


def test_the_weakest_of_several_effects_decides():
    strong, weak, against = (
        paired([np.r_[1.0, 1.1, 0.9] * 3]),
        *(paired([np.random.default_rng(2).normal(shift, 1, 50)]) for shift in (0.2, -2.0)),
    )
    assert weakest([strong, weak]) == replace(weak, compared=2)
    unknown = replace(strong, p_value=np.nan)
    assert np.isnan(weakest([weak, unknown, strong]).p_value), "not known of one: of none"
    found = weakest([weak, against, strong])
    assert replace(found, p_value=against.p_value, compared=1) == against
    half = stats.norm.ppf(1 - 0.025 / 3) * against.error
    assert found.highest == pytest.approx(against.value + half)
    assert against.highest == against.high
    assert found.p_value == pytest.approx(3 * against.p_value), "the worst of three"
