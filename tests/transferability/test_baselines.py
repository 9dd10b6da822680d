import numpy as np
import pytest
import torch
from synthetic_sources import features

from covidlib.errors import DataError
from covidlib.transferability import (
    linear_probe,
    neighbour_accuracy,
    parameter_count,
    probe_accuracy,
)


def test_neighbours_vote_without_the_image_itself():
    # Directions at 0, 10 and 20 degrees, and two at 90 and 95.
    angles = np.deg2rad([0, 10, 20, 90, 95])
    points = np.c_[np.cos(angles), np.sin(angles)]
    labels = np.array([0, 1, 0, 1, 1])
    # Nearest others: 1, 0 or 2, 1, 4, 3. The image at 10 degrees is between two of class 0.
    assert neighbour_accuracy(points, labels, neighbours=1) == pytest.approx(2 / 5)


def test_a_tie_goes_to_the_nearest():
    angles = np.deg2rad([0, 5, 20])
    points = np.c_[np.cos(angles), np.sin(angles)]
    labels = np.array([1, 1, 0])
    # With two votes, the first image hears 1 (near) and 0 (far): right. The second hears 1 and 0,
    # the nearer being 1: right. The third hears 1 twice: wrong.
    assert neighbour_accuracy(points, labels, neighbours=2) == pytest.approx(2 / 3)


def test_neighbours_agree_with_a_slow_vote():
    values, labels = features(0, images=40, classes=3)
    hits = 0
    for i in range(40):
        alike = [
            -2.0 if i == j else a @ b / np.linalg.norm(a) / np.linalg.norm(b)
            for j in range(40)
            for a, b in [(values[i], values[j])]
        ]
        near = np.argsort(alike)[::-1][:5]
        votes = [(labels[near] == c).sum() for c in range(3)]
        best = [c for c in range(3) if votes[c] == max(votes)]
        chosen = next(labels[j] for j in near if labels[j] in best)
        hits += chosen == labels[i]
    assert neighbour_accuracy(values, labels) == pytest.approx(hits / 40)


def test_images_of_one_patient_do_not_vote_for_each_other():
    rng = np.random.default_rng(1)
    values = np.repeat(rng.normal(size=(30, 6)), 2, axis=0)  # each image twice
    labels = np.repeat(np.r_[0, 1, rng.integers(0, 2, 28)], 2)
    patients = np.repeat(np.arange(30), 2)
    assert neighbour_accuracy(values, labels, neighbours=1) == 1
    assert neighbour_accuracy(values, labels, neighbours=1, groups=patients) < 0.9
    with pytest.raises(DataError, match="fewer than"):
        neighbour_accuracy(values, labels, groups=np.zeros(60))


def test_the_probe_predicts_images_it_has_not_seen():
    rng = np.random.default_rng(2)
    values = np.repeat(rng.normal(size=(40, 60)), 2, axis=0)
    labels = np.repeat(np.arange(40) % 2, 2)
    patients = np.repeat(np.arange(40), 2)
    seen = probe_accuracy(values, labels)
    unseen = probe_accuracy(values, labels, groups=patients)
    assert seen > 0.9  # twins on both sides of the fold
    assert unseen < 0.75
    chances = linear_probe(values, labels, groups=patients)
    np.testing.assert_allclose(chances.sum(axis=1), 1)


def test_the_probe_finds_a_plain_signal_and_repeats_itself():
    values, labels = features(3, images=100, signal=4)
    assert probe_accuracy(values, labels) > 0.95
    np.testing.assert_array_equal(linear_probe(values, labels), linear_probe(values, labels))
    with pytest.raises(DataError, match="fewer than"):
        linear_probe(values[:6], np.array([0, 1, 1, 1, 1, 1]))


def test_only_trained_numbers_count():
    network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    assert parameter_count(network) == 3 * 4 + 4 + 4 + 4
    network[0].weight.requires_grad_(False)
    assert parameter_count(network) == 4 + 4 + 4
