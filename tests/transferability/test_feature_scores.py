"""Scores of features, each against a slow formula, its bounds and its invariances."""

import math

import numpy as np
import pytest
from scipy import integrate, linalg, optimize, stats
from sklearn.covariance import ledoit_wolf
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LinearRegression
from sklearn.mixture import GaussianMixture
from synthetic_sources import features

from covidlib.errors import DataError
from covidlib.transferability import (
    FROM_FEATURES,
    gbc,
    h_score,
    label_entropy,
    leep,
    logme,
    n_leep,
    regularised_h_score,
    sfda,
    transrate,
)
from covidlib.transferability.gbc import bhattacharyya
from covidlib.transferability.inputs import principal, thin_svd
from covidlib.transferability.logme import maximise
from covidlib.transferability.nleep import mixture_posteriors
from covidlib.transferability.sfda import confidence_mix, discriminant
from covidlib.transferability.transrate import coding_rate

SHAPES = [(60, 8, 2), (60, 8, 4), (30, 50, 3), (25, 24, 2)]
rotations = stats.ortho_group(8, seed=0)


def class_means(values, labels):
    return np.array([values[labels == c].mean(axis=0) for c in labels])


# All of them


@pytest.mark.parametrize("name", FROM_FEATURES)
def test_rotation_and_order_do_not_matter(name):
    values, labels = features(0, images=70)
    score = FROM_FEATURES[name](values, labels)
    turned = values @ rotations.rvs()
    # A probe standardises each feature, so a rotation moves it a little.
    slack = 0.06 if name == "linear probe" else 1e-6
    assert FROM_FEATURES[name](turned, labels) == pytest.approx(score, abs=slack)
    if name not in ("N-LEEP", "linear probe"):  # both start from a seeded order of images
        rows = np.random.default_rng(0).permutation(len(labels))
        assert FROM_FEATURES[name](values[rows], labels[rows]) == pytest.approx(score, abs=1e-7)


@pytest.mark.parametrize("name", sorted(set(FROM_FEATURES) - {"TransRate"}))
def test_more_signal_never_scores_less(name):
    weak, labels = features(1, images=80, signal=0.0)
    strong = weak + 6 * np.outer(labels, np.ones(8))
    assert FROM_FEATURES[name](strong, labels) > FROM_FEATURES[name](weak, labels)


@pytest.mark.parametrize("name", FROM_FEATURES)
def test_one_class_or_a_missing_number_is_refused(name):
    values, labels = features(2)
    with pytest.raises(DataError, match="one label"):
        FROM_FEATURES[name](values, np.zeros(len(labels), dtype=int))
    values[3, 3] = np.nan
    with pytest.raises(DataError, match="finite"):
        FROM_FEATURES[name](values, labels)


@pytest.mark.parametrize("name", FROM_FEATURES)
def test_more_features_than_images_give_a_finite_score(name):
    values, labels = features(3, images=30, dimensions=90)
    assert np.isfinite(FROM_FEATURES[name](values, labels))


@pytest.mark.parametrize("name", FROM_FEATURES)
def test_the_callers_arrays_are_left_alone(name):
    values, labels = features(4)
    before = values.copy(), labels.copy()
    FROM_FEATURES[name](values, labels)
    np.testing.assert_array_equal(values, before[0])
    np.testing.assert_array_equal(labels, before[1])


# H-score


@pytest.mark.parametrize(("n", "d", "k"), SHAPES)
def test_h_score_is_the_trace(n, d, k):
    values, labels = features(5, n, d, k)
    spread = np.cov(values.T, bias=True)
    between = np.cov(class_means(values, labels).T, bias=True)
    expected = np.trace(np.linalg.pinv(spread, rcond=1e-10) @ between)
    assert h_score(values, labels) == pytest.approx(expected, rel=1e-6)


def test_h_score_of_two_classes_is_the_r2_of_a_regression():
    values, labels = features(6)
    regression = LinearRegression().fit(values, labels)
    assert h_score(values, labels) == pytest.approx(regression.score(values, labels), abs=1e-10)


def test_h_score_is_the_sum_of_squared_canonical_correlations():
    values, labels = features(7, classes=4)
    wanted = np.eye(4)[labels][:, :3]
    qx, _ = np.linalg.qr(values - values.mean(axis=0))
    qy, _ = np.linalg.qr(wanted - wanted.mean(axis=0))
    correlations = np.linalg.svd(qx.T @ qy, compute_uv=False)
    assert h_score(values, labels) == pytest.approx((correlations**2).sum(), abs=1e-10)


