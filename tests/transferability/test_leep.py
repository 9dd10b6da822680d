import math

import numpy as np
import pytest
from scipy.special import softmax
from synthetic_sources import source

from covidlib.errors import DataError
from covidlib.transferability import (
    bounds,
    conditional,
    conditional_entropy,
    information_gain,
    joint,
    label_entropy,
    leep,
    nce,
    predictor,
)

CASES = [
    (seed, n, k, z, sharp)
    for seed, (n, k, z, sharp) in enumerate(
        [
            (12, 2, 2, 0.1),
            (40, 3, 5, 1),
            (40, 2, 1, 1),
            (9, 4, 30, 5),
            (200, 2, 7, 0.5),
            (5, 5, 3, 9),
        ]
    )
]


def slow_leep(theta, labels):
    """Equation 7 of msatl as three nested loops."""
    n, heads = theta.shape
    total = 0.0
    for i in range(n):
        inner = 0.0
        for z in range(heads):
            mass = sum(theta[j, z] for j in range(n))
            agreeing = sum(theta[j, z] for j in range(n) if labels[j] == labels[i])
            inner += agreeing / mass * theta[i, z]
        total += math.log(inner)
    return total / n


@pytest.mark.parametrize(("seed", "n", "k", "z", "sharp"), CASES)
def test_leep_is_the_slow_formula(seed, n, k, z, sharp):
    theta, labels = source(seed, n, k, z, sharp)
    assert leep(theta, labels) == pytest.approx(slow_leep(theta, labels), abs=1e-12)


@pytest.mark.parametrize(("seed", "n", "k", "z", "sharp"), CASES)
def test_the_bounds_hold(seed, n, k, z, sharp):
    theta, labels = source(seed, n, k, z, sharp)
    soft, prior = conditional_entropy(theta, labels), label_entropy(labels)
    score = leep(theta, labels)
    assert score + soft >= -1e-12
    assert soft <= prior + 1e-12
    assert prior <= math.log(k) + 1e-12
    assert score <= 0
    assert information_gain(theta, labels) == pytest.approx(score + prior, abs=1e-12)


def test_the_bounds_hold_in_two_thousand_random_cases():
    rng = np.random.default_rng(0)
    for _ in range(2000):
        n, k, z = rng.integers(2, 30), rng.integers(1, 4), rng.integers(1, 8)
        theta = softmax(rng.normal(size=(n, z)) * rng.choice([0.01, 1, 30, 500]), axis=1)
        found = bounds(theta, rng.integers(0, k, n))
        assert found.prior - 1e-12 <= found.soft <= found.leep + 1e-12
        assert found.leep <= 0


def test_leep_of_hard_posteriors_is_nce():
    rng = np.random.default_rng(1)
    hard, labels = rng.integers(0, 6, 80), rng.integers(0, 3, 80)
    assert leep(np.eye(6)[hard], labels) == pytest.approx(nce(hard, labels), abs=1e-12)


def test_nce_is_the_entropy_of_its_cells():
    # Source class 0 holds labels 0, 0, 1; source class 1 holds label 1 alone.
    expected = 3 / 4 * (1 / 3 * math.log(1 / 3) + 2 / 3 * math.log(2 / 3))
    assert nce(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])) == pytest.approx(expected)
    assert nce(np.array(["a", "a", "a", "b"]), np.array([0, 0, 1, 1])) == pytest.approx(expected)


def test_two_classes_with_symmetric_error_have_a_closed_form():
    # theta gives the own class 1 - e, so P(y|z) has 1 - e too, and the sum is (1 - e)^2 + e^2.
    e = 0.2
    labels = np.array([0, 1] * 10)
    theta = np.where(np.eye(2)[labels] == 1, 1 - e, e)
    assert leep(theta, labels) == pytest.approx(math.log((1 - e) ** 2 + e**2))
    expected = -(1 - e) * math.log(1 - e) - e * math.log(e)
    assert conditional_entropy(theta, labels) == pytest.approx(expected)


def test_an_uninformative_source_scores_minus_the_label_entropy():
    labels = np.array([0] * 349 + [1] * 397)
    flat = np.full((746, 3), 1 / 3)
    shares = 349 / 746, 397 / 746
    expected = sum(p * math.log(p) for p in shares)
    assert leep(flat, labels) == pytest.approx(expected)
    assert leep(flat, labels, unit="bits") == pytest.approx(expected / math.log(2))
    assert information_gain(flat, labels) == pytest.approx(0, abs=1e-12)


def test_a_perfect_source_scores_zero():
    labels = np.array([0, 1, 2, 0])
    theta = np.eye(7)[labels + 2]
    assert leep(theta, labels) == 0
    assert nce(labels, labels) == 0


def test_order_and_names_do_not_matter():
    theta, labels = source(3)
    rows = np.random.default_rng(0).permutation(len(labels))
    columns = np.random.default_rng(1).permutation(theta.shape[1])
    score = leep(theta, labels)
    assert leep(theta[rows], labels[rows]) == pytest.approx(score, abs=1e-13)
    assert leep(theta[:, columns], labels) == pytest.approx(score, abs=1e-13)
    assert leep(theta, 10 - 2 * labels) == pytest.approx(score, abs=1e-13)
    assert leep(theta, np.array(["x", "y", "z"])[labels]) == pytest.approx(score, abs=1e-13)


