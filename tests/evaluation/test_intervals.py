import time

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from synthetic_predictions import answers, predictions

from covidlib.errors import DataError
from covidlib.evaluation import intervals, mean_roc, roc_band, score
from covidlib.evaluation.comparisons import delong
from covidlib.evaluation.contrasts import contrast

METRICS = ("accuracy", "f1", "sensitivity", "specificity", "auc")


def test_the_value_is_the_metric_and_lies_inside():
    table = predictions(203)
    for metric, found in intervals(table, METRICS).items():
        assert found.value == score(table, metric).value
        assert found.low < found.value < found.high
        assert (found.runs, found.images, found.reason) == (1, 203, "")
        assert np.isnan(found.std)


def test_bounds_of_a_sensitivity_are_the_binomial_ones():
    # Within the positives a resample is binomial: the quantiles are known.
    table = answers("1" * 100 + "0" * 100, "1" * 80 + "0" * 120)
    found = intervals(table, ["sensitivity"], resamples=20_000)["sensitivity"]
    expected = stats.binom.ppf([0.025, 0.975], 100, 0.8) / 100
    assert (found.low, found.high) == pytest.approx(expected, abs=0.0101)


def test_stratification_keeps_the_class_shares():
    # With classes drawn at will an always-negative model would seem to vary; here it cannot.
    found = intervals(answers("1" * 40 + "0" * 60, "0" * 100), ["accuracy"])["accuracy"]
    assert (found.value, found.low, found.high) == (0.6, 0.6, 0.6)
    assert found.reason == "every resample agrees"


def test_width_of_an_auc_agrees_with_delong():
    table = predictions(400, skill=1.2)
    found = intervals(table, ["auc"], resamples=4000)["auc"]
    _, covariance = delong(table["label"] == "covid", table["p_covid"])
    half = 1.96 * np.sqrt(covariance[0, 0])
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.08)


def test_patients_with_several_images_widen_the_interval():
    one = predictions(200, skill=1.0)
    # The same images five times over, as five images of each patient: no new information.
    five = pd.concat(
        [one.assign(sample=one["sample"] + f"-{i}", patient=one["sample"]) for i in range(5)]
    )
    alone = five.assign(patient=pd.NA)
    width = {
        name: np.subtract(*(lambda i: (i.high, i.low))(intervals(table, ["auc"])["auc"]))
        for name, table in {"one": one, "five": five, "alone": alone}.items()
    }
    assert width["five"] == pytest.approx(width["one"], rel=0.1)
    assert width["alone"] == pytest.approx(width["one"] / np.sqrt(5), rel=0.15)


def test_unknown_patients_are_never_one_patient():
    table = predictions(100)
    named = table.assign(patient=[f"p{i}" for i in range(100)])
    width = [np.ptp([i.low, i.high]) for t in (table, named) for i in intervals(t).values()]
    assert width[:3] == pytest.approx(width[3:], rel=0.15)


def test_seeds_are_averaged_and_their_spread_is_n_minus_1():
    runs = [predictions(203, seed=s) for s in range(3)]
    values = [score(run, "auc").value for run in runs]
    found = intervals(runs, ["auc"])["auc"]
    assert found.value == pytest.approx(np.mean(values))
    assert found.std == pytest.approx(np.std(values, ddof=1))
    assert (found.runs, found.images) == (3, 203)


def test_equal_seeds_add_no_certainty():
    one = predictions(203)
    single, triple = intervals(one)["auc"], intervals([one, one, one])["auc"]
    # Percentiles of the draws, and their standard error under the normal distribution.
    assert (single.low, single.high) == pytest.approx((triple.low, triple.high), abs=0.01)


def test_seeds_that_disagree_are_a_sample_of_seeds():
    skills = (3.0, 0.0, 1.5)
    runs = [predictions(203, skill=skill, seed=seed) for seed, skill in enumerate(skills)]
    values = [score(run, "auc").value for run in runs]
    found = intervals(runs, ["auc"])["auc"]
    # Patients add little to seeds that differ so much: nearly the t interval of three numbers.
    half = stats.t.ppf(0.975, 2) * np.std(values, ddof=1) / np.sqrt(3)
    assert found.low == pytest.approx(max(0, np.mean(values) - half), abs=0.03)
    assert found.high == 1  # beyond which no AUC is


def test_a_mean_over_seeds_agrees_with_contrasts():
    runs = [predictions(150, seed=seed) for seed in range(3)]
    found, alone = intervals(runs, ["auc"])["auc"], contrast([[(1, runs)]], "auc")
    assert (found.value, found.low, found.high) == (alone.value, alone.low, alone.high)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_few_seeds_are_covered_as_often_as_claimed(count):
    """Truth known: every seed has a bias of its own, every patient a difficulty that all share."""
    rng = np.random.default_rng(count)
    labels = "0" * 60 + "1" * 60
    truth, hits, times = 0.75, 0, 120
    for _ in range(times):
        hard = rng.uniform(size=120)
        tables = []
        for bias in rng.normal(0, 0.06, count):
            right = rng.uniform(size=120) * 0.5 + hard * 0.5 < truth_to_cut(truth + bias)
            said = "".join(
                str(int(c == "1") if ok else int(c == "0"))
                for c, ok in zip(labels, right, strict=True)
            )
            tables.append(answers(labels, said))
        found = intervals(tables, ["accuracy"], resamples=200)["accuracy"]
        hits += found.low <= truth <= found.high
    assert hits / times >= 0.88


def truth_to_cut(share):
    """Return below what the mean of two uniform numbers lies in this share of cases."""
    share = min(max(share, 0.0), 1.0)
    return np.sqrt(share / 2) if share < 0.5 else 1 - np.sqrt((1 - share) / 2)


