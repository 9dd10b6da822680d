import re

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from covidlib.models.ma_net import (
    AttentionGenerator,
    MANetSettings,
    attention_pooling,
    normalised,
)


class Largest(TorchDispatchMode):
    """Remembers the largest number of elements that any operation gave."""

    def __init__(self):
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor) and not out._is_view():
            self.elements = max(self.elements, out.numel())
        return out


def small(**changes):
    torch.manual_seed(0)
    return MANetSettings("resnet18", **changes).build(3)


def images(count=2, side=64):
    torch.manual_seed(1)
    return torch.randn(count, 3, side, side)


def part_features(features, attention):
    """Equation 1, then global average pooling, one map after the other."""
    return torch.stack(
        [(attention[:, j : j + 1] * features).mean((2, 3)) for j in range(attention.shape[1])], 1
    )


def test_the_papers_network_has_65536_features_from_32_maps_of_7_by_7():
    with torch.device("meta"):
        network = MANetSettings().build(4)
        logits, maps = network.eval().attend(torch.empty(2, 3, 224, 224))
    assert network.classifier.in_features == 65_536
    assert maps.shape == (2, 32, 7, 7) and logits.shape == (2, 4)


def test_parameters_are_those_that_the_docstring_states():
    with torch.device("meta"):
        network = MANetSettings().build(2)
    found = sum(p.numel() for p in network.parameters())
    backbone = sum(p.numel() for p in network.backbone.parameters())
    assert (found, found - backbone) == (23_737_538, 98_304 + 128 + 131_074)
    told = re.findall(r"\d+\.\d million", MANetSettings.__doc__)
    assert told == [f"{number / 1e6:.1f} million" for number in (found, found - backbone)]


@pytest.mark.parametrize("scales, widths", [(1, 2048), (2, 3072), (3, 3584)])
def test_attention_adds_a_convolution_and_a_batch_norm_for_each_scale(scales, widths):
    with torch.device("meta"):
        network = MANetSettings(scales=scales).build(4)
    attention = sum(p.numel() for p in network.attention.parameters())
    assert attention == widths * 32 + scales * 2 * 32
    whole = sum(p.numel() for p in network.parameters())
    assert whole == 23_508_032 + attention + 4 * 65_536 + 4  # ResNet50 without its classifier


def test_pooling_is_the_loop_over_part_feature_maps():
    torch.manual_seed(0)
    features, attention = torch.randn(3, 20, 7, 5), torch.rand(3, 6, 7, 5)
    expected = part_features(features, attention)
    torch.testing.assert_close(attention_pooling(features, attention), expected)


def test_pooling_has_the_gradients_of_the_loop():
    torch.manual_seed(0)
    inputs = [torch.randn(2, 8, 4, 4), torch.rand(2, 3, 4, 4)]
    weights = torch.randn(2, 3, 8)
    found = []
    for pool in (attention_pooling, part_features):
        features, attention = (x.clone().requires_grad_() for x in inputs)
        (pool(features, attention) * weights).sum().backward()
        found.append((features.grad, attention.grad))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_pooling_never_makes_a_part_feature_map():
    features, attention = torch.randn(4, 256, 7, 7), torch.rand(4, 32, 7, 7)
    with Largest() as einsum:
        attention_pooling(features, attention)
    with Largest() as loop:
        part_features(features, attention)
    assert loop.elements >= 4 * 256 * 49  # one part; all 32 of them side by side are 32 times that
    assert einsum.elements <= max(4 * 32 * 256, features.numel())


def test_even_attention_is_average_pooling():
    features = images()
    pooled = attention_pooling(features, torch.ones(2, 4, 64, 64))
    torch.testing.assert_close(pooled, features.mean((2, 3))[:, None].expand(-1, 4, -1))


