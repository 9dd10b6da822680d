import pytest
import torch
import torch.nn.functional as F

from covidlib.explain import attention_map, grad_cam, stretch
from covidlib.models.attention_resnet import AttentionResNetSettings
from covidlib.models.cxr_classifiers import CxrClassifierSettings


@pytest.fixture(scope="module")
def images():
    return torch.randn(3, 3, 96, 96, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = AttentionResNetSettings(18, "attn5").build(4)
    for layer in network.modules():  # attention that starts at zero would leave nothing to see
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.normal_(layer.weight, std=0.05)
    return network


def by_hand(network, images, target, call=None):
    """Grad-CAM from its definition, with autograd alone."""
    kept = []
    hook = network.last_convolution.register_forward_hook(lambda *given: kept.append(given[2]))
    network.eval()
    logits = (call or network)(images)
    hook.remove()
    (gradient,) = torch.autograd.grad(logits[:, target].sum(), kept[0])
    weights = gradient.mean((2, 3), keepdim=True)
    return F.relu((weights * kept[0]).sum(1)).detach()


@pytest.mark.parametrize("target", [0, 3])
def test_grad_cam_is_what_its_definition_says(network, images, target):
    expected = by_hand(network, images, target)
    assert expected.max() > 0
    for batch in (1, 2, 32):
        found = grad_cam(network, images, torch.full((3,), target), batch=batch)
        torch.testing.assert_close(found, expected, atol=1e-5 * float(expected.max()), rtol=1e-3)


def test_grad_cam_explains_the_predicted_class_unless_told(network, images):
    with torch.no_grad():
        predicted = network.eval()(images).argmax(1)
    torch.testing.assert_close(grad_cam(network, images), grad_cam(network, images, predicted))


def test_grad_cam_and_attention_map_leave_the_network_alone(network, images):
    network.train()
    network.backbone.bn1.eval()  # a layer may be frozen on its own
    network.backbone.layer1.requires_grad_(False)
    network.classifier.weight.grad = torch.ones_like(network.classifier.weight)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    modes = [layer.training for layer in network.modules()]
    learns = [value.requires_grad for value in network.parameters()]
    given = images.clone()
    grad_cam(network, given)
    attention_map(network, given)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert [layer.training for layer in network.modules()] == modes
    assert [value.requires_grad for value in network.parameters()] == learns
    assert torch.equal(network.classifier.weight.grad, torch.ones_like(network.classifier.weight))
    assert all(
        value.grad is None
        for value in network.parameters()
        if value is not network.classifier.weight
    )
    assert torch.equal(given, images)
    assert not given.requires_grad
    assert not network.last_convolution._forward_hooks
    network.requires_grad_(True).classifier.weight.grad = None


@pytest.mark.parametrize("backbone", ["resnet34", "vgg16", "inceptionv3"])
def test_grad_cam_of_networks_with_lung_masks(backbone):
    torch.manual_seed(1)
    network = CxrClassifierSettings(backbone, "mask").build(3)
    network.needs_lungs = True
    images = torch.randn(2, 1, 96, 96)
    lungs = torch.zeros(2, 96, 96, dtype=torch.bool)
    lungs[:, :, 48:] = True
    found = grad_cam(network, images, torch.tensor([1, 1]), lungs, batch=1)
    expected = by_hand(network, images, 1, lambda given: network(given, lungs))
    torch.testing.assert_close(found, expected, atol=1e-5 * float(expected.max()), rtol=1e-3)
    with pytest.raises(ValueError, match="needs lung masks"):
        grad_cam(network, images)


def test_a_network_that_ignores_masks_is_called_without_them(images):
    torch.manual_seed(2)
    network = CxrClassifierSettings("resnet34", channels=3).build(3)
    lungs = torch.zeros(3, 96, 96, dtype=torch.bool)
    torch.testing.assert_close(grad_cam(network, images), grad_cam(network, images, lungs=lungs))


def test_a_network_without_a_last_convolution_is_refused(images):
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 1), torch.nn.Flatten())
    with pytest.raises(TypeError, match="name a layer"):
        grad_cam(network, images)
    assert grad_cam(network, images, layer=network[0]).shape == (3, 96, 96)


def test_maps_that_are_not_finite_are_refused(network, images):
    broken = images.clone()
    broken[1, 0, 5, 5] = torch.nan
    with pytest.raises(ValueError, match="not finite"):
        grad_cam(network, broken)
    with pytest.raises(ValueError, match="not finite"):
        attention_map(network, broken)


def test_the_attention_map_is_the_mean_over_queries(network, images):
    found = attention_map(network, images, batch=2)
    with torch.no_grad():
        maps = network.eval().attention_maps(images)["res5.0"]
    slow = torch.zeros(3, 3, 3)
    for row in range(3):
        for column in range(3):
            slow += maps[:, row, column] / 9
    torch.testing.assert_close(found, slow)
    torch.testing.assert_close(found.sum((1, 2)), torch.ones(3))
    with pytest.raises(ValueError, match="no attention layer"):
        attention_map(AttentionResNetSettings(18, "attn1").build(2), images)


def test_stretching_keeps_an_even_map_even():
    torch.testing.assert_close(
        stretch(torch.full((2, 2, 3), 0.4), (8, 9)), torch.full((2, 8, 9), 0.4)
    )