def test_the_order_of_rows_does_not_matter():
    runs = [predictions(80, seed=s) for s in range(2)]
    mixed = [runs[0].sample(frac=1, random_state=1), runs[1].sample(frac=1, random_state=2)]
    assert intervals(runs) == intervals(mixed)


def test_folds_are_drawn_apart():
    whole = predictions(300)
    folds = [whole.iloc[i::3] for i in range(3)]
    found = intervals(folds, ["accuracy"])["accuracy"]
    assert (found.runs, found.images) == (3, 300)
    assert found.value == pytest.approx(np.mean([score(f, "accuracy").value for f in folds]))
    # Never surer than patients alone make it, and three trainings have two degrees of freedom.
    all_at_once = intervals(whole, ["accuracy"])["accuracy"]
    assert found.high - found.low > 0.9 * (all_at_once.high - all_at_once.low)
    values = [score(f, "accuracy").value for f in folds]
    half = stats.t.ppf(0.975, 2) * np.std(values, ddof=1) / np.sqrt(3)
    assert (found.high - found.low) / 2 >= 0.9 * half


def test_same_seed_same_bounds_other_seed_other_bounds():
    table = predictions(100)
    bounds = [[(i.low, i.high) for i in intervals(table).values()] for _ in range(2)]
    assert bounds[0] == bounds[1]
    assert intervals(table, seed=1)["auc"].low != intervals(table)["auc"].low


def test_a_perfect_model_is_not_certain():
    table = predictions(60, skill=1000.0)
    found = intervals(table, ("accuracy", "auc", "sensitivity"))
    # No error on n independent trials: the exact lower bound is 0.025 ** (1 / n).
    assert found["accuracy"].low == pytest.approx(0.025 ** (1 / 60))
    assert found["auc"].low == pytest.approx(0.025 ** (1 / 30))
    assert found["auc"].high == found["auc"].value == 1
    assert "exact" in found["sensitivity"].reason
    patients = intervals(predictions(60, skill=1000.0, per_patient=3), ["accuracy"])["accuracy"]
    assert patients.low == pytest.approx(0.025 ** (1 / 20))


def test_an_undefined_metric_has_no_interval_but_a_reason():
    found = intervals(answers("0000", "0100"))
    assert np.isnan([found["auc"].value, found["auc"].low, found["auc"].high]).all()
    assert found["auc"].reason == "no image of class covid"
    assert found["accuracy"].value == 0.75


def test_coverage_is_near_what_it_claims():
    """Truth known: AUC of two normals one standard deviation apart."""
    truth = stats.norm.cdf(1 / np.sqrt(2))
    rng = np.random.default_rng(5)
    label = np.repeat([0, 1], 60)
    hits = 0
    for _ in range(200):
        values = stats.norm.cdf(rng.normal(size=120) + label)
        table = answers("0" * 60 + "1" * 60, "0" * 120).assign(p_covid=values, p_healthy=1 - values)
        found = intervals(table, ["auc"], resamples=400)["auc"]
        hits += found.low <= truth <= found.high
    assert 0.89 <= hits / 200 <= 0.985


def test_runs_that_cannot_be_put_together_are_refused():
    table = predictions(60)
    with pytest.raises(DataError, match="at least one run"):
        intervals([])
    with pytest.raises(DataError, match="but not all"):
        intervals([table, table.iloc[:50]])
    with pytest.raises(DataError, match="differ in classes"):
        intervals([table, predictions(60, ("healthy", "tb"))])
    with pytest.raises(DataError, match="disagree about the label"):
        intervals([table, predictions(60, task=1)])


def test_a_roc_band_holds_its_curve_and_its_area():
    runs = [predictions(203, skill=1.2, seed=s) for s in range(3)]
    band = roc_band(runs, resamples=300, points=1001)
    inside = band["tpr"].between(band["low"] - 1e-9, band["high"] + 1e-9)
    assert inside.mean() > 0.97
    assert band["tpr"].is_monotonic_increasing
    area = np.trapezoid(band["tpr"], band["fpr"])
    # Read at the upper end of each step, the mean curve lies a little above.
    assert area == pytest.approx(intervals(runs, ["auc"])["auc"].value, abs=0.002)
    assert band.iloc[-1][["tpr", "low", "high"]].tolist() == pytest.approx([1, 1, 1])


def test_a_roc_band_is_that_of_the_sensitivity_at_a_threshold():
    # One run: at a false-positive rate read off without chance, the rate is binomial.
    table = answers("1" * 100 + "0" * 100, "1" * 80 + "0" * 120)
    table["p_covid"] = np.r_[np.full(80, 0.9), np.full(20, 0.1), np.full(100, 0.2)]
    table["p_healthy"] = 1 - table["p_covid"]
    at_none = roc_band(table, resamples=4000, points=11).iloc[0]
    expected = stats.binom.ppf([0.025, 0.975], 100, 0.8) / 100
    assert at_none[["low", "high"]].tolist() == pytest.approx(list(expected), abs=0.0101)


def test_a_roc_curve_is_that_of_its_band():
    runs = [predictions(n=60, seed=seed) for seed in range(5)]
    assert mean_roc(runs, points=11).equals(roc_band(runs, points=11)[["fpr", "tpr"]])


def test_two_thousand_resamples_of_the_test_set_take_about_a_second():
    table = predictions(203, per_patient=2)
    intervals(table)  # imports
    start = time.perf_counter()
    intervals(table, METRICS, resamples=2000)
    assert time.perf_counter() - start < 3  # 0.15 s alone; the machine may be busy
