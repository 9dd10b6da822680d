import pytest
import torch

from covidlib.models.attention import SelfAttention
from covidlib.models.attention_memory import by_equation, kept_bytes, matrix_bytes, network_bytes
from covidlib.models.attention_resnet import AttentionResNetSettings


@pytest.fixture
def layer():
    torch.manual_seed(0)
    layer = SelfAttention(8, key_channels=4, value_channels=6)
    torch.nn.init.normal_(layer.out.weight)
    torch.nn.init.normal_(layer.out.bias)
    return layer.double()


@pytest.fixture
def features():
    torch.manual_seed(1)
    return torch.randn(2, 8, 3, 5, dtype=torch.float64)


def by_position(layer, features):
    """Equation 1 of msatl, one query position at a time."""
    query, key, value = layer.query(features), layer.key(features), layer.value(features)
    height, width = features.shape[2:]
    mixed = torch.zeros(len(features), value.shape[1], height, width, dtype=features.dtype)
    for n in range(len(features)):
        for y in range(height):
            for x in range(width):
                scores = torch.stack(
                    [
                        (key[n, :, v, u] * query[n, :, y, x]).sum()
                        for v in range(height)
                        for u in range(width)
                    ]
                )
                weights = scores.exp() / scores.exp().sum()
                mixed[n, :, y, x] = (value[n].flatten(1) * weights).sum(1)
    return features + layer.out(mixed)


def test_fused_kernel_equals_equation_one(layer, features):
    torch.testing.assert_close(layer(features), by_position(layer, features))


def test_map_rebuilds_the_output(layer, features):
    weights = layer.attention_map(features)
    torch.testing.assert_close(weights.sum(2), torch.ones_like(weights.sum(2)))
    value = layer.value(features).flatten(2)
    mixed = torch.einsum("nck,nqk->ncq", value, weights).view(2, 6, 3, 5)
    torch.testing.assert_close(layer(features), features + layer.out(mixed))


def test_constant_features_attend_everywhere_alike(layer):
    weights = layer.attention_map(torch.full((1, 8, 4, 4), 3.0, dtype=torch.float64))
    torch.testing.assert_close(weights, torch.full_like(weights, 1 / 16))


def test_moving_positions_moves_the_output_with_them(layer, features):
    moved = layer(features.flip(3)).flip(3)
    torch.testing.assert_close(moved, layer(features))


def test_a_new_layer_changes_nothing(features):
    torch.testing.assert_close(SelfAttention(8).double()(features), features, rtol=0, atol=0)


def test_the_matrix_written_out_gives_the_same_and_keeps_more(layer, features):
    torch.testing.assert_close(by_equation(layer, features), layer(features))
    # Of 2 images with 15 positions, 8 bytes each: Q, K, V, the weights, and what is mixed.
    expected = 8 * 2 * 15 * (4 + 4 + 6 + 15 + 6)
    assert kept_bytes(layer, features, explicit=True) == expected


def test_the_fused_kernel_never_keeps_a_matrix():
    torch.manual_seed(0)
    layer, features = SelfAttention(16), torch.randn(1, 16, 24, 24)
    layout = {"memory_format": torch.channels_last}
    layer, features = layer.to(**layout), features.to(**layout)
    explicit, fused = (kept_bytes(layer, features, way) for way in (True, False))
    assert fused < 4 * 24**4 < explicit


def test_the_memory_of_a_network_is_the_sum_over_its_layers():
    one, five = (AttentionResNetSettings(18, name) for name in ("attn1", "attn5"))
    # Sides of 8, 4 and 2 positions at 64 pixels: (HW)^2 entries of 4 bytes.
    assert matrix_bytes(one, 64) == 4 * 64**2
    assert matrix_bytes(five, 64) == 4 * (2 * 64**2 + 2 * 16**2 + 4**2)
    assert network_bytes(one, 64, explicit=True) > matrix_bytes(one, 64)
    assert network_bytes(AttentionResNetSettings(18), 64, explicit=True) == 0