def test_splitting_a_source_class_in_constant_shares_changes_nothing():
    theta, labels = source(4)
    split = np.hstack([theta[:, :1] * 0.3, theta[:, :1] * 0.7, theta[:, 1:]])
    assert leep(split, labels) == pytest.approx(leep(theta, labels), abs=1e-13)
    assert conditional_entropy(split, labels) == pytest.approx(conditional_entropy(theta, labels))


def test_merging_source_classes_never_tells_more():
    for seed in range(50):
        theta, labels = source(seed, heads=6)
        merged = np.hstack([theta[:, :2].sum(axis=1, keepdims=True), theta[:, 2:]])
        assert conditional_entropy(merged, labels) >= conditional_entropy(theta, labels) - 1e-12


def test_repeating_the_images_changes_nothing():
    theta, labels = source(5)
    assert leep(np.tile(theta, (3, 1)), np.tile(labels, 3)) == pytest.approx(leep(theta, labels))


def test_a_source_class_without_mass_gives_no_nan():
    theta, labels = source(6)
    padded = np.hstack([theta, np.zeros((len(theta), 2))])
    with np.errstate(all="raise"):
        assert leep(padded, labels) == pytest.approx(leep(theta, labels), abs=1e-13)
        assert np.isfinite(conditional(padded, labels)).all()
        assert conditional_entropy(padded, labels) == pytest.approx(
            conditional_entropy(theta, labels), abs=1e-12
        )
    np.testing.assert_allclose(conditional(padded, labels).sum(axis=0), 1)


def test_saturated_logits_stay_finite():
    rng = np.random.default_rng(7)
    theta = softmax(rng.normal(size=(50, 1000)) * 1e4, axis=1)
    labels = rng.integers(0, 2, 50)
    score = leep(theta, labels)
    assert -math.log(2) <= score <= 0


def test_no_image_is_less_likely_than_one_in_n():
    rng = np.random.default_rng(11)
    for _ in range(500):
        n, k, z = rng.integers(2, 12), rng.integers(1, 4), rng.integers(1, 8)
        theta = softmax(rng.normal(size=(n, z)) * rng.choice([0.1, 1, 30]), axis=1)
        labels = np.unique(rng.integers(0, k, n), return_inverse=True)[1]
        own = predictor(theta, labels)[np.arange(n), labels]
        assert own.min() >= (1 - 1e-12) / n
    alone = predictor(np.ones((5, 1)), np.array([0, 1, 1, 1, 1]))
    assert alone[0, 0] == pytest.approx(1 / 5)  # reached


def test_the_predictor_is_a_distribution_and_leep_its_likelihood():
    theta, labels = source(8)
    chances = predictor(theta, labels)
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    likelihood = np.log(chances[np.arange(len(labels)), labels]).mean()
    assert leep(theta, labels) == pytest.approx(likelihood)
    np.testing.assert_allclose(joint(theta, labels).sum(axis=1) * 40, np.bincount(labels))


def test_accuracy_shares_out_ties():
    assert bounds(np.full((4, 2), 0.5), np.array([0, 1, 0, 1])).accuracy == 0.5
    assert bounds(np.full((6, 7), 1 / 7), np.array([0, 1, 2] * 2)).accuracy == pytest.approx(1 / 3)
    labels = np.array([0, 1, 1])
    assert bounds(np.eye(2)[labels], labels).accuracy == 1
    uneven = bounds(np.full((4, 2), 0.5), np.array([0, 1, 1, 1]))
    assert uneven.accuracy == 0.75


def test_bits_are_nats_over_log_two():
    theta, labels = source(9)
    assert leep(theta, labels, unit="bits") == pytest.approx(leep(theta, labels) / math.log(2))
    assert label_entropy(np.arange(4), "bits") == 2
    assert str(label_entropy(np.zeros(3, int))) == "0.0"


@pytest.mark.parametrize(
    ("theta", "labels", "message"),
    [
        ([[2.0, -1.0]], [0], "logits"),
        ([[0.5, 0.4]], [0], "sum to 1"),
        ([[np.nan, 1.0]], [0], "finite"),
        ([0.5, 0.5], [0, 1], "shape"),
        ([[0.5, 0.5]], [0, 1], "labels"),
        ([[0.5, 0.5]], [-1], "without a label"),
        ([[0.5, 0.5]], [0.5], "whole numbers"),
        (np.empty((0, 2)), [], "shape"),
    ],
)
def test_what_is_no_distribution_is_refused(theta, labels, message):
    with pytest.raises(DataError, match=message):
        leep(np.array(theta), np.array(labels))


def test_an_unknown_unit_is_refused():
    theta, labels = source(10)
    for score in (leep, conditional_entropy):
        with pytest.raises(DataError, match="unit"):
            score(theta, labels, unit="bans")
