"""The rivals of magsd Table 3: what they cost, what they take, what makes each of them itself."""

import re

import pytest
import torch
from torch import nn
from torchvision import models

from covidlib.models.bilinear import BilinearSettings, bilinear_pooling, signed_root
from covidlib.models.covid_net import PEPX, COVIDNetSettings, Stage
from covidlib.models.heads import in_float32
from covidlib.models.plain_classifiers import LEAST, PlainSettings
from covidlib.models.pyramid import FPNSettings, UNetSettings
from covidlib.models.transfer_classifiers import TransferSettings
from covidlib.runs.running import transfer

PARAMETERS = {
    PlainSettings("vgg16"): 134_268_738,
    PlainSettings("resnet18"): 11_177_538,
    PlainSettings("resnet50"): 23_512_130,
    PlainSettings("inception_v3"): 21_789_666,
    PlainSettings("convnext_tiny"): 27_821_666,
    TransferSettings("resnet50"): 23_770_562,
    TransferSettings("inception_v3"): 22_048_098,
    COVIDNetSettings(): 33_902_194,
    BilinearSettings(): 15_238_978,
    BilinearSettings(attention=True): 14_780_354,
    FPNSettings(): 26_852_930,
    UNetSettings(): 31_037_698,
}
ALL = pytest.mark.parametrize("settings", PARAMETERS, ids=lambda s: s.slug)


def build(settings, classes=2):
    with torch.device("meta"):
        return settings.build(classes)


@ALL
def test_parameters_are_those_that_the_docstring_states(settings):
    network = build(settings)
    found = sum(p.numel() for p in network.parameters())
    assert found == PARAMETERS[settings]
    told = re.findall(r"\d+\.\d", type(settings).__doc__)
    assert f"{found / 1e6:.1f}" in told


@ALL
@pytest.mark.parametrize("size", [0, 64, 75, 96, 224])
def test_logits_for_every_size(settings, size):
    size = size or settings.least
    if size < settings.least:
        pytest.skip("smaller than it takes")
    network = build(settings, 3).eval()
    assert network(torch.empty(2, 3, size, size, device="meta")).shape == (2, 3)


@ALL
def test_the_classifier_alone_changes_with_the_classes(settings):
    two, four = build(settings, 2).state_dict(), build(settings, 4).state_dict()
    differing = {name for name in two if two[name].shape != four[name].shape}
    assert two.keys() == four.keys()
    assert differing
    assert all(name.startswith("classifier.") for name in differing)


def test_slugs_differ():
    assert len({settings.slug for settings in PARAMETERS}) == len(PARAMETERS)


@pytest.mark.parametrize(
    "make",
    [
        lambda: PlainSettings("vgg11"),
        lambda: TransferSettings("vgg16"),
        lambda: TransferSettings(hidden=0),
        lambda: COVIDNetSettings(widths=(8, 16), blocks=(1,)),
        lambda: COVIDNetSettings(widths=(6,), blocks=(1,)),
        lambda: BilinearSettings(maps=0),
        lambda: BilinearSettings(scales=4),
    ],
)
def test_strangers_are_refused(make):
    with pytest.raises(ValueError, match=r"is one of|at least|go together|out of range"):
        make()


def test_plain_network_is_torchvisions():
    torch.manual_seed(0)
    ours = PlainSettings("resnet18").build(3).eval()
    theirs = models.resnet18(num_classes=3).eval()
    state = {k.removeprefix("backbone."): v for k, v in ours.state_dict().items()}
    theirs.load_state_dict({k.replace("classifier.", "fc."): v for k, v in state.items()})
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(ours(images), theirs(images))


def test_transfer_keeps_the_backbone_and_renews_the_whole_head():
    torch.manual_seed(1)
    before = TransferSettings().build(5)
    after = TransferSettings().build(2)
    head = {k: v.clone() for k, v in after.classifier.state_dict().items()}
    copied = transfer(after, before.state_dict())
    assert all(name.startswith("backbone.") for name in copied)
    first = "backbone.network.conv1.weight"
    torch.testing.assert_close(after.state_dict()[first], before.state_dict()[first])
    for name, value in after.classifier.state_dict().items():
        torch.testing.assert_close(value, head[name])


def test_transfer_head_has_one_rectified_hidden_layer():
    head = build(TransferSettings()).classifier
    assert [type(layer) for layer in head] == [nn.Linear, nn.ReLU, nn.Linear]


def test_pepx_widths_are_half_three_quarters_half():
    module = PEPX(64, 96)
    convolutions = [m for m in module.modules() if isinstance(m, nn.Conv2d)]
    assert [(c.in_channels, c.out_channels) for c in convolutions] == [
        (64, 32), (32, 48), (48, 48), (48, 32), (32, 96),
    ]  # fmt: skip
    assert [c.groups for c in convolutions] == [1, 1, 48, 1, 1]
    assert [c.kernel_size[0] for c in convolutions] == [1, 1, 3, 1, 1]


def test_every_convolution_of_pepx_is_normalised_and_rectified():
    network = build(COVIDNetSettings())
    blocks = [m for m in network.modules() if isinstance(m, PEPX)]
    assert len(blocks) == sum(COVIDNetSettings().blocks)
    for block in [network.stem, *(part for pepx in blocks for part in pepx)]:
        assert [type(layer) for layer in block] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]


