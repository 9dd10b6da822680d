import math

import pytest
import torch

from covidlib.training.soft_distance import (
    in_space,
    l2_distance,
    one_hot,
    soft_distance,
    soft_labels,
)


def logits_of(*rows):
    return torch.tensor(rows).log()


LABELS = torch.tensor([1])


@pytest.mark.parametrize("classes", [2, 4])
def test_a_prediction_at_the_threshold_is_not_confident(classes):
    """Algorithm 1 says P^c > θ: equal logits give exactly 1/K, and that is not above 1/K."""
    primary = torch.zeros(1, classes)
    truth = one_hot(LABELS, primary)
    assert torch.equal(soft_labels(primary, LABELS, 1 / classes), truth)
    below = math.nextafter(1 / classes, 0) - 1e-7  # the next float32 below it
    assert torch.equal(soft_labels(primary, LABELS, below), primary.softmax(1))


@pytest.mark.parametrize("shift", [-1e-3, 1e-3])
def test_the_papers_threshold_parts_0_699_from_0_701(shift):
    primary = logits_of([0.7 + shift, 0.3 - shift])
    expected = primary.softmax(1) if shift > 0 else one_hot(LABELS, primary)
    assert torch.equal(soft_labels(primary, LABELS, 0.7), expected)


def test_threshold_1_trusts_nothing_and_0_everything():
    primary = torch.tensor([[50.0, -50.0], [0.1, 0.0]])
    labels = torch.tensor([1, 1])
    assert torch.equal(soft_labels(primary, labels, 1.0), one_hot(labels, primary))
    assert torch.equal(soft_labels(primary, labels, 0.0), primary.softmax(1))


def test_a_confident_wrong_prediction_is_a_target_unless_it_must_agree():
    primary = logits_of([0.9, 0.1])
    torch.testing.assert_close(soft_labels(primary, LABELS, 0.7), torch.tensor([[0.9, 0.1]]))
    strict = soft_labels(primary, LABELS, 0.7, agreeing=True, smoothing=0.01)
    torch.testing.assert_close(strict, torch.tensor([[0.005, 0.995]]))
    right = soft_labels(primary, torch.tensor([0]), 0.7, agreeing=True)
    torch.testing.assert_close(right, torch.tensor([[0.9, 0.1]]))


def test_smoothed_labels_are_distributions():
    labels = torch.tensor([0, 2, 1])
    smooth = one_hot(labels, torch.zeros(3, 3), 0.3)
    torch.testing.assert_close(smooth.sum(1), torch.ones(3))
    assert smooth.argmax(1).tolist() == labels.tolist() and smooth.amin() == pytest.approx(0.1)


def test_distances_by_hand():
    target = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    views = torch.tensor([[[0.6, 0.4], [0.5, 0.5]], [[0.0, 1.0], [1.0, 0.0]]])
    torch.testing.assert_close(soft_distance(target, views), torch.tensor([0.2, 0.75]))
    torch.testing.assert_close(l2_distance(target, views), torch.tensor([0.08, 0.625]))


def test_two_distributions_are_at_most_2_over_k_apart():
    torch.manual_seed(0)
    for classes in (2, 3, 5):
        target = torch.randn(50, classes).mul(5).softmax(1)
        views = torch.randn(3, 50, classes).mul(5).softmax(2)
        assert (soft_distance(target, views) <= 2 / classes).all()
    assert soft_distance(torch.eye(2)[:1], torch.eye(2)[None, 1:]) == 1.0


def test_a_view_that_predicts_the_same_costs_nothing():
    primary = logits_of([0.8, 0.2])
    target = soft_labels(primary, LABELS, 0.7)
    assert soft_distance(target, primary.softmax(1)[None]).item() == 0


def test_the_primary_prediction_gets_no_gradient_from_the_distance():
    primary = logits_of([0.8, 0.2]).requires_grad_()
    view = torch.zeros(1, 1, 2, requires_grad=True)
    target = soft_labels(primary, LABELS, 0.7)
    soft_distance(target, view.softmax(2)).sum().backward()
    assert primary.grad is None
    # d|p - t| / d logits at p = (1/2, 1/2): half of p(1 - p) for each of the two classes, twice.
    torch.testing.assert_close(view.grad, torch.tensor([[[-0.25, 0.25]]]))


def test_the_gradient_keeps_its_size_where_that_of_l2_fades():
    """Near the target the absolute difference pulls as hard as before, the square does not."""
    near = torch.tensor([[[math.log(0.69), math.log(0.31)]]], requires_grad=True)
    target = torch.tensor([[0.7, 0.3]])
    pulls = [
        torch.autograd.grad(distance(target, near.softmax(2)).sum(), near)[0].abs().max()
        for distance in (soft_distance, l2_distance)
    ]
    assert float(pulls[0]) == pytest.approx(0.69 * 0.31, rel=1e-3)
    assert float(pulls[1]) == pytest.approx(2 * 0.01 * 0.69 * 0.31, rel=1e-2)


def test_logits_stay_what_they_are():
    primary = torch.tensor([[3.0, -1.0], [0.0, 0.1]])
    labels = torch.tensor([0, 1])
    assert in_space(primary, "logits") is primary
    target = soft_labels(primary, labels, 0.7, space="logits")
    assert target.tolist() == [[3.0, -1.0], [0.0, 1.0]]
