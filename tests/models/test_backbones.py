import pytest
import torch
from torch import nn
from torchvision import models

from covidlib.models.backbones import Backbone, plan


def gap(x):
    return x.mean((2, 3))


# What torchvision does after the layers that a backbone keeps.
HEADS = {
    "resnet18": lambda net, x: net.fc(gap(x)),
    "vgg11_bn": lambda net, x: net.classifier(net.avgpool(x).flatten(1)),
    "densenet121": lambda net, x: net.classifier(gap(x.relu())),
    "efficientnet_b0": lambda net, x: net.classifier(gap(x)),
    "shufflenet_v2_x0_5": lambda net, x: net.fc(gap(x)),
}


@pytest.mark.parametrize("name", HEADS)
def test_the_deepest_map_is_what_torchvision_pools(name):
    torch.manual_seed(0)
    network = models.get_model(name, weights=None, num_classes=5).eval()
    torch.manual_seed(0)
    backbone = Backbone(name).eval()
    backbone.network.load_state_dict(network.state_dict(), strict=False)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        found = HEADS[name](network, backbone(images)[-1])
        torch.testing.assert_close(found, network(images))


def test_resnet50_has_the_scales_of_the_paper():
    """512·28·28, 1024·14·14 and 2048·7·7 (magsd sec. 3.2.2), from layers 2 to 4 (sec. 4.1)."""
    found = plan("resnet50")
    assert found.widths[-3:] == (512, 1024, 2048) and found.sides[-3:] == (28, 14, 7)
    assert [tap.split(".")[0] for tap in found.taps[-3:]] == ["layer2", "layer3", "layer4"]


@pytest.mark.parametrize("name", ["vgg16", "inception_v3", "mobilenet_v3_small"])
def test_the_plan_tells_shapes_and_order(name):
    with torch.device("meta"):
        backbone = Backbone(name)
        maps = backbone.eval()(torch.empty(1, 3, 224, 224))
    found = plan(name)
    assert tuple(x.shape[1] for x in maps) == found.widths[-3:] == backbone.widths
    assert tuple(x.shape[2] for x in maps) == found.sides[-3:]


def test_a_plan_costs_no_random_number():
    plan.cache_clear()
    torch.manual_seed(0)
    plan("resnet18")
    first = torch.rand(1)
    torch.manual_seed(0)
    assert first == torch.rand(1)


def test_names_of_parameters_are_torchvisions_and_the_classifier_is_gone():
    ours = set(Backbone("resnet18").network.state_dict())
    theirs = set(models.resnet18().state_dict())
    assert theirs - ours == {"fc.weight", "fc.bias"} and ours < theirs


def test_one_channel_ignores_the_others():
    backbone = Backbone("resnet18", scales=1, channels=1).eval()
    grey = torch.randn(1, 1, 64, 64)
    coloured = torch.cat([grey, torch.randn(1, 2, 64, 64)], 1)
    (first,), (second,) = backbone(grey), backbone(coloured)
    assert torch.equal(first, second)
    assert isinstance(backbone.last, nn.Module) and first.shape[1] == 512


@pytest.mark.parametrize(
    "name",
    [
        "resnet18",
        "vgg16",
        "densenet121",
        "mobilenet_v2",
        "efficientnet_b0",
        "convnext_tiny",
        "regnet_y_400mf",
    ],
)
def test_maps_of_convolutional_networks_end_at_7_by_7_of_224_pixels(name):
    sides = plan(name).sides
    assert sides[-3:] == (28, 14, 7) and sides == tuple(sorted(set(sides), reverse=True))


@pytest.mark.parametrize("name", ["swin_t", "vit_b_16", "maxvit_t"])
def test_networks_that_are_no_row_of_square_maps_are_refused(name):
    """Swin's maps have their channels last: 56 by 56 by 96 would pass for 96 of 56 channels."""
    with pytest.raises(ValueError, match=f"^{name}: .* choose a ResNet, VGG"):
        Backbone(name)


def test_what_is_not_there_is_refused():
    with pytest.raises(ValueError, match="no classifier 'resnet49'"):
        Backbone("resnet49")
    with pytest.raises(ValueError, match="4 scales"):
        Backbone("alexnet", scales=9)
