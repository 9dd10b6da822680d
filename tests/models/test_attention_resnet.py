import pytest
import torch
from torchvision.models import resnet50, resnet101

from covidlib.models.attention_resnet import PLACEMENTS, AttentionResNetSettings

SIX = [(depth, variant) for depth in (50, 101) for variant in PLACEMENTS]


def layers_in(network):
    return [len(network.attention[stage]) for stage in ("res2", "res3", "res4", "res5")]


@pytest.mark.parametrize(
    ("variant", "expected"),
    [("baseline", [0, 0, 0, 0]), ("attn1", [0, 1, 0, 0]), ("attn5", [0, 2, 2, 1])],
)
def test_layers_stand_where_the_paper_puts_them(variant, expected):
    assert layers_in(AttentionResNetSettings(50, variant).build(2)) == expected


@pytest.mark.parametrize(("depth", "reference"), [(50, resnet50), (101, resnet101)])
def test_inserting_attention_leaves_the_logits_unchanged(depth, reference):
    torch.manual_seed(0)
    plain = reference(num_classes=2).eval()
    images = torch.randn(2, 3, 64, 64)
    expected = plain(images)
    for variant in PLACEMENTS:
        for placement in ("stage_end", "units"):
            network = AttentionResNetSettings(depth, variant, placement).build(2).eval()
            network.backbone.load_state_dict(plain.state_dict())
            torch.testing.assert_close(network(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("depth", "variant"), SIX)
def test_parameters_follow_from_the_layer_sizes(depth, variant):
    reference = {50: resnet50, 101: resnet101}[depth](num_classes=2)
    half = {"res3": 256, "res4": 512, "res5": 1024}
    expected = sum(p.numel() for p in reference.parameters())
    for stage, count in zip(("res2", "res3", "res4", "res5"), PLACEMENTS[variant], strict=True):
        if count:
            d = half[stage]
            expected += count * (3 * (2 * d * d + d) + 2 * d * d + 2 * d)  # q, k, v and out
    network = AttentionResNetSettings(depth, variant).build(2)
    assert sum(p.numel() for p in network.parameters()) == expected


def test_attention_maps_have_the_resolution_of_their_stage():
    network = AttentionResNetSettings(50, "attn5").build(2).eval()
    maps = network.attention_maps(torch.randn(1, 3, 64, 96))
    assert {name: tuple(m.shape[1:]) for name, m in maps.items()} == {
        "res3.0": (8, 12, 8, 12),
        "res3.1": (8, 12, 8, 12),
        "res4.0": (4, 6, 4, 6),
        "res4.1": (4, 6, 4, 6),
        "res5.0": (2, 3, 2, 3),
    }
    for weights in maps.values():
        torch.testing.assert_close(weights.sum((3, 4)), torch.ones(weights.shape[:3]))


def test_the_two_placements_differ_once_trained():
    networks = [AttentionResNetSettings(18, "attn5", p).build(2) for p in ("stage_end", "units")]
    networks[1].load_state_dict(networks[0].state_dict())
    for network in networks:
        network.eval()
        for layer in network.attention["res3"]:
            torch.nn.init.constant_(layer.out.weight, 0.05)
    images = torch.randn(1, 3, 64, 64)
    assert not torch.allclose(networks[0](images), networks[1](images))


def test_every_layer_receives_a_gradient():
    network = AttentionResNetSettings(18, "attn5").build(2)
    network(torch.randn(2, 3, 64, 64)).sum().backward()
    for stage in ("res3", "res4", "res5"):
        for layer in network.attention[stage]:
            assert layer.out.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("wrong", [{"depth": 34}, {"variant": "attn2"}, {"placement": "middle"}])
def test_unknown_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        AttentionResNetSettings(**wrong)
