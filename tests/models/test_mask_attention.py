import copy
import operator

import numpy as np
import pytest
import torch
from mask_oracles import multiplied_by, pooled_slowly, slow_maps
from torch import nn
from torchvision.models import resnet18, vgg11

from covidlib.models.cxr_classifiers import CxrClassifierSettings
from covidlib.models.mask_attention import MaskAttention
from covidlib.models.mask_pooling import Step, extend, pool, receptive_field, widest

SIDES = {"resnet34": 64, "resnet50": 72, "vgg16": 48, "inceptionv3": 107}
NAMES = tuple(SIDES)


@pytest.fixture(scope="module")
def plain_networks():
    """Every backbone, plain, with batch norms far from their start."""
    found = {}
    for name in NAMES:
        torch.manual_seed(0)
        plain = CxrClassifierSettings(name).build(5).eval()
        for norm in (m for m in plain.modules() if isinstance(m, nn.BatchNorm2d)):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, std=0.3)
        found[name] = plain
    return found


def woven(plain_networks, name, borders):
    return MaskAttention(plain_networks[name].backbone, borders).eval()


def random_mask(side, seed=0):
    """Blocks of lung and no lung, so that shares between 0 and 1 occur at every depth."""
    blocks = np.random.default_rng(seed).random((side // 6 + 1, side // 6 + 1)) < 0.5
    return np.kron(blocks, np.ones((6, 6), bool))[:side, :side]


@pytest.mark.parametrize("borders", ["zeros", "visible"])
@pytest.mark.parametrize("name", NAMES)
def test_maps_are_the_slowly_pooled_mask_through_the_whole_network(plain_networks, name, borders):
    mask = random_mask(SIDES[name])
    network = woven(plain_networks, name, borders)
    expected = slow_maps(name, mask, zeros=borders == "zeros")
    sites = dict(zip(network.products, expected, strict=True))
    for site, module in sites.items():
        assert site.removesuffix(".cat").removesuffix(".cat_3") == module
        found = pool(torch.from_numpy(mask)[None, None].float(), network.products[site], borders)
        np.testing.assert_allclose(found[0, 0].numpy(), expected[module], atol=1e-5)


@pytest.mark.parametrize("borders", ["zeros", "visible"])
@pytest.mark.parametrize("name", NAMES)
def test_logits_are_those_of_the_plain_network_multiplied_by_hand(plain_networks, name, borders):
    side = SIDES[name]
    mask, images = random_mask(side, seed=1), torch.randn(1, 1, side, side)
    network, plain = woven(plain_networks, name, borders), plain_networks[name]
    with torch.no_grad():
        with multiplied_by(plain.backbone, slow_maps(name, mask, zeros=borders == "zeros")):
            expected = plain(images)
        found = network(images, torch.from_numpy(mask)[None])
        assert not torch.allclose(expected, plain(images), rtol=1e-2)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_mask_of_ones_changes_nothing_but_borders(plain_networks, name):
    side = SIDES[name]
    images, ones = torch.randn(2, 1, side, side), torch.ones(2, side, side, dtype=torch.bool)
    with torch.no_grad():
        plain = plain_networks[name](images)
        torch.testing.assert_close(woven(plain_networks, name, "visible")(images, ones), plain)
        zeros = woven(plain_networks, name, "zeros")
        assert not torch.allclose(zeros(images, ones), plain, rtol=1e-3)
    padded = {site: any(any(s.padding) for s in path) for site, path in zeros.products.items()}
    maps = {
        site: pool(ones[:1, None].float(), path, "zeros") for site, path in zeros.products.items()
    }
    for site, values in maps.items():
        assert (values.min() < 1) == padded[site]
        assert values.max() <= 1 + 1e-6


def test_zeros_reach_inwards_no_further_than_the_padding_seen(plain_networks):
    network = woven(plain_networks, "resnet34", "zeros")
    values = network.maps(torch.ones(1, 64, 64, dtype=torch.bool))["layer1.1.conv2"][0, 0]
    # The stem's window of 7 leaves the image at its first two outputs, the pool passes them on to
    # its first two, and each of four 3×3 convolutions adds one.
    touched = 2 + 4
    inner = values[touched:-touched, touched:-touched]
    torch.testing.assert_close(inner, torch.ones_like(inner))
    assert (values[:touched, 8] < 1 - 1e-5).all()


@pytest.mark.parametrize("name", NAMES)
def test_no_parameters_are_added_and_weights_move_both_ways(plain_networks, name):
    with torch.device("meta"):
        masked = CxrClassifierSettings(name, "mask").build(5)
    plain = plain_networks[name]
    shapes = {key: value.shape for key, value in plain.state_dict().items()}
    assert {key: value.shape for key, value in masked.state_dict().items()} == shapes
    masked.load_state_dict(plain.state_dict(), assign=True)
    assert sum(p.numel() for p in masked.parameters()) == sum(p.numel() for p in plain.parameters())


def test_an_empty_mask_leaves_only_biases(plain_networks):
    network = woven(plain_networks, "vgg16", "zeros")
    images, none = torch.randn(2, 1, 48, 48), torch.zeros(2, 48, 48, dtype=torch.bool)
    with torch.no_grad():
        first, second = network(images, none)
    torch.testing.assert_close(first, second)  # nothing of the images is left


def test_gradients_stay_inside_the_lungs(plain_networks):
    network = woven(plain_networks, "vgg16", "zeros")
    mask = torch.zeros(1, 48, 48, dtype=torch.bool)
    mask[:, 8:24, 8:24] = True
    images = torch.randn(1, 1, 48, 48, requires_grad=True)
    network(images, mask).sum().backward()
    seen = images.grad[0, 0].abs() > 0
    # A feature with any lung in sight may use all it sees: of the image, one kernel's reach more.
    assert seen[8:24, 8:24].any()
    assert not seen[:6].any() and not seen[:, :6].any()


@pytest.mark.parametrize("name", ["resnet50", "inceptionv3"])
def test_gradients_are_those_of_the_plain_network_multiplied_by_hand(plain_networks, name):
    side = SIDES[name]
    mask = random_mask(side, seed=2)
    # In double precision: gradients of untrained networks fall to 1e-15 on their way down.
    images = torch.randn(1, 1, side, side, dtype=torch.float64)
    network = copy.deepcopy(woven(plain_networks, name, "zeros")).double()
    plain = copy.deepcopy(plain_networks[name]).double()
    weights = list(plain.parameters())
    with multiplied_by(plain.backbone, slow_maps(name, mask, zeros=True)):
        expected = torch.autograd.grad(plain(images).square().sum(), weights)
    by_name = dict(network.named_parameters())
    own = [by_name[key] for key, _ in plain.named_parameters()]
    found = torch.autograd.grad(network(images, torch.from_numpy(mask)[None]).square().sum(), own)
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5 * theirs.abs().max().item())


class OnePoolAtATime(nn.Module):
    """What a map pool does, image by image."""

    def __init__(self, pooling):
        super().__init__()
        self.pooling = pooling

    def forward(self, maps):  # (1, N, H, W)
        return torch.cat([self.pooling(one[None, None]) for one in maps[0]]).transpose(0, 1)


class NewProduct(nn.Module):
    def forward(self, features, weights):
        return features * weights.transpose(0, 1).to(features.dtype)


def step_of(network, images, mask):
    torch.manual_seed(4)  # of Inception's dropout
    with torch.autocast("cpu", torch.bfloat16):
        loss = network(images, mask).float().square().sum()
    return loss, *torch.autograd.grad(loss, list(network.parameters())), *network.buffers()


@pytest.mark.parametrize("name", ["resnet34", "inceptionv3"])
def test_what_saves_time_changes_no_bit(plain_networks, name):
    side = SIDES[name]
    network = copy.deepcopy(woven(plain_networks, name, "zeros")).train()
    slow = copy.deepcopy(network)
    backbone = slow.backbone
    backbone.mask_product = NewProduct()
    for place, pooling in list(backbone.mask_pools.named_children()):
        setattr(backbone.mask_pools, place, OnePoolAtATime(pooling))
    in_place = [node for node in backbone.graph.nodes if node.target is operator.iadd]
    assert len(in_place) == {"resnet34": 16, "inceptionv3": 0}[name]  # as torchvision writes them
    for node in in_place:
        node.target = operator.add
    backbone.recompile()
    images = torch.randn(3, 1, side, side).to(memory_format=torch.channels_last)
    mask = torch.from_numpy(np.stack([random_mask(side, seed) for seed in range(3)]))
    for mine, theirs in zip(
        step_of(network, images, mask), step_of(slow, images, mask), strict=True
    ):
        assert torch.equal(mine, theirs)


def test_bottlenecks_multiply_once_and_sums_follow_the_wider_branch(plain_networks):
    network = woven(plain_networks, "resnet50", "zeros")
    assert list(network.products)[:3] == ["bn1", "layer1.0.bn2", "layer1.1.bn2"]
    assert len(network.products) == 1 + 16
    assert network.paths["layer2.0.add"] == network.paths["layer2.0.conv2"]
    shortcut = network.paths["layer2.0.downsample.0"]
    assert shortcut == (*network.paths["layer1.2.conv3"], Step((1, 1), (2, 2)))
    maps = network.maps(torch.from_numpy(random_mask(64))[None])
    torch.testing.assert_close(maps["layer2.0.downsample.0"], maps["layer1.2.add"][:, :, ::2, ::2])


def test_inception_takes_the_widest_branch_once_a_module(plain_networks):
    network = woven(plain_networks, "inceptionv3", "zeros")
    assert [site.split(".")[0] for site in network.products] == [
        "Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_4a_3x3",
        "Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d",
        "Mixed_6e", "Mixed_7a", "Mixed_7b", "Mixed_7c",
    ]  # fmt: skip
    before, after = network.paths["Mixed_6a.cat"], network.paths["Mixed_6b.cat"]
    pair = Step((7, 7), padding=(3, 3))
    assert after == (*before, pair, pair)


def test_a_row_and_a_column_pool_like_their_rectangle():
    values = np.random.default_rng(3).random((9, 11))
    path = extend(extend((), Step((1, 7), padding=(0, 3))), Step((5, 1), (2, 1), (2, 0)))
    assert path == (Step((5, 7), (2, 1), (2, 3)),)
    for borders in ("zeros", "visible"):
        rows = pooled_slowly(values, (1, 7), (1, 1), (0, 3), borders == "zeros")
        both = pooled_slowly(rows, (5, 1), (2, 1), (2, 0), borders == "zeros")
        found = pool(torch.from_numpy(values)[None, None], path, borders)[0, 0]
        np.testing.assert_allclose(found.numpy(), both, atol=1e-12)


def test_receptive_fields_and_the_widest_path():
    three, five = Step((3, 3), padding=(1, 1)), Step((5, 5), padding=(2, 2))
    assert receptive_field((three, three)) == receptive_field((five,)) == (5, 5)
    assert widest([(five,), (three, three), (three,)]) == (three, three)
    assert extend((three,), Step((1, 1))) == (three,)


def test_copies_do_not_share_their_masks(plain_networks):
    network = woven(plain_networks, "resnet34", "zeros")
    twin = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
        images, mask = torch.randn(1, 1, 64, 64), torch.ones(1, 64, 64, dtype=torch.bool)
        assert twin(images, mask).abs().max() == 0
        assert network(images, mask).abs().max() > 0


def last_features(network, images, masks):
    seen = []
    network.last_convolution.register_forward_hook(lambda _m, _i, output: seen.append(output))
    with torch.no_grad():
        network(images, masks)
    return seen[0]


@pytest.mark.parametrize("name", ["resnet34", "inceptionv3"])
def test_the_last_features_are_those_before_the_global_pool(plain_networks, name):
    side = SIDES[name]
    images, ones = torch.randn(1, 1, side, side), torch.ones(1, side, side, dtype=torch.bool)
    plain = last_features(plain_networks[name], images, ones)
    torch.testing.assert_close(
        last_features(woven(plain_networks, name, "visible"), images, ones), plain
    )


def test_features_keep_a_low_precision():
    network = MaskAttention(resnet18(num_classes=2)).eval()
    kinds = []
    network.backbone.get_submodule("mask_product").register_forward_hook(
        lambda _m, _i, output: kinds.append(output.dtype)
    )
    with torch.autocast("cpu", torch.bfloat16):
        network(torch.randn(1, 3, 64, 64), torch.ones(1, 64, 64, dtype=torch.bool))
    assert set(kinds) == {torch.bfloat16}


def test_networks_without_batch_norm_are_multiplied_after_the_convolution():
    network = MaskAttention(vgg11(num_classes=2))
    assert list(network.products)[:2] == ["features.0", "features.3"]


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (torch.ones(1, 32, 32, dtype=torch.bool), "do not fit"),
        (torch.ones(1, 3, 64, 64), "do not fit"),
        (torch.full((1, 64, 64), 255, dtype=torch.uint8), "boolean"),
        (torch.full((1, 64, 64), 1.5), "from 0 to 1"),
    ],
)
def test_wrong_masks_are_refused(mask, message):
    network = MaskAttention(resnet18(num_classes=2)).eval()
    with pytest.raises(ValueError, match=message):
        network(torch.randn(1, 3, 64, 64), mask)


def test_what_has_no_rule_is_refused():
    with pytest.raises(TypeError, match="Upsample"):
        MaskAttention(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Upsample(scale_factor=2)))
    with pytest.raises(ValueError, match="dilation"):
        MaskAttention(nn.Sequential(nn.Conv2d(1, 2, 3, dilation=2)))
    with pytest.raises(ValueError, match="borders"):
        MaskAttention(resnet18(), borders="mirror")
    with pytest.raises(ValueError, match="more than half"):
        Step((3, 3), padding=(2, 2))