def test_maps_are_block_means_of_each_scale_summed():
    torch.manual_seed(0)
    generator = AttentionGenerator((5, 7), maps=3).eval()
    fine, deep = torch.randn(2, 5, 8, 8), torch.randn(2, 7, 2, 2)
    awake = generator.scales[0](fine)
    blocks = torch.stack(
        [
            torch.stack([awake[:, :, 4 * i : 4 * i + 4, 4 * j : 4 * j + 4].mean((2, 3))
                         for j in range(2)], 2)
            for i in range(2)
        ],
        2,
    )  # fmt: skip
    found = generator([fine, deep])
    torch.testing.assert_close(found, blocks + generator.scales[1](deep))
    assert found.min() >= 0


def test_a_1x1_convolution_looks_at_its_own_place_only():
    generator = AttentionGenerator((4,), maps=2).eval()
    first = torch.randn(1, 4, 3, 3)
    second = first.clone()
    second[:, :, 0, 0] += 1
    moved = (generator([first]) != generator([second])).any(1)[0]
    assert not moved.flatten()[1:].any()


@pytest.mark.parametrize("pooling, reduce", [("gap", torch.mean), ("gmp", torch.amax)])
def test_the_rivals_pool_the_features_alone(pooling, reduce):
    network = small(pooling=pooling).eval()
    logits, maps = network.attend(images())
    features = network.backbone(images())[-1]
    torch.testing.assert_close(logits, network.classifier(reduce(features, dim=(2, 3))))
    assert network.classifier.in_features == 512 and maps.shape[1] == 32


@pytest.mark.parametrize("pooling", ["attention", "gap", "gmp"])
def test_every_parameter_that_asks_for_a_gradient_gets_one(pooling):
    network = small(pooling=pooling)
    network(images()).square().sum().backward()
    asking = {name for name, p in network.named_parameters() if p.requires_grad}
    given = {name for name, p in network.named_parameters() if p.grad is not None}
    assert asking == given
    assert any("attention" in name for name in given) is (pooling == "attention")


def test_normalised_features_have_length_100_and_keep_their_signs():
    torch.manual_seed(0)
    features = torch.randn(3, 50)
    found = normalised(features)
    torch.testing.assert_close(found.norm(dim=1), torch.full((3,), 100.0))
    assert torch.equal(found.sign(), features.sign())
    torch.testing.assert_close((found / found[:, :1]) ** 2, (features / features[:, :1]).abs())


def test_features_of_zero_give_a_finite_gradient():
    features = torch.zeros(1, 4, requires_grad=True)
    normalised(features).sum().backward()
    assert features.grad.isfinite().all()


def test_the_authors_network_has_no_bias_and_one_channel():
    network = MANetSettings.variant("authors", backbone="resnet18").build(3)
    assert network.classifier.bias is None and network.settings.features == "normalised"
    assert next(network.backbone.parameters()).shape[1] == 1
    pooled = network.eval().classifier.weight
    logits = network(images())
    assert logits.shape == (2, 3)
    assert (logits.norm(dim=1) <= 100 * pooled.norm()).all()


def test_logits_and_maps_belong_together():
    network = small(scales=3).eval()
    logits, maps = network.attend(images())
    assert torch.equal(network(images()), logits)
    assert maps.shape == (2, 32, 2, 2)


def test_the_last_convolution_gives_what_is_pooled():
    network, seen = small().eval(), []
    network.last_convolution.register_forward_hook(lambda *given: seen.append(given[2]))
    network(images())
    assert torch.equal(seen[0], network.backbone(images())[-1])


def test_slugs_tell_variants_apart():
    slugs = [
        MANetSettings(scales=scales, pooling=pooling).slug
        for scales in (1, 2, 3)
        for pooling in ("attention", "gap", "gmp")
    ]
    assert len(set(slugs)) == 9 and slugs[3] == "ma-resnet50"


@pytest.mark.parametrize(
    "wrong", [{"scales": 4}, {"pooling": "max"}, {"features": "raw"}, {"maps": 0}]
)
def test_unknown_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MANetSettings(**wrong)
    with pytest.raises(ValueError, match="variant"):
        MANetSettings.variant("both")
