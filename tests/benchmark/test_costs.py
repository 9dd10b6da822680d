import pytest

from covidlib.benchmark.costs import BATCHES, count, price
from covidlib.models.plain_classifiers import PlainSettings
from covidlib.plans.across import NETWORKS


@pytest.mark.parametrize(
    ("name", "millions"), [("r50", 4087.1), ("ma", 4087.1), ("convnext", 4454.8)]
)
def test_multiply_adds_at_224_pixels(name, millions):
    """torchvision's table has 4.09 and 4.46 GFLOPS for ResNet50 and ConvNeXt-T of 1,000 classes."""
    assert count(NETWORKS[name], 224)[1] / 1e6 == pytest.approx(millions, abs=0.1)


def test_mag_sd_adds_maps_pooling_and_a_wide_classifier():
    plain, magsd = (count(NETWORKS[name], 224)[1] for name in ("r50", "magsd"))
    maps = 1024 * 32 * 14 * 14 + 2048 * 32 * 7 * 7
    assert magsd - plain == maps + 32 * 2048 * 7 * 7 + 2 * (32 * 2048 - 2048)


def test_attention_costs_more():
    adds = [count(NETWORKS[name], 64)[1] for name in ("r50", "attn1", "attn5")]
    assert adds == sorted(adds) and len(set(adds)) == 3


def test_a_price_has_quartiles_in_order_for_both_batches():
    found = price(PlainSettings("resnet18"), 32, rounds=3)
    assert found.parameters == 11_177_538 and set(found.milliseconds) == set(BATCHES)
    for low, middle, high in found.milliseconds.values():
        assert 0 < low <= middle <= high
