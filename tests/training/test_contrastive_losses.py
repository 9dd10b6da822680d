import math

import pytest
import torch
import torch.nn.functional as F

from covidlib.training.contrastive_losses import (
    effective_rank,
    info_nce,
    neighbours_vote,
    nt_xent,
    region_aware,
    spread,
)


def units(count, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(count, width, generator=generator, dtype=torch.float64), dim=1)


# Equation 2


@pytest.mark.parametrize("tempered", ["all", "positive"])
def test_the_contrastive_loss_is_equation_2_term_by_term(tempered):
    queries, keys, negatives, tau = units(4, 6), units(4, 6, 1), units(9, 6, 2), 0.07
    total = 0.0
    for query, key in zip(queries, keys, strict=True):
        own = math.exp(float(query @ key) / tau)
        divisor = tau if tempered == "all" else 1.0
        others = sum(math.exp(float(query @ other) / divisor) for other in negatives)
        total += -math.log(own / (own + others))
    found = info_nce(queries, keys, negatives, tau, tempered)
    assert found.item() == pytest.approx(total / 4, rel=1e-5)


def test_the_contrastive_loss_has_its_closed_forms():
    same = units(1, 8).expand(5, 8)
    found = info_nce(same, same, same[:1].expand(12, 8), 0.07)
    assert found.item() == pytest.approx(math.log(13), rel=1e-5)  # a collapse: ln(n + 1)
    axes = torch.eye(10)
    apart = info_nce(axes[:5], axes[:5], axes[5:], 0.1)
    assert apart.item() == pytest.approx(math.log(1 + 5 * math.exp(-10)), rel=1e-4)
    printed = info_nce(axes[:5], axes[:5], axes[5:], 0.1, "positive")
    assert printed.item() == pytest.approx(math.log(1 + 5 * math.exp(-10)), rel=1e-4)


def test_without_the_temperature_on_negatives_a_perfect_match_ends_learning():
    """As printed, negatives have a weight of e at most against exp(1/tau) of the positive."""
    axes, opposite = torch.eye(4), -torch.eye(4)
    close = info_nce(axes, axes, axes.roll(1, 0) * 0.99, 0.07, "positive")
    far = info_nce(axes, axes, opposite, 0.07, "positive")
    assert abs(close.item() - far.item()) < 1e-4


def test_ignored_negatives_have_no_part():
    queries, keys, negatives = units(3, 5), units(3, 5, 1), units(6, 5, 2)
    ignore = torch.zeros(3, 6, dtype=torch.bool)
    ignore[:, 4:] = True
    found = info_nce(queries, keys, negatives, 0.2, ignore=ignore)
    torch.testing.assert_close(found, info_nce(queries, keys, negatives[:4], 0.2))
    alone = info_nce(queries, keys, negatives, 0.2, ignore=torch.ones_like(ignore))
    assert alone.item() == pytest.approx(0, abs=1e-6)


def test_the_contrastive_gradient_pulls_to_the_key_and_pushes_from_the_negatives():
    query = units(1, 6).float().requires_grad_()
    key, negatives = units(1, 6, 1).float(), units(7, 6, 2).float()
    info_nce(query, key, negatives, 0.5).backward()
    logits = torch.cat([query @ key.T, query @ negatives.T], 1).detach() / 0.5
    share = logits.softmax(1)[0]
    expected = (share[0] - 1) * key[0] / 0.5 + (share[1:, None] * negatives).sum(0) / 0.5
    torch.testing.assert_close(query.grad[0], expected, rtol=1e-4, atol=1e-5)


def test_losses_stay_in_float32_under_autocast():
    queries, keys, negatives = units(8, 16), units(8, 16, 1), units(32, 16, 2)
    exact = info_nce(queries, keys, negatives, 0.07), nt_xent(queries, keys, 0.07)
    with torch.autocast("cpu", torch.bfloat16):
        found = info_nce(queries, keys, negatives, 0.07), nt_xent(queries, keys, 0.07)
    assert [loss.item() for loss in found] == pytest.approx(
        [loss.item() for loss in exact], rel=1e-5
    )


