import numpy as np
import pytest
from scipy.special import softmax
from synthetic_sources import source

from covidlib.errors import DataError
from covidlib.transferability import (
    bootstrap,
    information_gain,
    label_entropy,
    leep,
    nce,
    permuted,
)
from covidlib.transferability.inputs import one_hot


def mean_score(inputs, labels):
    return float(inputs.mean())


def test_the_interval_of_a_mean_is_that_of_theory():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(400, 1))
    found = bootstrap(mean_score, values, np.arange(400) % 2, resamples=4000)
    half = 1.96 * values.std() / 20
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.value == pytest.approx(half, rel=0.1)
    assert found.value - found.low == pytest.approx(half, rel=0.1)
    assert (found.runs, found.images) == (1, 400)


def test_labels_keep_their_shares_and_patients_stay_together():
    patients = np.repeat(np.arange(20), 3)
    labels = np.repeat(np.arange(20) % 2, 3)
    seen = []

    def spy(inputs, drawn):
        seen.append((inputs[:, 0], drawn))
        return 0.0

    bootstrap(spy, patients[:, None], labels, groups=patients, resamples=30)
    for who, drawn in seen:
        assert label_entropy(drawn) == pytest.approx(label_entropy(labels))
        assert set(np.bincount(who) % 3) == {0}


def test_the_same_seed_gives_the_same_interval():
    theta, labels = source(0)
    first, again, other = (bootstrap(leep, theta, labels, resamples=50, seed=s) for s in (1, 1, 2))
    assert first == again
    assert (first.low, first.high) != (other.low, other.high)


def population(rng, images):
    """Two classes seen through a soft head with three outputs; LEEP of this law is estimable."""
    labels = rng.integers(0, 2, images)
    centres = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    return softmax(centres[labels] + rng.normal(size=(images, 3)), axis=1), labels


def test_the_interval_covers_the_score_of_the_population():
    rng = np.random.default_rng(0)
    truth = leep(*population(rng, 400_000))
    hits = 0
    for repeat in range(120):
        found = bootstrap(leep, *population(rng, 150), resamples=120, seed=repeat)
        hits += found.low <= truth <= found.high
    assert 0.87 <= hits / 120 <= 0.99


def test_shuffled_labels_show_the_reward_for_many_source_classes():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 500)
    prior = -label_entropy(labels)
    gains = []
    for heads in (3, 50):
        hard = one_hot(np.r_[np.arange(heads), rng.integers(0, heads, 500 - heads)])
        gains.append(permuted(leep, hard, labels, permutations=100).mean() - prior)
    # Miller and Madow: about (Z - 1)(K - 1) / 2N nats although nothing is known.
    assert gains == pytest.approx([2 / 1000, 49 / 1000], rel=0.2)


def test_patients_with_like_images_gain_more_from_nothing():
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 8, 100)
    patients = np.repeat(rng.permutation(100), sizes)  # rows of one patient need not be sorted
    mixed = rng.permutation(len(patients))
    kinds = rng.integers(0, 10, 100)
    labels = (np.arange(100) % 2)[patients]
    theta = one_hot(kinds[patients], 10)
    # Sources that answer each patient at random.
    of_nothing = [
        information_gain(one_hot(rng.permutation(kinds)[patients], 10), labels) for _ in range(200)
    ]
    by_patient = permuted(information_gain, theta[mixed], labels[mixed], groups=patients[mixed])
    by_image = permuted(information_gain, theta, labels)
    assert by_patient.mean() == pytest.approx(np.mean(of_nothing), rel=0.1)
    assert by_image.mean() < 0.5 * by_patient.mean()


def test_shuffling_keeps_inputs_and_label_counts():
    theta, labels = source(2)
    counts = permuted(lambda x, y: float(np.bincount(y)[0]), theta, labels, permutations=5)
    np.testing.assert_array_equal(counts, np.bincount(labels)[0])
    same = permuted(lambda x, y: nce(x.argmax(axis=1), y), theta, labels, permutations=3, seed=4)
    again = permuted(lambda x, y: nce(x.argmax(axis=1), y), theta, labels, permutations=3, seed=4)
    np.testing.assert_array_equal(same, again)
    with pytest.raises(DataError, match="permutation"):
        permuted(leep, theta, labels, permutations=0)
