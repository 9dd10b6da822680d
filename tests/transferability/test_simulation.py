import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from covidlib.transferability import FROM_FEATURES, leep
from covidlib.transferability.simulation import FAMILIES, Source, agreement, draw, score_all


@pytest.mark.parametrize("distance", [0.0, 0.8, 1.8])
def test_the_worth_of_a_source_is_the_auc_of_its_best_direction(distance):
    source = Source(distance, width=5, scale=3.0)
    features, theta, labels = draw(source, 40_000, np.random.default_rng(0))
    means = [features[labels == c].mean(axis=0) for c in (0, 1)]
    found = roc_auc_score(labels, features @ (means[1] - means[0]))
    assert found == pytest.approx(source.auc, abs=0.01)
    np.testing.assert_allclose(theta.sum(axis=1), 1)
    np.testing.assert_allclose(features[labels == 0].var(axis=0), 9, rtol=0.05)


def test_a_blind_head_gives_outputs_without_knowledge():
    rng = np.random.default_rng(1)
    scores = {}
    for sees in (True, False):
        _, theta, labels = draw(Source(1.8, heads=3, sees=sees), 20_000, rng)
        scores[sees] = leep(theta, labels)
    assert scores[False] == pytest.approx(-0.691, abs=1e-3)
    assert scores[True] > -0.6


def test_the_scale_changes_features_and_no_output():
    first, second = (
        draw(Source(1.0, scale=scale), 50, np.random.default_rng(2)) for scale in (1.0, 30.0)
    )
    np.testing.assert_allclose(second[0], 30 * first[0])
    np.testing.assert_array_equal(second[1], first[1])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_rises_in_worth(family):
    worth = [source.auc for source in FAMILIES[family]()]
    assert len(worth) == 6
    assert worth == sorted(worth)


def test_scores_find_the_order_where_nothing_else_differs():
    found = agreement("nothing", repeats=1, seed=0)
    assert set(found) == {"LEEP", "NCE", *FROM_FEATURES}
    assert found["LEEP"][0] > 0.8
    assert found["linear probe"][0] > 0.8
    assert all(-1 <= tau[0] <= 1 for tau in found.values())


def test_every_score_is_computed_once_by_name():
    drawn = draw(Source(1.0), 60, np.random.default_rng(3))
    found = score_all(*drawn)
    assert found["LEEP"] == pytest.approx(leep(drawn[1], drawn[2]), abs=1e-12)
    assert found["GBC"] == FROM_FEATURES["GBC"](drawn[0], drawn[2])