def test_h_score_does_not_change_under_any_invertible_map():
    values, labels = features(8)
    rng = np.random.default_rng(0)
    mapped = values @ rng.normal(size=(8, 8)) + rng.normal(size=8)
    assert h_score(mapped, labels) == pytest.approx(h_score(values, labels), abs=1e-9)


@pytest.mark.parametrize("k", [2, 3])
def test_h_score_says_nothing_with_more_features_than_images(k):
    rng = np.random.default_rng(9)
    labels = np.r_[np.arange(k), rng.integers(0, k, 40 - k)]
    assert h_score(rng.normal(size=(40, 64)), labels) == pytest.approx(k - 1, abs=1e-9)
    assert regularised_h_score(rng.normal(size=(40, 64)), labels) < 0.5 * (k - 1)


@pytest.mark.parametrize(("n", "d", "k"), SHAPES)
def test_regularised_h_score_is_the_trace(n, d, k):
    values, labels = features(11, n, d, k)
    centred = values - values.mean(axis=0)
    covariance, a = ledoit_wolf(centred, assume_centered=True)
    between = np.cov(class_means(values, labels).T, bias=True)
    expected = (1 - a) * np.trace(np.linalg.solve(covariance, between))
    found = regularised_h_score(values, labels)
    assert found == pytest.approx(expected, rel=1e-8)
    assert 0 <= found <= h_score(values, labels) + 1e-12


# LogME


def density(log_alpha, log_beta, values, y):
    """The evidence itself: y is Gaussian with covariance I / beta + F F^T / alpha."""
    n = len(y)
    covariance = np.eye(n) * np.exp(-log_beta) + values @ values.T * np.exp(-log_alpha)
    return stats.multivariate_normal.logpdf(y, np.zeros(n), covariance) / n


@pytest.mark.parametrize(("n", "d", "k"), SHAPES)
def test_evidence_is_a_gaussian_density(n, d, k):
    values, labels = features(12, n, d, k, signal=0.3)
    u, s, _ = thin_svd(values)
    found = maximise(u, s, (labels == 0).astype(float))
    expected = density(np.log(found.alpha), np.log(found.beta), values, labels == 0)
    assert found.value == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("n", "d"), [(40, 5), (20, 39)])
def test_the_fixed_point_is_where_a_direct_search_ends(seed, n, d):
    values, labels = features(20 + seed, n, d, signal=0.5)
    y = (labels == 1).astype(float)
    u, s, _ = thin_svd(values)
    found = maximise(u, s, y)
    best = -np.inf
    for start in ([0.0, 0.0], [np.log(found.alpha), np.log(found.beta)], [6.0, 1.0]):
        result = optimize.minimize(
            lambda p: -density(p[0], p[1], values, y),
            np.clip(start, -9, 9),
            method="L-BFGS-B",
            bounds=[(-10, 12), (-10, 12)],
        )
        best = max(best, -result.fun)
    assert found.value >= best - 1e-6
    if not found.edge:
        assert found.value == pytest.approx(best, abs=1e-4)


def test_the_fixed_point_finds_the_higher_of_two_maxima():
    rng = np.random.default_rng(0)
    for _ in range(60):
        n, d = rng.integers(8, 60), rng.integers(2, 90)
        values = rng.normal(size=(n, d)) * np.exp(rng.normal(size=d)) + rng.normal()
        y = (values @ rng.normal(size=d) + 5 * rng.normal(size=n) > 0).astype(float)
        if y.std() == 0:
            continue
        u, s, _ = thin_svd(values)
        found = maximise(u, s, y)
        scale = np.log(s[0] ** 2)
        grid = scale + np.linspace(-20, 20, 400)
        along, beyond = (u.T @ y) ** 2, max(y @ y - ((u.T @ y) ** 2).sum(), 0)
        quadratic = [(along * np.exp(g) / (s**2 + np.exp(g))).sum() + beyond for g in grid]
        logdet = [np.log1p(s**2 / np.exp(g)).sum() for g in grid]
        direct = -0.5 * (n * np.log(2 * np.pi * np.array(quadratic) / n) + n + logdet) / n
        assert found.value >= direct.max() - 1e-6


def test_logme_does_not_depend_on_the_features_scale():
    values, labels = features(13)
    assert logme(100 * values, labels) == pytest.approx(logme(values, labels), abs=1e-8)


