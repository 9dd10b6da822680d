import numpy as np
import pytest
from sklearn import metrics

from covidlib.audit import class_mixes, specificity
from covidlib.audit.magsd_rows import all_rows, distinct_rows, proposed_rows_agree
from covidlib.errors import DataError


def labels(matrix):
    """Truth and predictions of a confusion matrix."""
    matrix = np.asarray(matrix)
    truth = np.repeat(np.arange(len(matrix)), matrix.sum(axis=1))
    return truth, np.concatenate([np.repeat(np.arange(len(matrix)), row) for row in matrix])


@pytest.mark.parametrize(
    "matrix", [[[80, 10], [5, 163]], [[90, 0], [1, 167]], [[30, 60], [20, 148]]]
)
def test_two_class_scores_are_those_of_scikit_learn(matrix):
    matrix = np.array(matrix)
    truth, said = labels(matrix)
    recall = matrix.diagonal() / matrix.sum(axis=1)
    share = matrix[0].sum() / matrix.sum()
    found = specificity.from_macro_recall(metrics.accuracy_score(truth, said), recall.mean(), share)
    assert found.recall == pytest.approx(tuple(recall), abs=1e-9)
    assert found.accuracy == pytest.approx(metrics.accuracy_score(truth, said))
    assert found.macro_recall == pytest.approx(metrics.balanced_accuracy_score(truth, said))
    assert found.macro_f1 == pytest.approx(metrics.f1_score(truth, said, average="macro"))
    precision = metrics.precision_score(truth, said, average="macro")
    assert found.macro_precision == pytest.approx(precision)
    assert found.specificity == pytest.approx(recall[1])


def test_with_two_classes_macro_precision_is_the_macro_negative_value():
    rng = np.random.default_rng(3)
    matrices = rng.integers(1, 200, (50, 2, 2)).astype(float)
    precision = (np.einsum("nkk->nk", matrices) / matrices.sum(axis=1)).mean(axis=1)
    scores = class_mixes.macro_scores(matrices)
    np.testing.assert_allclose(scores["negative_value"], precision)
    # With three it is another number.
    three = rng.integers(1, 200, (50, 3, 3)).astype(float)
    precision = (np.einsum("nkk->nk", three) / three.sum(axis=1)).mean(axis=1)
    assert (np.abs(class_mixes.macro_scores(three)["negative_value"] - precision) > 0.01).all()


def test_exchanged_labels_and_predictions_turn_specificity_into_the_negative_value():
    matrices = np.random.default_rng(4).integers(1, 90, (20, 4, 4)).astype(float)
    there = class_mixes.macro_scores(matrices)
    back = class_mixes.macro_scores(matrices.transpose(0, 2, 1))
    np.testing.assert_allclose(there["specificity"], back["negative_value"])
    np.testing.assert_allclose(there["f1"], back["f1"])


def test_macro_scores_of_three_classes_by_hand():
    matrix = [[8, 1, 1], [2, 16, 2], [0, 3, 27]]
    truth, said = labels(matrix)
    found = class_mixes.macro_scores(np.array([matrix], dtype=float))
    assert found["f1"][0] == pytest.approx(metrics.f1_score(truth, said, average="macro"))
    one_against_rest = metrics.multilabel_confusion_matrix(truth, said)
    rejected, alarms = one_against_rest[:, 0, 0], one_against_rest[:, 0, 1]
    missed = one_against_rest[:, 1, 0]
    assert found["specificity"][0] == pytest.approx((rejected / (rejected + alarms)).mean())
    assert found["negative_value"][0] == pytest.approx((rejected / (rejected + missed)).mean())


def test_equal_classes_leave_the_recalls_open():
    for share in (0.5, 0.0, 1.0):
        with pytest.raises(DataError, match="do not follow"):
            specificity.from_macro_recall(0.9, 0.9, share)


def test_21_rows_on_each_set_and_one_proposed_row():
    assert distinct_rows().groupby("dataset").size().tolist() == [21, 21, 21]
    assert len(all_rows()) == 39 + 6 + 9 + 9 + 9 + 6
    assert proposed_rows_agree() == (120, 120)


