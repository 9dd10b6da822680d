import numpy as np
import pytest
import torch
from torch import nn

from covidlib.explain import area, blob, grad_cam, mass_inside, randomised
from covidlib.models.attention_resnet import AttentionResNetSettings


def half(side=8):
    mask = torch.zeros(1, side, side, dtype=torch.bool)
    mask[:, :, side // 2 :] = True
    return mask


def test_an_even_map_has_the_share_of_the_area():
    mask = torch.rand(5, 24, 24) > 0.7
    torch.testing.assert_close(mass_inside(torch.full((5, 6, 6), 0.3), mask), area(mask))


def test_mass_inside_of_maps_at_the_size_of_the_mask():
    heat = torch.zeros(1, 8, 8)
    heat[0, 2, 1], heat[0, 5, 6] = 1.0, 3.0
    assert mass_inside(heat, half()) == pytest.approx(0.75)
    assert mass_inside(heat, ~half()) == pytest.approx(0.25)
    assert mass_inside(1e-30 * heat, half()) == pytest.approx(0.75)


def test_mass_inside_without_heat_is_unknown_and_negative_heat_refused():
    assert mass_inside(torch.zeros(1, 4, 4), half()).isnan().all()
    assert mass_inside(torch.ones(1, 4, 4), torch.zeros(1, 8, 8, dtype=torch.bool)) == 0
    with pytest.raises(ValueError, match="negative"):
        mass_inside(torch.full((1, 4, 4), -0.1), half())


def test_the_blob_is_even_in_all_directions():
    heat = blob((9, 9))
    assert heat[4, 4] == heat.max() == 1
    torch.testing.assert_close(heat, heat.flip(0))
    torch.testing.assert_close(heat, heat.T)


class Order(nn.Module):
    """A network that uses its layers in another order than it names them."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 2)
        self.late = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4))
        self.unused = nn.Conv2d(4, 4, 3)
        self.early = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1))

    def forward(self, images):
        return self.head(self.late(self.early(images)).relu().mean((2, 3)))


def test_randomisation_goes_from_the_last_layer_used_to_the_first():
    torch.manual_seed(0)
    network, images = Order(), torch.randn(4, 3, 12, 12)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = randomised(network, lambda net: net.early[0](images).abs().detach()[:, 0], images)
    assert found.index.tolist() == ["trained", "head", "late.1", "late.0", "early.0"]
    # A map of the first layer changes only when that layer does.
    np.testing.assert_allclose(found.iloc[:4], 1)
    assert found.iloc[4].abs().max() < 0.9
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_randomisation_of_a_map_that_ignores_the_network_changes_nothing():
    torch.manual_seed(0)
    images = torch.randn(2, 3, 12, 12)
    found = randomised(Order(), lambda _: images.abs()[:, 0], images)
    np.testing.assert_allclose(found, 1)
    even = randomised(Order(), lambda _: torch.ones(2, 3, 3), images)
    assert even.isna().all(axis=None)


def test_randomisation_is_a_function_of_its_seed():
    torch.manual_seed(0)
    network, images = Order(), torch.randn(2, 3, 12, 12)

    def maps(net):
        return grad_cam(net, images, torch.ones(2, dtype=torch.long), layer=net.late)

    state = torch.random.get_rng_state()
    first, second, other = (randomised(network, maps, images, seed=s) for s in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert first.equals(second)
    assert not first.equals(other)


def test_randomisation_puts_attention_where_it_is_used():
    network = AttentionResNetSettings(18, "attn1").build(2)
    images = torch.randn(1, 3, 32, 32)
    found = randomised(network, lambda net: net.features(images).abs().detach()[:, 0], images)
    assert found.index.tolist() == [
        "trained", "backbone.fc", "backbone.layer4", "backbone.layer3", "attention.res3",
        "backbone.layer2", "backbone.layer1", "backbone.bn1", "backbone.conv1",
    ]  # fmt: skip