def test_logme_of_zero_features_is_that_of_noise():
    labels = np.array([0, 1] * 10)
    expected = -0.5 * (math.log(2 * math.pi * 0.5) + 1)  # mean of y^2 is 1/2
    assert logme(np.zeros((20, 3)), labels) == pytest.approx(expected)


# TransRate


def test_the_coding_rate_is_the_same_from_either_side():
    values, _ = features(14, 30, 50)
    wide = np.linalg.slogdet(np.eye(50) + values.T @ values / (30 * 0.01))[1] / 2
    assert coding_rate(values, 0.01) == pytest.approx(wide)
    assert coding_rate(np.array([[2.0], [0.0]]), 0.5) == pytest.approx(0.5 * math.log(5))


@pytest.mark.parametrize(("n", "d", "k"), SHAPES)
def test_transrate_is_the_slow_formula(n, d, k):
    values, labels = features(15, n, d, k)
    z = values - values.mean(axis=0)

    def rate(rows):
        eigenvalues = np.linalg.eigvalsh(rows.T @ rows / (len(rows) * 1e-4)).clip(0)
        return 0.5 * np.log1p(eigenvalues).sum()

    expected = rate(z) - np.mean([rate(z[labels == c]) for c in range(k)])
    assert transrate(values, labels) == pytest.approx(expected, rel=1e-6)


def test_transrate_with_shares_is_never_negative():
    for seed in range(30):
        values, labels = features(seed, images=25, classes=3, signal=0)
        assert transrate(values, labels, weighting="share") >= -1e-9


def test_transrate_scales_like_its_distortion():
    values, labels = features(16)
    halved = transrate(values / 2, labels, epsilon=1e-4)
    assert halved == pytest.approx(transrate(values, labels, epsilon=4e-4))
    assert transrate(values + 7, labels) == pytest.approx(transrate(values, labels))
    with pytest.raises(DataError, match="not allowed"):
        transrate(values, labels, epsilon=0)


def test_transrate_is_blind_to_two_mirrored_classes():
    rng = np.random.default_rng(17)
    cloud = rng.normal(size=(50, 6))
    cloud = np.vstack([cloud, -cloud])  # mean 0
    labels = np.repeat([0, 1], 100)
    scores = []
    for distance in (0.0, 1.0, 100.0):
        values = np.vstack([cloud, cloud]) + distance * labels[:, None]
        assert transrate(values, labels) == pytest.approx(0, abs=1e-9)
        scores.append(transrate(values, labels, centre_classes=True))
    assert scores == sorted(scores)
    assert scores[0] == pytest.approx(0, abs=1e-9)
    # 1/2 log of how much the distance adds to the covariance along its direction.
    covariance = cloud.T @ cloud / 100 + 1e-4 * np.eye(6)
    ones = 0.5 * np.ones(6)
    assert scores[1] == pytest.approx(0.5 * np.log1p(ones @ np.linalg.solve(covariance, ones)))


# GBC


def test_the_distance_is_minus_log_of_the_overlap():
    def overlap(x):
        return np.sqrt(stats.norm.pdf(x, 0, 1) * stats.norm.pdf(x, 1.5, 2))

    area = integrate.quad(overlap, -20, 20)[0]
    one = np.ones(1)
    assert bhattacharyya(0 * one, one, 1.5 * one, 4 * one) == pytest.approx(-math.log(area))
    both = bhattacharyya(np.zeros(2), np.ones(2), np.full(2, 1.5), np.full(2, 4.0))
    assert both == pytest.approx(-2 * math.log(area))  # distances of independent features add


def test_gbc_of_two_spheres_has_a_closed_form():
    # Four points each, variance 1/2 per axis, means 3 apart: D = 9 / (8 / 2).
    cross = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    values = np.vstack([cross, cross + np.array([3.0, 0])])
    labels = np.array([0] * 4 + [1] * 4)
    assert gbc(values, labels) == pytest.approx(-2 * math.exp(-9 / 8 / 0.5))


@pytest.mark.parametrize("covariance", ["spherical", "diagonal"])
def test_gbc_lies_between_all_alike_and_all_apart(covariance):
    values, labels = features(17, classes=3)
    found = gbc(values, labels, covariance=covariance)
    assert -6 < found < 0
    assert gbc(1000 * values - 5, labels, covariance=covariance) == pytest.approx(found)
    apart = values + 1e4 * np.eye(3, 8)[labels]
    assert gbc(apart, labels, covariance=covariance) == pytest.approx(0, abs=1e-12)
    twice = np.vstack([values, values])
    alike = np.r_[np.zeros(60, int), np.ones(60, int)]
    assert gbc(twice, alike, covariance=covariance) == pytest.approx(-2)


