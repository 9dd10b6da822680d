from dataclasses import replace

import numpy as np
import pytest
import torch

from covidlib import heat_scores
from covidlib.data.phantoms import PhantomSettings
from covidlib.data.preprocessing import Preprocessing
from covidlib.errors import DataError
from covidlib.explain import grad_cam, mass_inside
from covidlib.heat_scores import ATTENTION, BLOB, GRAD_CAM, KINDS
from covidlib.heat_scores.scoring import named
from covidlib.models.attention_resnet import AttentionResNetSettings
from covidlib.settings import DataSettings, SupervisedSettings

PHANTOMS = DataSettings(
    "covid-ct", preprocessing=Preprocessing(size=40), phantom=PhantomSettings(images=40, size=64)
)
TRAINING = SupervisedSettings(size=35)


@pytest.fixture(scope="module")
def slices(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COVIDLIB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield heat_scores.positive_slices(PHANTOMS, TRAINING, 64)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return AttentionResNetSettings(18, "attn5").build(2)


@pytest.fixture(scope="module")
def scores(slices, network):
    return heat_scores.score_maps(
        GRAD_CAM, network, slices, key="run", seed=3, profile="laptop", check=1
    )


def test_slices_are_positive_and_carry_the_drawn_lungs(slices):
    assert slices.inputs.shape == (len(slices), 3, 64, 64)
    assert slices.lungs.shape == (len(slices), 64, 64)
    assert (slices.label, slices.left_out, slices.phantom) == (1, 0, True)
    assert 0.1 < slices.lungs.float().mean() < 0.6
    assert (slices.dice > 0.6).mean() > 0.5, "thresholds find most drawn lungs"
    picture = slices.picture(0)
    assert (picture.min(), picture.max()) == (0, 1)
    few = slices[:2]
    assert len(few) == len(few.targets) == len(few.dice) == 2


def test_scores_are_those_of_the_maps(slices, network, scores):
    maps = grad_cam(network, slices.inputs, torch.ones(len(slices), dtype=torch.long))
    np.testing.assert_allclose(scores.inside, mass_inside(maps, slices.lungs))
    np.testing.assert_allclose(scores.area, slices.lungs.float().mean((1, 2)), atol=1e-6)
    with torch.no_grad():
        called = (network.eval()(slices.inputs).argmax(1) == 1).float().mean()
    assert scores.called == pytest.approx(float(called))
    assert (scores.size, scores.grid) == (64, (2, 2))
    few = heat_scores.shown(slices)
    assert len(few) == 4
    np.testing.assert_allclose(scores.maps, maps[few])


def test_the_bell_ignores_the_network(slices, network):
    other = AttentionResNetSettings(18, "baseline").build(2)
    one, two = (heat_scores.score_maps(BLOB, n, slices).inside for n in (network, other))
    np.testing.assert_array_equal(one, two)


def test_attention_maps_have_all_their_heat_somewhere(slices, network):
    found = heat_scores.score_maps(ATTENTION, network, slices, check=0)
    assert np.isfinite(found.inside).all()
    assert found.randomised == {}
    assert set(KINDS) >= {ATTENTION, GRAD_CAM, BLOB}


def test_scores_of_real_slices_survive_the_file(scores, tmp_path):
    facts = dict(scores.provenance) | {"phantom": False}
    gap = np.r_[np.nan, scores.inside[1:]]
    real = replace(scores, provenance=facts, inside=gap)
    assert heat_scores.write(real, tmp_path).is_file()
    assert heat_scores.write(real, tmp_path) is None
    (again,) = heat_scores.read(tmp_path)
    np.testing.assert_allclose(again.inside, gap, atol=1e-4)
    np.testing.assert_allclose(again.maps, scores.maps, rtol=1e-3)
    assert (again.kind, again.grid, again.seed) == (GRAD_CAM, (2, 2), 3)
    with pytest.raises(DataError, match="real slices"):
        heat_scores.write(scores, tmp_path)


def test_a_pair_is_kept_when_all_its_maps_are(scores, tmp_path):
    specs = heat_scores.networks("laptop", phantoms=False)[0]
    facts = dict(scores.provenance) | {"phantom": False}
    for kind in KINDS:
        assert not heat_scores.is_kept(specs, tmp_path)
        one = replace(scores, kind=kind, **named(kind, specs), provenance=facts)
        assert heat_scores.write(one, tmp_path).is_file()
    assert heat_scores.is_kept(specs, tmp_path)


def test_scores_of_two_profiles_stay_apart(scores, tmp_path):
    facts = dict(scores.provenance) | {"phantom": False}
    for profile in ("laptop", "paper"):
        specs = heat_scores.networks(profile, phantoms=False)[0]
        for kind in KINDS:
            own = facts | {"profile": profile}
            one = replace(scores, kind=kind, **named(kind, specs), provenance=own)
            assert heat_scores.write(one, tmp_path), "nothing of the other profile is in the way"
    assert {one.kind for one in heat_scores.read(tmp_path)} == set(KINDS)


def test_hulls_have_what_a_threshold_leaves_out_and_nothing_between_the_lungs():
    lungs = torch.zeros(1, 20, 20, dtype=torch.bool)
    lungs[:, 4:16, 2:8] = lungs[:, 4:16, 12:18] = True
    whole = lungs.clone()
    lungs[:, 8:12, 4:8] = False  # a consolidation at the edge of a lung
    found = heat_scores.hulls(lungs, torch.tensor([[0.1, 0.2, 0.9, 0.8]]))
    assert torch.equal(found, whole)
    assert not heat_scores.hulls(torch.zeros_like(lungs), torch.zeros(1, 4)).any()