# NT-Xent


def test_nt_xent_is_simclrs_double_loop():
    first, second, tau = units(5, 7), units(5, 7, 1), 0.3
    both, total = torch.cat([first, second]), 0.0
    for i in range(10):
        j = (i + 5) % 10
        own = math.exp(float(both[i] @ both[j]) / tau)
        others = sum(math.exp(float(both[i] @ both[k]) / tau) for k in range(10) if k != i)
        total += -math.log(own / others)
    assert nt_xent(first, second, tau).item() == pytest.approx(total / 10, rel=1e-5)


@pytest.mark.parametrize("count", [1, 4])
def test_nt_xent_has_its_closed_forms(count):
    axes = torch.eye(count)
    apart = nt_xent(axes, axes, 0.5).item()
    expected = math.log(1 + 2 * (count - 1) * math.exp(-2))
    assert apart == pytest.approx(expected, rel=1e-5, abs=1e-7)
    same = torch.ones(count, 1)
    assert nt_xent(same, same, 0.5).item() == pytest.approx(math.log(2 * count - 1), abs=1e-6)


def test_nt_xent_does_not_mind_which_view_comes_first():
    first, second = units(6, 4), units(6, 4, 1)
    torch.testing.assert_close(nt_xent(first, second, 0.1), nt_xent(second, first, 0.1))


# Equation 5


def test_the_region_loss_is_the_sum_of_five_cross_entropies():
    logits = torch.randn(3, 5, 5)
    found = region_aware(logits)
    for image in range(3):
        slow = sum(-math.log(logits[image, place].double().softmax(0)[place]) for place in range(5))
        assert found[image].item() == pytest.approx(slow, rel=1e-5)


def test_a_classifier_that_knows_nothing_has_a_region_loss_of_five_logarithms():
    assert region_aware(torch.zeros(2, 5, 5)).tolist() == pytest.approx([5 * math.log(5)] * 2)


# Seeing a collapse


def test_spread_is_0_for_one_point_and_1_for_a_sphere():
    assert spread(units(1, 9).expand(30, 9)).item() == pytest.approx(0, abs=1e-9)
    axes = torch.cat([torch.eye(8), -torch.eye(8)])
    assert spread(axes).item() == pytest.approx(1)
    assert spread(units(4000, 16)).item() == pytest.approx(1, abs=0.01)


def test_the_effective_rank_counts_directions():
    axes = torch.cat([torch.eye(8), -torch.eye(8)])
    assert effective_rank(axes).item() == pytest.approx(8)
    line = torch.linspace(-1, 1, 20)[:, None] * units(1, 8).float()
    assert effective_rank(line).item() == pytest.approx(1, abs=1e-4)
    assert effective_rank(units(1, 8).expand(20, 8)).item() == 0
    uneven = torch.diag(torch.tensor([2.0, 1.0, 1.0]))
    uneven = torch.cat([uneven, -uneven])
    entropy = 0.5 * math.log(2) + 0.5 * math.log(4)
    assert effective_rank(uneven).item() == pytest.approx(math.exp(entropy))


# The probe


def test_neighbours_vote_by_cosine():
    bank = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]])
    labels = torch.tensor([0, 0, 1, 1])
    queries = torch.tensor([[5.0, 1.0], [0.0, 0.2]])
    found = neighbours_vote(bank, labels, queries, 2, 3)
    assert found.tolist() == [[1, 0, 0], [0, 1, 0]]
    all_vote = neighbours_vote(bank, labels, queries, 99, 3)
    assert all_vote.tolist() == [[0.5, 0.5, 0]] * 2
    assert neighbours_vote(bank * 7, labels, queries, 3, 2).tolist() == [
        pytest.approx([2 / 3, 1 / 3]),
        pytest.approx([1 / 3, 2 / 3]),
    ]