def test_gbc_keeps_as_many_components_as_it_is_told():
    values, labels = features(18, images=100, dimensions=20)
    reduced = principal(values, 4)
    assert reduced.shape == (100, 4)
    assert gbc(values, labels, components=4) == pytest.approx(gbc(reduced, labels))
    with pytest.raises(DataError, match="same for all"):
        gbc(np.ones((10, 3)), np.array([0, 1] * 5))
    with pytest.raises(DataError, match="covariance"):
        gbc(values, labels, covariance="full")


# SFDA


def unit_spread(values, labels):
    """Features scaled so that the within-class covariance has mean eigenvalue 1."""
    inside = values - class_means(values, labels)
    return values / np.sqrt((inside**2).mean())


@pytest.mark.parametrize(("n", "d", "k"), SHAPES)
@pytest.mark.parametrize("penalty", [0.05, 0.5, 1.0])
def test_the_discriminant_is_scikit_learns(n, d, k, penalty):
    values, labels = features(19, n, d, k)
    values = unit_spread(values, labels)  # where lambda I and lambda tr(S)/D I are the same
    shares = np.bincount(labels) / n
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=penalty, priors=shares)
    expected = theirs.fit(values, labels).predict_proba(values)  # their logarithm is clipped
    found, _ = discriminant(values, labels, penalty)
    np.testing.assert_allclose(np.exp(found), expected, atol=1e-9)


def test_the_discriminant_is_bayes_rule_with_a_shared_covariance():
    values, labels = features(20, classes=3)
    means = np.array([values[labels == c].mean(axis=0) for c in range(3)])
    inside = values - means[labels]
    spread = inside.T @ inside / len(values)
    lam = max(np.exp(-5 * linalg.eigvalsh(spread)[-1]), 1e-10)
    covariance = (1 - lam) * spread + lam * np.eye(8)
    shares = np.bincount(labels) / len(labels)
    logs = np.stack(
        [
            stats.multivariate_normal.logpdf(values, means[c], covariance) + np.log(shares[c])
            for c in range(3)
        ],
        axis=1,
    )
    expected = logs - np.logaddexp.reduce(logs, axis=1, keepdims=True)
    found, used = discriminant(values, labels)
    assert used == pytest.approx(lam)
    np.testing.assert_allclose(found, expected, atol=1e-8)


def test_mixing_leaves_certain_images_and_moves_uncertain_ones():
    values, labels = features(21, classes=3)
    certain = np.log(np.eye(3)[labels].clip(1e-300))
    np.testing.assert_allclose(confidence_mix(values, labels, certain, soften=False), values)
    lost = np.log(np.eye(3)[(labels + 1) % 3].clip(1e-300))
    means = np.array([values[labels == c].mean(axis=0) for c in range(3)])
    others = np.array([means[[k for k in range(3) if k != c]].mean(axis=0) for c in labels])
    np.testing.assert_allclose(confidence_mix(values, labels, lost, soften=False), others)
    softened = confidence_mix(values, labels, lost)
    weight = 1 / (2 + math.e)  # softmax of (0, 1, 0)
    np.testing.assert_allclose(softened, weight * values + (1 - weight) * others)


def test_sfda_is_a_likelihood_and_does_not_see_a_shift():
    values, labels = features(22)
    assert sfda(values, labels) < 0
    assert sfda(values + 100, labels) == pytest.approx(sfda(values, labels), abs=1e-8)
    with pytest.raises(DataError, match="lambda"):
        discriminant(values, labels, 0.0)


def test_sfda_says_nothing_with_more_features_than_images():
    rng = np.random.default_rng(9)
    labels = rng.permutation(np.arange(40) % 2)
    values = rng.normal(size=(40, 64))
    assert sfda(2 * values, labels) == pytest.approx(0, abs=1e-6)
    assert sfda(0.1 * values, labels) < -0.1  # lambda is large
    assert sfda(2 * values[:, :8], labels) < -0.1


# N-LEEP


