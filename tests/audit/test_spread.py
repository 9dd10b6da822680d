import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from covidlib.audit import spread
from covidlib.errors import DataError


@pytest.mark.parametrize("gap", range(9))
def test_no_pair_of_results_beats_the_best_case(gap):
    """McNemar's exact p over all tables with this net difference."""
    p_values = [mcnemar([[0, gap + back], [back, 0]], exact=True).pvalue for back in range(40)]
    assert spread.best_case_p(gap) == pytest.approx(min(p_values[0], 1))
    assert min(p_values) >= spread.best_case_p(gap) - 1e-12


def test_six_images_are_needed():
    assert spread.images_needed() == 6
    for alpha in (0.05, 0.01, 0.001):
        needed = spread.images_needed(alpha)
        assert spread.best_case_p(needed) <= alpha < spread.best_case_p(needed - 1)
    for wrong in (0, 1):
        with pytest.raises(DataError, match="alpha"):
            spread.images_needed(wrong)
    with pytest.raises(DataError, match="number of images"):
        spread.best_case_p(-1)


def test_margins_over_other_self_supervision_are_two_images_at_most():
    frame = spread.accuracy_margins()
    kinds = frame.groupby("comparison")
    assert kinds.size().to_dict() == {
        "all stages over none": 6,
        "attention, all stages": 4,
        "attention, no transfer": 4,
        "proposed over other SSL": 12,
    }
    assert kinds["most"].max()["proposed over other SSL"] == 2
    assert kinds["most"].min()["all stages over none"] == 9
    row = frame[frame["name"] == "r101/attn5/full/ours over r101/attn5/full/simclr"].iloc[0]
    assert (row["points"], row["images"]) == (pytest.approx(1.1), pytest.approx(2.233))


def test_the_largest_whole_difference_holds_for_every_unrounded_pair():
    rng = np.random.default_rng(5)
    for one, two in rng.integers(150, 203, (200, 2)):
        texts = [f"{100 * k / 203:.1f}" for k in (one, two)]
        gap, most = spread._most_images(*texts, 203)
        assert abs(one - two) <= most
        assert gap == pytest.approx(abs(one - two), abs=0.21)


def test_ablation_margins_and_their_noise():
    frame = spread.ablations()
    assert len(frame) == 4 * 3 * (1 + 2 + 2 + 2 + 1)
    cell = frame.query(
        "table == 7 and dataset == 'C' and metric == 'sen' and arm == 'mix-up, dimming'"
    )
    assert cell["margin"].item() == pytest.approx(0.08)
    cell = frame.query("table == 8 and dataset == 'A' and metric == 'f1'").iloc[0]
    assert (cell["margin"], cell["proposed_std"], cell["arm_std"]) == (0.4, 1.02, 0.79)
    assert cell["within_smaller"]
    assert (frame["within_smaller"] <= frame["within_larger"]).all()
    assert (frame["within_smaller"].sum(), frame["within_larger"].sum()) == (34, 50)
    assert ((frame["correlation"] > 1).sum(), (frame["plain_correlation"] > 1).sum()) == (24, 12)


def test_what_the_notes_count_in_the_ablations():
    frame = spread.ablations()
    # CLAHE: higher spread without it in 8 of 12 cells; it lowers one score only.
    clahe = frame[frame["table"] == 4]
    assert (clahe["arm_std"] > clahe["proposed_std"]).sum() == 8
    assert (clahe["margin"] < 0).sum() == 1
    # Soft distance: better mean in 11 and larger spread in 10 of 12.
    soft = frame[frame["table"] == 8]
    assert (soft["margin"] > 0).sum() == 11
    assert (soft["proposed_std"] > soft["arm_std"]).sum() == 10
    # Three augmentations beat one and two everywhere.
    assert (frame.loc[frame["table"] == 7, "margin"] > 0).all()


def test_needed_correlation_against_a_paired_test():
    rng = np.random.default_rng(6)
    for _ in range(50):
        one, two = rng.normal(size=(2, spread.FOLDS))
        stds = (one.std(ddof=1), two.std(ddof=1))
        needed = spread.needed_correlation(one.mean() - two.mean(), stds, overlap=0)
        significant = stats.ttest_rel(one, two).pvalue < 0.05
        assert significant == (np.corrcoef(one, two)[0, 1] > needed)
    # Shared training images make it harder.
    assert spread.needed_correlation(1, (1, 1), 0.25) > spread.needed_correlation(1, (1, 1), 0)
    for bad in (((0, 1), 0.25), ((1, 1), -1)):
        with pytest.raises(DataError, match="cannot compare"):
            spread.needed_correlation(1, *bad)


def test_three_trials_of_mask_attention():
    frame = spread.trial_tests()
    plain = frame.loc[[name for name in frame.index if "cbam" not in name]]
    assert plain["gain"].round(2).tolist() == [0.25, 0.24, 1.23, 0.64]
    assert plain["wins"].sum() == 9
    cbam = frame.loc[[name for name in frame.index if "cbam" in name]]
    assert cbam["wins"].tolist() == [2, 2]
    assert plain[["base_std", "std"]].round(2).to_numpy().tolist() == [
        [0.86, 0.39],
        [0.45, 0.82],
        [0.62, 0.60],
        [0.96, 0.59],
    ]
    assert (frame["p_paired"] > 0.05).all() and (frame["holm"] >= frame["p_paired"]).all()
    assert frame.loc["resnet50_ma over resnet50", "images"] < 2
    # By hand: t of the paired differences of VGG16.
    gains = np.array([95.00 - 94.56, 94.56 - 93.37, 95.74 - 93.68])
    t = gains.mean() / (gains.std(ddof=1) / np.sqrt(3))
    assert frame.loc["vgg16_ma over vgg16", "t"] == pytest.approx(t)
