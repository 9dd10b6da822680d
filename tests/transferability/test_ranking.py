from itertools import combinations

import numpy as np
import pytest

from covidlib.errors import DataError
from covidlib.transferability import chance_tau, weighted_tau


def slow_tau(scores, performance):
    """Each pair weighs 1/(r+1) + 1/(s+1), r and s its ranks by performance from 0."""
    order = np.argsort(-np.asarray(performance))
    rank = np.empty(len(order), int)
    rank[order] = np.arange(len(order))
    agreed = total = 0.0
    for i, j in combinations(range(len(scores)), 2):
        weight = 1 / (rank[i] + 1) + 1 / (rank[j] + 1)
        agreed += weight * np.sign(scores[i] - scores[j]) * np.sign(performance[i] - performance[j])
        total += weight
    return agreed / total


@pytest.mark.parametrize("seed", range(5))
def test_weighted_tau_is_the_slow_sum(seed):
    rng = np.random.default_rng(seed)
    scores, performance = rng.normal(size=7), rng.normal(size=7)
    assert weighted_tau(scores, performance) == pytest.approx(slow_tau(scores, performance))


def test_agreement_is_one_disagreement_minus_one_silence_nothing():
    performance = np.array([0.6, 0.9, 0.7, 0.8])
    assert weighted_tau(np.exp(performance), performance) == pytest.approx(1)
    assert weighted_tau(-performance, performance) == pytest.approx(-1)
    assert weighted_tau(np.zeros(4), performance) == 0


def test_an_error_among_the_best_weighs_more():
    truth = np.arange(6)
    best_swapped, worst_swapped = [0, 1, 2, 3, 5, 4], [1, 0, 2, 3, 4, 5]
    assert weighted_tau(best_swapped, truth) < weighted_tau(worst_swapped, truth)


def test_luck_is_counted_over_every_order():
    found = chance_tau(4)
    assert len(found) == 24
    assert found[0] == pytest.approx(-1)
    assert found[-1] == pytest.approx(1)
    assert found.mean() == pytest.approx(0, abs=1e-12)
    with pytest.raises(DataError, match="3 to 7"):
        chance_tau(8)


@pytest.mark.parametrize(
    ("scores", "performance"),
    [([1, 2], [1, 2]), ([1, 2, 3], [1, 2]), ([1, 2, np.nan], [1, 2, 3]), ([1, 2, 3], [1, 1, 1])],
)
def test_what_cannot_be_ranked_is_refused(scores, performance):
    with pytest.raises(DataError):
        weighted_tau(scores, performance)
