import pytest
import torch

from covidlib.models.attention import SelfAttention


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
