import math

import numpy as np
import pytest
from scipy.stats import entropy

from covidlib.audit.leep_bound import leep_bounds, leep_cells, leep_rows


def slow_leep(source, labels):
    """LEEP by its definition, in nats, P(y|z) from the images that are scored."""
    images, kinds = source.shape
    joint = np.zeros((2, kinds))
    for theta, label in zip(source, labels, strict=True):
        joint[label] += theta / images
    conditional = joint / joint.sum(axis=0)
    return np.mean(
        [np.log(conditional[y] @ theta) for theta, y in zip(source, labels, strict=True)]
    )


@pytest.mark.parametrize("concentration", [0.05, 1.0, 50.0])
@pytest.mark.parametrize("kinds", [2, 3, 40])
def test_leep_of_any_source_is_above_minus_the_entropy(concentration, kinds):
    rng = np.random.default_rng(kinds)
    labels = np.repeat([0, 1], [35, 40])
    for _ in range(20):
        source = rng.dirichlet(np.full(kinds, concentration), len(labels)) + 1e-12
        source /= source.sum(axis=1, keepdims=True)
        assert slow_leep(source, labels) >= -entropy([35, 40]) - 1e-12


def test_a_source_that_knows_nothing_is_at_the_bound():
    labels = np.repeat([0, 1], [349, 397])
    assert slow_leep(np.full((746, 5), 0.2), labels) == pytest.approx(-entropy([349, 397]))


def test_the_bound_needs_the_same_images():
    # P(y|z) of other images: a source class that means 1 there and 0 here scores without limit.
    conditional = np.array([[0.99, 0.01], [0.01, 0.99]])
    assert np.log(conditional[0] @ np.array([0.0, 1.0])) < -entropy([1, 1])


def test_all_18_scores_are_below_in_nats_and_none_in_bits():
    cells = leep_cells()
    assert len(cells) == 18
    assert cells["below_nats"].all() and not cells["below_bits"].any()
    assert (cells["value"].min(), cells["value"].max()) == (-0.918, -0.865)
    bounds = leep_bounds()
    assert bounds.loc["all", "nats"] == pytest.approx(-0.6911, abs=5e-5)
    assert bounds.loc["all", "bits"] == pytest.approx(-0.9970, abs=5e-5)
    # Whatever two classes: never below ln 2, so no subset of the data saves natural logarithms.
    assert (bounds["nats"] > cells["value"].max()).all()
    assert (bounds["nats"] >= -math.log(2)).all() and (bounds["bits"] >= -1).all()


def test_scores_rise_with_every_stage_in_any_base():
    rows = leep_rows()
    assert rows.shape == (6, 3)
    assert (rows.diff(axis=1).iloc[:, 1:] > 0).all(axis=None)