def test_stages_of_covid_net_halve_the_grid():
    network, sides = build(COVIDNetSettings()), []
    for stage in network.stages:
        stage.register_forward_hook(lambda *call: sides.append(call[-1].shape[-1]))
    network(torch.empty(1, 3, 224, 224, device="meta"))
    assert sides == [56, 28, 14, 7]


def test_stage_sums_everything_before():
    stage = Stage(4, 8, 3, halve=False).eval()
    x = torch.randn(2, 4, 5, 5)
    outputs = [stage.bypass(x), stage.modules_[0](x)]
    for module in stage.modules_[1:]:
        outputs.append(module(torch.stack(outputs).sum(0)))
    torch.testing.assert_close(stage(x), torch.stack(outputs).sum(0))


def test_bilinear_pooling_is_the_mean_outer_product():
    one, two = torch.randn(2, 3, 4, 5), torch.randn(2, 6, 4, 5)
    slow = torch.stack(
        [
            sum(torch.outer(one[n, :, i, j], two[n, :, i, j]) for i in range(4) for j in range(5))
            for n in range(2)
        ]
    )
    torch.testing.assert_close(bilinear_pooling(one, two), slow / 20)


@pytest.mark.parametrize("attention", [False, True])
def test_bilinear_networks_pool_the_features_before_the_last_pooling(attention):
    """Two positions by two of 32 pixels, as 14 by 14 of 224; signed roots reach the classifier."""
    torch.manual_seed(0)
    network = BilinearSettings(attention=attention).build(2).eval()
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        layers = network.backbone.network.features
        middle = layers[:23](images)  # after conv4_3 and its ReLU
        last = layers[23:30](middle)  # after conv5_3 and its ReLU
        assert last.shape == (2, 512, 2, 2)
        if attention:
            pooled = bilinear_pooling(network.attention([middle, last]), last)
        else:
            pooled = bilinear_pooling(last, last)
        expected = network.classifier(signed_root(pooled.flatten(1)))
        torch.testing.assert_close(network(images), expected)


def test_signed_root_has_length_one_and_finite_gradients_at_zero():
    features = torch.tensor([[0.0, 0.0], [4.0, -9.0]], requires_grad=True)
    rooted = signed_root(features)
    expected = torch.tensor([2.0, -3.0]) / 13**0.5
    torch.testing.assert_close(rooted[1], expected)
    rooted.sum().backward()
    assert features.grad.isfinite().all()


@pytest.mark.parametrize("features", [65_536, 262_144])
def test_many_features_are_classified_in_float32(features):
    classifier = nn.Linear(features, 2)
    pooled = torch.randn(24, features, dtype=torch.bfloat16)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        logits = in_float32(classifier, pooled)
    expected = pooled.float() @ classifier.weight.T + classifier.bias
    torch.testing.assert_close(logits, expected)


def test_pyramid_averages_the_levels_own_logits():
    torch.manual_seed(0)
    network = FPNSettings(width=16).build(3).eval()
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        maps = {str(k): x for k, x in enumerate(network.backbone(images))}
        levels = network.pyramid(maps).values()
        logits = [network.classifier(level.mean((2, 3))) for level in levels]
        assert [x.shape[-1] for x in levels] == [16, 8, 4, 2]
        torch.testing.assert_close(network(images), sum(logits) / 4)


def test_unet_reaches_every_pixel_of_an_odd_image():
    torch.manual_seed(0)
    network = UNetSettings(width=4, depth=2).build(2).eval()
    images = torch.randn(1, 3, 13, 11, requires_grad=True)
    network(images).sum().backward()
    assert (images.grad.abs().sum(1) > 0).all()


def test_every_level_of_the_decoder_sees_the_encoder():
    torch.manual_seed(0)
    network = UNetSettings(width=4, depth=2).build(2).eval()
    encoded, merged = [], []
    for block in network.down:
        block.register_forward_hook(lambda *call: encoded.append(call[-1]))
    for block in network.merge:
        block.register_forward_pre_hook(lambda _, given: merged.append(given[0]))
    network(torch.randn(2, 3, 16, 16))
    for skip, given in zip(encoded[-2::-1], merged, strict=True):
        assert skip.abs().max() > 0
        torch.testing.assert_close(given[:, : skip.shape[1]], skip)
        assert given.shape[1] == 2 * skip.shape[1]


def test_unet_classifies_the_mean_of_its_finest_features():
    torch.manual_seed(0)
    network = UNetSettings(width=4, depth=2).build(2).eval()
    seen = []
    network.last_convolution.register_forward_hook(lambda *call: seen.append(call[-1]))
    found = network(torch.randn(2, 3, 16, 16))
    assert seen[0].shape == (2, 4, 16, 16)
    torch.testing.assert_close(found, network.classifier(seen[0].mean((2, 3))))


@ALL
def test_there_is_a_layer_for_heatmaps(settings):
    assert isinstance(build(settings).last_convolution, nn.Module)


def test_least_sides_are_known():
    assert LEAST["inception_v3"] == 75
    with pytest.raises(RuntimeError):
        build(PlainSettings("inception_v3"))(torch.empty(2, 3, 70, 70, device="meta"))
