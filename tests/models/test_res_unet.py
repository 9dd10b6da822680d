import math

import pytest
import torch
from torch import nn

from covidlib.models.res_unet import ResidualBlock, ResUNet, ResUNetSettings


def test_logits_have_the_size_of_the_image_and_one_channel():
    network = ResUNetSettings(widths=(4, 8, 16)).build(3)
    assert network(torch.randn(2, 1, 24, 32)).shape == (2, 1, 24, 32)
    assert network.factor == 4


@pytest.mark.parametrize("shape", [(1, 1, 22, 24), (1, 1, 24, 30)])
def test_a_side_that_does_not_halve_is_refused(shape):
    with pytest.raises(ValueError, match="multiples of 4"):
        ResUNet((4, 8, 16))(torch.randn(shape))


@pytest.mark.parametrize("widths", [(8,), (8, 0)])
def test_impossible_widths_are_refused(widths):
    with pytest.raises(ValueError, match="two levels"):
        ResUNetSettings(widths=widths)


def test_a_block_without_branch_is_its_shortcut():
    block = ResidualBlock(3, 3).eval()
    nn.init.zeros_(block.bn2.weight)
    features = torch.randn(2, 3, 5, 5)
    torch.testing.assert_close(block(features), features.relu())
    with torch.no_grad():  # the convolutions are in the branch, not beside it
        block.bn2.weight.fill_(1)
    assert not torch.allclose(block(features), features.relu())


def test_every_block_has_a_shortcut_and_every_level_hands_its_features_across():
    network = ResUNet((4, 8, 16)).eval()
    assert sum(isinstance(m, ResidualBlock) for m in network.modules()) == 3 + 2
    seen = []
    for block in network.up:
        block.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    kept = []
    for block in network.down[:-1]:
        block.register_forward_hook(lambda _, __, output: kept.append(output))
    network(torch.randn(1, 1, 16, 16))
    for entering, across in zip(seen, reversed(kept), strict=True):
        torch.testing.assert_close(entering[:, : across.shape[1]], across)


def test_parameters_are_those_counted_by_hand():
    """Widths 2 and 3 on one channel: convolutions, two numbers per batch norm, biases."""
    down = (1 * 9 * 2 + 4) + (2 * 9 * 2 + 4) + (1 * 2 + 4)
    down += (2 * 9 * 3 + 6) + (3 * 9 * 3 + 6) + (2 * 3 + 6)
    up = 3 * 4 * 2 + 2
    up += (4 * 9 * 2 + 4) + (2 * 9 * 2 + 4) + (4 * 2 + 4)
    assert sum(p.numel() for p in ResUNet((2, 3)).parameters()) == down + up + 2 + 1


def test_weights_start_as_kaiming_says():
    torch.manual_seed(0)
    network = ResUNet((32, 64))
    weight = network.down[1].conv2.weight
    assert weight.std().item() == pytest.approx(math.sqrt(2 / (64 * 9)), rel=0.02)
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all((n.weight == 1).all() and (n.bias == 0).all() for n in norms)
    assert (network.classifier.bias == 0).all()


def test_slug_and_equal_seeds_give_equal_weights():
    settings = ResUNetSettings((2, 4))
    assert settings.slug == "resunet"
    torch.manual_seed(1)
    first = settings.build(2)
    torch.manual_seed(1)
    second = settings.build(5)
    assert all(map(torch.equal, first.parameters(), second.parameters()))
