import pytest
import torch
import torch.nn.functional as F
from small_runs import tiny
from torch import nn

from covidlib.runs.running import run
from covidlib.runs.store import Store
from covidlib.training import convolutions
from covidlib.training.convolutions import as_product, fast_convolutions
from covidlib.training.fit import Resources

CPU = torch.device("cpu")
KERNELS = [  # kernel, stride, padding, side of the map
    ((1, 1), 1, 0, 5),
    ((1, 1), 2, 0, 5),
    ((3, 3), 1, 1, 3),
    ((3, 3), 2, 1, 7),
    ((1, 3), (1, 2), (0, 1), 4),
    ((3, 2), (2, 1), (1, 0), 4),
    ((2, 2), 2, 0, 5),
]


@pytest.mark.parametrize(("kernel", "stride", "padding", "side"), KERNELS)
@pytest.mark.parametrize("biased", [True, False])
def test_the_product_is_the_convolution_with_its_gradients(kernel, stride, padding, side, biased):
    generator = torch.Generator().manual_seed(0)

    def drawn(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)

    images, weight = drawn(2, 3, side, side), drawn(4, 3, *kernel)
    inputs = (images, weight, drawn(4)) if biased else (images, weight)
    options = {"stride": stride, "padding": padding}
    product, expected = as_product(*inputs, **options), F.conv2d(*inputs, **options)
    torch.testing.assert_close(product, expected)
    weights = torch.randn(expected.shape, generator=generator, dtype=torch.float64)
    found = torch.autograd.grad((product * weights).sum(), inputs)
    torch.testing.assert_close(found, torch.autograd.grad((expected * weights).sum(), inputs))


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((4, 3, 3, 3), {"padding": 1}),  # 25 positions
        ((3, 1, 3, 3), {"groups": 3}),
        ((4, 3, 2, 2), {"dilation": 2}),
        ((4, 3, 3, 3), {"padding": "same"}),
    ],
)
def test_other_convolutions_stay_with_pytorch(shape, options):
    assert as_product(torch.randn(1, 3, 5, 5), torch.randn(shape), **options) is None


def test_large_maps_stay_with_pytorch():
    weight = torch.randn(4, 3, 1, 1)
    assert as_product(torch.randn(1, 3, 24, 24), weight) is not None
    assert as_product(torch.randn(1, 3, 24, 25), weight) is None


@pytest.mark.parametrize("kernel", [3, (3, 5), 5])
def test_a_kernel_larger_than_the_map_fails_as_in_pytorch(kernel):
    images, layer = torch.randn(1, 3, 2, 2), nn.Conv2d(3, 4, kernel)
    with pytest.raises(RuntimeError, match="Kernel size can't be greater"), fast_convolutions(CPU):
        layer(images)


def watched(monkeypatch):
    """Return a list that gets the shape of each weight that ``as_product`` is asked about."""
    shapes = []

    def asked(*args):
        shapes.append(args[1].shape)
        return as_product(*args)

    monkeypatch.setattr(convolutions, "as_product", asked)
    return shapes


def test_a_run_trains_with_products_and_predicts_without(root, tmp_path, monkeypatch):
    shapes = watched(monkeypatch)
    run(tiny(epochs=1), Store(tmp_path), root, resources=Resources("cpu", threads=1))
    assert shapes == 3 * [(4, 3, 3, 3)]  # 22 images in batches of 8, one convolution


def test_a_network_trains_to_the_same_gradients_inside_the_context(monkeypatch):
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 1)]
    network = nn.Sequential(*layers).to(memory_format=torch.channels_last)
    images = torch.randn(5, 3, 8, 8)
    calls = watched(monkeypatch)

    def gradients():
        return torch.autograd.grad(network(images).square().sum(), list(network.parameters()))

    plain = gradients()
    assert not calls
    with fast_convolutions(CPU):
        fast = gradients()
    assert calls == [(8, 3, 3, 3), (4, 8, 1, 1)]
    torch.testing.assert_close(fast, plain, atol=1e-3, rtol=1e-4)


def test_a_gpu_keeps_its_own_convolutions():
    with fast_convolutions(torch.device("cuda")) as context:
        assert context is None
