import pytest
import torch
import torch.nn.functional as F

from covidlib.training.stability import largest_rate, sharpness


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("bias", [True, False])
def test_it_is_the_largest_eigenvalue_of_the_second_derivative(classes, bias):
    torch.manual_seed(0)
    features, labels = torch.rand(6, 5).double(), torch.arange(6) % classes
    seen = torch.cat([features, torch.ones(6, 1)], 1) if bias else features
    width = seen.shape[1]

    def loss(weights):
        return F.cross_entropy(seen @ weights.view(classes, width).T, labels)

    start = torch.zeros(classes * width, dtype=torch.double)
    curvature = torch.autograd.functional.hessian(loss, start)
    expected = torch.linalg.eigvalsh(curvature)[-1]
    assert sharpness(features, classes, bias) == pytest.approx(float(expected))


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("share, stays", [(0.99, True), (1.01, False)])
def test_a_rate_beyond_it_swings_wider_and_wider(momentum, share, stays):
    weight = torch.nn.Parameter(torch.tensor([1.0], dtype=torch.double))
    rate = share * largest_rate(3.0, momentum)
    optimizer = torch.optim.SGD([weight], lr=rate, momentum=momentum)
    for _ in range(2000):
        optimizer.zero_grad()
        (1.5 * weight.square()).sum().backward()  # curvature 3
        optimizer.step()
    assert (abs(weight.item()) < 1) is stays


def test_thirty_two_copies_of_the_features_are_thirty_two_times_as_sharp():
    features = torch.rand(8, 20)
    one, many = (sharpness(x, 2, bias=False) for x in (features, features.repeat(1, 32)))
    assert many == pytest.approx(32 * one)