def test_n_leep_is_leep_of_the_mixture():
    values, labels = features(23, images=90)
    reduced = principal(values, 0.8)
    theta = mixture_posteriors(reduced, 10)
    assert n_leep(values, labels) == pytest.approx(leep(theta, labels))
    assert -label_entropy(labels) <= n_leep(values, labels) <= 0
    assert n_leep(1e6 * values, labels) == pytest.approx(n_leep(values, labels), abs=1e-9)


def test_posteriors_follow_bayes_rule():
    values, _ = features(24, images=200, dimensions=2)
    theta = mixture_posteriors(values, 1)
    np.testing.assert_allclose(theta, 1)
    two = np.vstack([values, values + 100])
    hard = mixture_posteriors(two, 2)
    assert len({tuple(row) for row in hard[:200].round(6)}) == 1
    np.testing.assert_allclose(hard[0] + hard[-1], 1, atol=1e-9)
    with pytest.raises(DataError, match="components"):
        mixture_posteriors(values[:3], 4)


def test_principal_components_keep_the_share_of_variance_asked_for():
    values, _ = features(25, images=50, dimensions=8)
    total = values.var(axis=0).sum()
    for share in (0.5, 0.8, 0.99):
        kept = principal(values, share)
        assert kept.var(axis=0).sum() >= share * total - 1e-9
        assert kept[:, :-1].var(axis=0).sum() < share * total


def slow_discriminant(values, labels, lam):
    """Log-probabilities of Gaussians with one regularised covariance, image by image."""
    classes, dimensions = range(labels.max() + 1), values.shape[1]
    means = [values[labels == c].mean(axis=0) for c in classes]
    inside = sum(np.outer(v - means[c], v - means[c]) for v, c in zip(values, labels, strict=True))
    covariance = (1 - lam) * inside / len(values) + lam * np.eye(dimensions)
    rows = []
    for value in values:
        logs = [
            math.log((labels == c).mean())
            + stats.multivariate_normal(means[c], covariance).logpdf(value)
            for c in classes
        ]
        rows.append(np.array(logs) - np.logaddexp.reduce(logs))
    return np.array(rows), means


@pytest.mark.parametrize("classes", [2, 4])
def test_sfda_is_two_discriminants_with_harder_images_between_them(classes):
    values, labels = features(31, classes=classes)
    means = class_means(values, labels)
    spread = np.linalg.eigvalsh((values - means).T @ (values - means) / len(values)).max()
    lam = max(math.exp(-5 * spread), 1e-10)
    logs, centres = slow_discriminant(values, labels, lam)
    harder = []
    for value, label, log in zip(values, labels, logs, strict=True):
        soft = np.exp(np.exp(log)) / np.exp(np.exp(log)).sum()
        others = np.mean([m for c, m in enumerate(centres) if c != label], axis=0)
        harder.append(soft[label] * value + (1 - soft[label]) * others)
    final, _ = slow_discriminant(np.array(harder), labels, lam)
    expected = np.mean([log[c] for log, c in zip(final, labels, strict=True)])
    assert sfda(values, labels) == pytest.approx(expected, rel=1e-4)


def test_gbc_of_three_classes_is_a_sum_over_pairs():
    values, labels = features(32, dimensions=3, classes=3)
    expected = 0.0
    for one in range(3):
        for two in range(3):
            if one != two:
                first, second = values[labels == one], values[labels == two]
                a, b = first.var(axis=0).mean(), second.var(axis=0).mean()
                apart = ((first.mean(axis=0) - second.mean(axis=0)) ** 2).sum()
                distance = apart / (4 * (a + b)) + 1.5 * math.log((a + b) / (2 * math.sqrt(a * b)))
                expected -= math.exp(-distance)
    assert gbc(values, labels) == pytest.approx(expected)


def test_n_leep_is_counted_over_a_mixture_of_another_library_s_components():
    values, labels = features(33, images=90)
    reduced = PCA(0.8, svd_solver="full").fit_transform(values)
    scaled = reduced / math.sqrt(reduced.var(axis=0).sum())
    mixture = GaussianMixture(10, covariance_type="diag", random_state=0, max_iter=200)
    theta = mixture.fit(scaled).predict_proba(scaled)
    total = 0.0
    for row, label in zip(theta, labels, strict=True):
        chance = 0.0
        for component in range(10):
            mass = theta[:, component].sum()
            chance += row[component] * theta[labels == label, component].sum() / mass
        total += math.log(chance)
    assert n_leep(values, labels) == pytest.approx(total / len(labels), abs=1e-6)
