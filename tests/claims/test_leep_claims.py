"""Claims about steps of LEEP, by hand: the weaker of two steps speaks, in bits."""

import math

import numpy as np
import pytest

from covidlib.claims.stages import attention_gains, rising
from covidlib.errors import DataError
from covidlib.published import paper_value
from covidlib.stage_scores import StageScores, write

IMAGES = np.array([-0.5, -0.7, -0.9, -0.6])  # log-likelihoods without a source, in nats
# What every image gains, in nats: from STL-N, then from STL-M.
STEPS = {"baseline": (0.10, 0.01), "attn1": (0.20, 0.05), "attn5": (0.30, 0.03)}


def keep(results, variant, stages, likelihoods, fingerprint="target"):
    cell = {"model": "r50", "variant": variant, "stages": stages}
    facts = {"phantom": False, "profile": "laptop", "fingerprint": fingerprint}
    found = StageScores(
        key=f"{variant}-{stages}",
        cell=cell,
        seed=0,
        classes=10,
        images=len(likelihoods),
        scores={},
        bounds={},
        shuffled=0.0,
        likelihoods=likelihoods,
        provenance=facts,
        patients=("a", "a", "b", "c"),
    )
    assert write(found, results)


@pytest.fixture
def results(tmp_path):
    for variant, (first, second) in STEPS.items():
        keep(tmp_path, variant, "none", IMAGES)
        keep(tmp_path, variant, "stl_n", IMAGES + first)
        keep(tmp_path, variant, "stl_n+stl_m", IMAGES + first + second)
    return tmp_path


def printed(variant, after, before):
    values = [
        paper_value("msatl", 6, "leep", model="r50", variant=variant, stages=stages).value
        for stages in (after, before)
    ]
    return values[0] - values[1]


def test_the_smaller_of_the_mean_steps_speaks_in_bits(results):
    found = rising(results)
    assert found.value == pytest.approx((0.01 + 0.05 + 0.03) / 3 / math.log(2), abs=1e-4)
    assert (found.units, found.images) == (3, 4)
    assert found.each == pytest.approx(np.array([0.05, 0.03, 0.01]) / math.log(2), abs=1e-4)
    assert len(found.records) == 9
    steps = [("stl_n", "none"), ("stl_n+stl_m", "stl_n")]
    means = [np.mean([printed(v, *step) for v in STEPS]) for step in steps]
    assert found.printed == pytest.approx(means[1])  # of the step that speaks, not the least
    assert means[1] > means[0]


def test_attention_gains_what_both_variants_gain_beyond_the_plain_network(results):
    found = attention_gains(results)
    assert found.value == pytest.approx((0.04 - 0.01) / math.log(2), abs=1e-4)
    assert found.units == 1


def test_steps_between_other_images_are_refused(results):
    keep(results, "attn2", "stl_n", IMAGES, fingerprint="others")
    with pytest.raises(DataError, match="other images"):
        rising(results)


def test_without_the_plain_network_nothing_is_said_of_attention(tmp_path):
    for stages in ("none", "stl_n", "stl_n+stl_m"):
        keep(tmp_path, "attn1", stages, IMAGES)
    assert attention_gains(tmp_path) == "its LEEP scores are not recorded yet"
