import numpy as np
import pandas as pd
import pytest
from scipy import stats
from synthetic_predictions import answers, predictions

from covidlib.errors import DataError
from covidlib.evaluation import (
    compare_auc,
    compare_errors,
    corrected_t,
    holm,
    margin,
    mean_std,
    minimum_detectable_difference,
    score,
)
from covidlib.evaluation.comparisons import delong

# Ovarian cancer, 43 complete patients of DeLong et al. 1988 (SAS/STAT guide, PROC LOGISTIC,
# "Comparing Receiver Operating Characteristic Curves"): albumin, total protein, K-G, benefit.
PRINTED = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0
1.6 5.6 5 1  3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1
4.3 7.0 4 1  3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1
3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1
3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1
3.5 6.2 5 1  2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1
3.6 6.6 5 1
"""
PATIENTS = np.array(PRINTED.split(), dtype=float).reshape(-1, 4)


def slow_delong(positive, values):
    """DeLong et al. 1988, eqs. 2-5, pair by pair."""
    k = len(values)
    x = [[v[i] for i in np.flatnonzero(positive)] for v in values]
    y = [[v[j] for j in np.flatnonzero(~positive)] for v in values]
    m, n = len(x[0]), len(y[0])

    def wins(a, b):
        return 1.0 if a > b else 0.5 if a == b else 0.0

    v10 = [[sum(wins(x[r][i], b) for b in y[r]) / n for i in range(m)] for r in range(k)]
    v01 = [[sum(wins(a, y[r][j]) for a in x[r]) / m for j in range(n)] for r in range(k)]
    area = [sum(v10[r]) / m for r in range(k)]
    s = np.zeros((k, k))
    for r in range(k):
        for t in range(k):
            one = sum((v10[r][i] - area[r]) * (v10[t][i] - area[t]) for i in range(m)) / (m - 1)
            two = sum((v01[r][j] - area[r]) * (v01[t][j] - area[t]) for j in range(n)) / (n - 1)
            s[r, t] = one / m + two / n
    return np.array(area), s


@pytest.mark.parametrize("ties", [False, True])
def test_delong_is_its_slow_loop(ties):
    rng = np.random.default_rng(1)
    positive = rng.random(45) < 0.4
    values = rng.normal(size=(3, 45)) + positive
    values = values.round(0) if ties else values
    for fast, slow in zip(delong(positive, values), slow_delong(positive, values), strict=True):
        np.testing.assert_allclose(fast, slow, atol=1e-14)


def test_delong_gives_the_printed_numbers_of_its_own_example():
    values = np.stack([PATIENTS[:, 0], 10 - PATIENTS[:, 2], PATIENTS[:, 1]])
    area, covariance = delong(PATIENTS[:, 3] == 1, values)
    assert area == pytest.approx([0.7366, 0.7258, 0.6478], abs=5e-5)
    assert np.sqrt(np.diag(covariance)) == pytest.approx([0.0927, 0.1028, 0.1000], abs=5e-5)
    contrast = np.array([[1, -1, 0], [0, -1, 1]])
    gaps, spread = contrast @ area, contrast @ covariance @ contrast.T
    assert gaps**2 / np.diag(spread) == pytest.approx([0.0127, 0.5554], abs=5e-5)
    joint = gaps @ np.linalg.solve(spread, gaps)
    assert joint == pytest.approx(2.5340, abs=5e-5)
    assert stats.chi2.sf(joint, 2) == pytest.approx(0.2817, abs=5e-5)


def test_delong_of_few_images_by_hand():
    # Positives 2, 4; negatives 1, 3: components 1/2, 1 and 1, 1/2; each has variance 1/8.
    area, covariance = delong(np.array([1, 1, 0, 0], bool), np.array([2.0, 4.0, 1.0, 3.0]))
    assert (area[0], covariance[0, 0]) == pytest.approx((0.75, 1 / 8))


def test_delong_needs_two_of_each():
    with pytest.raises(DataError, match="1 positive, 3 negative"):
        delong(np.array([1, 0, 0, 0], bool), np.zeros(4))


def test_compare_auc_is_symmetric_and_agrees_with_the_metric():
    one, two = predictions(150, skill=0.6), predictions(150, skill=1.6, seed=1)
    found, back = compare_auc(one, two), compare_auc(two, one.sample(frac=1, random_state=0))
    assert found.difference == pytest.approx(score(two, "auc").value - score(one, "auc").value)
    assert (back.difference, back.p_value) == pytest.approx((-found.difference, found.p_value))
    assert (back.low, back.high) == pytest.approx((-found.high, -found.low))
    assert (found.p_value < 0.05) == (found.low > 0 or found.high < 0)


def test_equal_models_do_not_differ():
    one = predictions(60)
    assert compare_auc(one, one).p_value == 1
    assert compare_errors(one, one).p_value == 1


def test_models_without_variance_cannot_be_tested():
    found = compare_auc(answers("0011", "1100"), answers("0011", "0011"))
    assert found.difference == 1
    assert np.isnan(found.p_value) and found.reason


def test_delong_rejects_as_often_as_it_says():
    rng = np.random.default_rng(2)
    positive, p = np.arange(80) < 40, []
    for _ in range(400):
        shared = rng.normal(size=80) + positive
        area, s = delong(positive, shared + rng.normal(size=(2, 80)))
        p.append(
            2 * stats.norm.sf(abs(area[1] - area[0]) / np.sqrt(s[0, 0] + s[1, 1] - 2 * s[0, 1]))
        )
    assert 0.025 <= np.mean(np.array(p) < 0.05) <= 0.085


def test_mcnemar_counts_the_images_that_only_one_gets_right():
    # First alone right on 1, second alone on 7: exact p = 2 * P(X <= 1), X ~ Binomial(8, 1/2).
    first = answers("1" * 20, "1" * 1 + "0" * 7 + "1" * 10 + "0" * 2)
    second = answers("1" * 20, "0" * 1 + "1" * 7 + "1" * 10 + "0" * 2)
    found = compare_errors(first, second)
    assert found.p_value == pytest.approx(2 * (1 + 8) / 2**8)
    assert (found.difference, found.n) == (pytest.approx(6 / 20), 20)


def test_a_model_that_is_always_right_can_be_compared():
    assert compare_errors(answers("0101", "0101"), answers("0101", "1010")).p_value == 2 / 2**4


@pytest.mark.parametrize("compare", [compare_auc, compare_errors])
def test_only_the_same_images_can_be_compared(compare):
    one = predictions(40)
    with pytest.raises(DataError, match="same images"):
        compare(one, one.iloc[:-1])
    with pytest.raises(DataError, match="differ in classes"):
        compare(one, predictions(40, ("healthy", "tb")))
    with pytest.raises(DataError, match="disagree"):
        compare(one, predictions(40, task=1))


def test_holm_by_hand():
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": float("nan")})
    assert found.to_dict() == pytest.approx(
        {"a": 0.03, "b": 0.06, "c": 0.06, "d": float("nan")}, nan_ok=True
    )
    assert holm([]).empty
    given = pd.Series([0.01, 0.04, 0.03])
    holm(given)
    assert given.tolist() == [0.01, 0.04, 0.03]


def test_corrected_t_by_hand():
    gaps = [0.02, 0.01, 0.03, 0.00, 0.04]
    found = corrected_t(gaps, train=80, test=20)
    error = np.sqrt(np.var(gaps, ddof=1) * (1 / 5 + 1 / 4))
    assert found.p_value == pytest.approx(2 * stats.t.sf(0.02 / error, 4))
    assert found.difference == pytest.approx(0.02)
    # Without overlap (test share to 0) it is the ordinary t test.
    plain = corrected_t(gaps, train=10**12, test=1)
    assert plain.p_value == pytest.approx(stats.ttest_1samp(gaps, 0).pvalue)
    assert found.p_value > plain.p_value


def test_corrected_t_of_folds_that_do_not_vary():
    for equal in ([0.0, 0.0], [0.5, 0.5], [31 / 52 - 30 / 52, 51 / 52 - 50 / 52, 1 / 52]):
        found = corrected_t(equal, 4, 1)
        assert np.isnan([found.low, found.high, found.p_value]).all()
        assert found.difference == pytest.approx(equal[0])
        assert found.reason == "the folds do not vary"
    assert corrected_t([0.5, np.nan, 0.4], 4, 1).reason == "undefined in a fold"
    with pytest.raises(DataError, match="two folds"):
        corrected_t([0.1], 4, 1)


def test_one_seed_has_no_spread():
    mean, std = mean_std([0.9])
    assert mean == 0.9 and np.isnan(std)
    with pytest.raises(DataError):
        mean_std([])


def test_margin_at_the_papers_best_accuracies():
    assert margin(0.942, 203) == pytest.approx(0.032, abs=5e-4)  # msatl, R-101 with 5 layers
    assert margin(0.9647, 680) == pytest.approx(0.014, abs=5e-4)  # manet, 656 of 680 right


def test_the_minimum_detectable_difference_is_found_as_often_as_promised():
    n, discordant = 203, 0.15
    gap = minimum_detectable_difference(n, discordant)
    rng = np.random.default_rng(0)
    shares = [(discordant + gap) / 2, (discordant - gap) / 2, 1 - discordant]
    b, c, _ = rng.multinomial(n, shares, size=20_000).T
    statistic = (b - c) ** 2 / np.maximum(b + c, 1)
    assert (statistic > stats.chi2.isf(0.05, 1)).mean() == pytest.approx(0.8, abs=0.03)
    assert minimum_detectable_difference(4 * n, discordant) < gap
    assert np.isnan(minimum_detectable_difference(10, 0.1))
    with pytest.raises(DataError):
        minimum_detectable_difference(100, 0.0)


def test_the_printed_pair_through_predictions():
    """K-G against albumin: chi-square 0.0127, p 0.9102 (the same example)."""
    tables = []
    for values in (10 - PATIENTS[:, 2], PATIENTS[:, 0]):
        p = stats.rankdata(values) / 100  # an AUC sees ranks only
        truth = "".join(str(int(v)) for v in PATIENTS[:, 3])
        tables.append(answers(truth, truth).assign(p_covid=p, p_healthy=1 - p))
    found = compare_auc(*tables)
    assert found.p_value == pytest.approx(0.9102, abs=5e-5)
    assert (found.low, found.high) == pytest.approx((-0.1761, 0.1976), abs=1e-4)