def test_set_a_read_as_two_recalls():
    found = specificity.as_class_recalls()
    outside = set(found.index[~found["between"]])
    assert outside == {"VGG16", "[51](ResNet)", "BCNN(Attention)"}
    assert found["weight"].min() == pytest.approx(-0.40, abs=0.005)
    assert found["weight"].max() == pytest.approx(1.80, abs=0.005)
    _, share = specificity.set_a()
    assert share == pytest.approx(90 / 258)


def test_set_a_read_as_macro_scores():
    errors = specificity.reading_errors()
    assert errors.round(2).tolist() == [0.29, 0.74, 2.10, 2.34]
    found = specificity.as_macro_recall()
    negative = found[["missed", "alarms"]].min(axis=1) < -0.1
    assert set(found.index[negative]) == {
        "MAG-SD", "MAG-SD(0AUG)", "no CLAHE", "map 7", "GMP", "mix-up"
    }  # fmt: skip


def test_f1_is_a_harmonic_mean_on_set_a_only():
    gaps = specificity.harmonic_gaps()
    assert gaps["mean"].round(2).tolist() == [-0.17, -1.91, -5.16]
    assert gaps.loc["A", "least"] > -0.3816 and gaps.loc["A", "most"] < 0


@pytest.mark.parametrize("sizes", [(1, 3), (4, 6, 5), (2, 2, 2, 2)])
def test_accuracy_range_against_all_recalls(sizes):
    grid = np.linspace(0, 1, 11)
    recalls = np.stack(np.meshgrid(*[grid] * len(sizes)), axis=-1).reshape(-1, len(sizes))
    accuracy = recalls @ np.array(sizes) / sum(sizes)
    for mean in (0.0, 0.3, 0.5, 0.9, 1.0):
        low, high = class_mixes.accuracy_range(mean, sizes)
        near = np.abs(recalls.mean(axis=1) - mean) < 1e-9
        if near.any():
            assert low <= accuracy[near].min() + 1e-9 and high >= accuracy[near].max() - 1e-9
            if len(sizes) == 2:  # the grid holds the corners
                assert (low, high) == pytest.approx((accuracy[near].min(), accuracy[near].max()))


def test_accuracies_outside_what_the_mean_recall_allows():
    found = class_mixes.recall_table()
    assert len(found) == 63
    wrong = found[~found["possible"]]
    assert wrong["dataset"].value_counts().to_dict() == {"A": 7, "B": 1}
    # One of the seven is outside by a thousandth of an image.
    assert ((wrong["dataset"] == "A") & (wrong["images"] > 0.1)).sum() == 6
    assert wrong.loc[wrong["dataset"] == "B", "name"].tolist() == ["BCNN(Attention)"]
    for bad in ((1.1, [1, 2]), (0.5, [0, 3])):
        with pytest.raises(DataError, match="no mean recall"):
            class_mixes.accuracy_range(*bad)


def test_drawn_matrices_have_what_was_asked_for():
    sizes = class_mixes.class_sizes("C")
    drawn = class_mixes.draw_matrices(0.87, 0.88, sizes, np.random.default_rng(0))
    assert len(drawn) > 50
    recall = np.einsum("nkk->nk", drawn) / sizes
    np.testing.assert_allclose(drawn.sum(axis=2), np.broadcast_to(sizes, recall.shape))
    np.testing.assert_allclose(recall.mean(axis=1), 0.88)
    np.testing.assert_allclose((recall @ sizes) / sizes.sum(), 0.87)
    assert (drawn >= 0).all()
    with pytest.raises(DataError, match="no set"):
        class_mixes.class_sizes("D")


@pytest.mark.parametrize("seed", [0, 1])
def test_on_set_b_spc_goes_with_the_negative_value_in_every_row(seed):
    found = class_mixes.spc_readings("B", seed)
    assert set(found.index[found["matrices"] == 0]) == {"BCNN", "BCNN(Attention)"}
    found = found[found["matrices"] > 0]
    assert (found["negative_value_off"] < 0.07).all()
    assert (found["specificity_off"] > 0.07).sum() >= 5
    assert found.loc["COVID-Net", "specificity_off"] > 0.2


def test_bcnns_f1_on_set_b_is_out_of_reach():
    row = class_mixes.spc_readings("B").loc["BCNN"]
    assert row["f1"] == row["spc"] == 96.71
    assert row["f1_most"] < 95.6
