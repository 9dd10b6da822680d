import pytest

from covidlib.data.augmentation import MSATL_CT
from covidlib.runs.spec import canonical
from covidlib.settings import MocoSettings, SimclrSettings, SstlmSettings


def test_the_recipe_is_the_papers():
    """msatl sec. 6.2."""
    chosen = SstlmSettings()
    assert (chosen.lr, chosen.batch, chosen.epochs) == (0.3, 256, 200)
    assert (chosen.temperature, chosen.weight_decay, chosen.momentum) == (0.07, 1e-4, 0.9)
    assert (chosen.alpha_image, chosen.alpha_region, chosen.size) == (0.8, 0.8, 224)
    rates = {epoch: round(chosen.lr_at(epoch), 4) for epoch in (0, 119, 120, 159, 160, 199)}
    assert rates == {0: 0.3, 119: 0.3, 120: 0.03, 159: 0.03, 160: 0.003, 199: 0.003}
    assert chosen.images == "train"


def test_msatl_took_mocos_recipe_but_for_the_rate():
    """Every value that both print is the same, except 0.3 for 0.03."""
    ours, theirs = canonical(SstlmSettings()), canonical(MocoSettings())
    assert theirs == {"is": "MocoSettings"} and ours == {"is": "SstlmSettings"}
    assert SstlmSettings().lr == pytest.approx(10 * MocoSettings().lr)
    for name in ("batch", "epochs", "milestones", "gamma", "weight_decay", "momentum"):
        assert getattr(SstlmSettings(), name) == getattr(MocoSettings(), name)


def test_simclr_warms_up_and_ends_at_nothing():
    chosen = SimclrSettings()
    rates = [chosen.lr_at(epoch) for epoch in range(chosen.epochs)]
    assert rates[19] == rates[20] == max(rates) == 0.3
    assert rates[:20] == sorted(rates[:20]) and rates[20:] == sorted(rates[20:], reverse=True)
    assert rates[0] == pytest.approx(0.3 / 20) and rates[-1] < 1e-3
    assert SimclrSettings(epochs=1).lr_at(0) == 0.3


def test_regions_are_never_mirrored_by_default():
    assert SstlmSettings().region_augmentation.flip_x == 0
    assert SstlmSettings().augmentation == MSATL_CT and MSATL_CT.flip_x == 0.5


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (MocoSettings, {"images": "test"}),
        (MocoSettings, {"temperature": 0}),
        (MocoSettings, {"queue": 0}),
        (MocoSettings, {"key_momentum": 1.1}),
        (MocoSettings, {"tempered": "none"}),
        (SimclrSettings, {"projection": 0}),
        (SstlmSettings, {"region_loss": "median"}),
        (SstlmSettings, {"region_images": 0}),
        (SstlmSettings, {"regions": ((0.2, 0.5, 0.5, 1.0),)}),
        (SstlmSettings, {"regions": ((0.5, 0.5, 0.0, 1.0),)}),
    ],
)
def test_impossible_values_are_refused(kind, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong)).removesuffix("s")):
        kind(**wrong)
