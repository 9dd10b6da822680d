import numpy as np
import pytest
from sklearn import metrics as sk
from synthetic_predictions import predictions

from covidlib.evaluation.predictions import scored
from covidlib.evaluation.resampling import draw, read_curves, weighted, weighted_auc

SIX = tuple("abcdef")


def reference(s, metric, w):
    """scikit-learn's value with sample weights, one resample."""
    labels = range(len(s.classes))
    if metric in ("accuracy", "top1"):
        return sk.accuracy_score(s.truth, s.predicted, sample_weight=w)
    if metric == "top5":
        return sk.top_k_accuracy_score(
            s.truth, s.probabilities, k=5, labels=labels, sample_weight=w
        )
    if metric == "auc" and s.binary:
        return sk.roc_auc_score(s.truth, s.probabilities[:, 1], sample_weight=w)
    if metric == "auc":
        return np.mean(
            [sk.roc_auc_score(s.truth == k, s.probabilities[:, k], sample_weight=w) for k in labels]
        )
    if metric == "specificity":
        values = [
            sk.recall_score(s.truth != k, s.predicted != k, sample_weight=w)
            for k in ([1] if s.binary else labels)
        ]
        return np.mean(values)
    score = {
        "f1": sk.f1_score,
        "f1_macro": sk.f1_score,
        "sensitivity": sk.recall_score,
        "precision": sk.precision_score,
    }[metric]
    binary = s.binary and metric != "f1_macro"
    return score(
        s.truth,
        s.predicted,
        average="binary" if binary else "macro",
        sample_weight=w,
        labels=labels,
    )


@pytest.mark.parametrize("classes", [("healthy", "covid"), SIX])
@pytest.mark.parametrize(
    "metric",
    [
        "accuracy",
        "top1",
        "top5",
        "auc",
        "f1",
        "f1_macro",
        "sensitivity",
        "specificity",
        "precision",
    ],
)
def test_resampled_metrics_are_scikit_learns(classes, metric):
    if metric == "top5" and len(classes) == 2:
        pytest.skip("top-5 of two classes is undefined")
    s = scored(predictions(80, classes, digits=1))
    weights = draw(s.clusters, s.truth, 25, np.random.default_rng(0))
    expected = [reference(s, metric, row.astype(float)) for row in weights]
    np.testing.assert_allclose(weighted(s, metric, weights), expected, rtol=1e-12)


def test_chunks_change_nothing(monkeypatch):
    s = scored(predictions(50))
    weights = draw(s.clusters, s.truth, 40, np.random.default_rng(0))
    whole = weighted(s, "auc", weights)
    monkeypatch.setattr("covidlib.evaluation.resampling.CHUNK", 170)
    np.testing.assert_array_equal(weighted(s, "auc", weights), whole)


def test_weighted_auc_with_ties_counts_pairs():
    rng = np.random.default_rng(3)
    positive, values = rng.random(30) < 0.4, rng.integers(0, 5, 30)
    weights = rng.integers(0, 4, (1, 30))
    pairs = total = 0
    for i in np.flatnonzero(positive):
        for j in np.flatnonzero(~positive):
            both = weights[0, i] * weights[0, j]
            pairs += both * ((values[i] > values[j]) + 0.5 * (values[i] == values[j]))
            total += both
    assert weighted_auc(positive, values, weights)[0] == pytest.approx(pairs / total)


def test_weighted_auc_without_negatives_is_nan():
    found = weighted_auc(np.array([True, False]), np.array([0.1, 0.2]), np.array([[1, 0], [1, 1]]))
    np.testing.assert_array_equal(found, [np.nan, 0.0])


def test_read_curves_are_scikit_learns():
    s = scored(predictions(70, digits=1))
    weights = draw(s.clusters, s.truth, 10, np.random.default_rng(0))
    grid = np.linspace(0, 1, 21)
    curves = read_curves(s.truth == 1, s.probabilities[:, 1], weights, grid)
    for row, curve in zip(weights, curves, strict=True):
        fpr, tpr, _ = sk.roc_curve(
            s.truth, s.probabilities[:, 1], sample_weight=row.astype(float), drop_intermediate=False
        )
        np.testing.assert_allclose(curve, np.interp(grid, fpr, tpr), atol=1e-12)


def test_draws_keep_patients_together_and_class_sizes():
    s = scored(predictions(120, per_patient=3))
    weights = draw(s.clusters, s.truth, 50, np.random.default_rng(0)).astype(int)
    for patient in set(s.clusters):
        rows = weights[:, s.clusters == patient]
        assert (rows == rows[:, :1]).all()
    # Equal-sized patients: every resample has exactly the original number of each class.
    for k in (0, 1):
        assert (weights[:, s.truth == k].sum(axis=1) == (s.truth == k).sum()).all()
    assert weights.mean() == pytest.approx(1, abs=1e-12)


def test_a_patient_of_two_classes_is_still_one_draw():
    clusters = np.array(["a", "a", "b", "c", "d"], dtype=object)
    truth = np.array([0, 1, 0, 1, 1])
    weights = draw(clusters, truth, 200, np.random.default_rng(0))
    assert (weights[:, 0] == weights[:, 1]).all()
    assert weights[:, 0].max() > 1 and weights[:, 0].min() == 0
