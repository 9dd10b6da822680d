import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as sk_log_loss
from synthetic_predictions import predictions

from covidlib.errors import DataError
from covidlib.evaluation.calibration import (
    at_temperature,
    brier,
    calibration_error,
    chance_error,
    fit_temperature,
    reliability,
)


def drawn(n: int, sharpen: float, seed: int = 0, split: str = "val") -> pd.DataFrame:
    """Labels that follow the probabilities p; the model says p at temperature 1 / sharpen."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=1.5, size=n)
    truth = rng.random(n) < 1 / (1 + np.exp(-logits))
    said = 1 / (1 + np.exp(-sharpen * logits))
    return pd.DataFrame(
        {
            "sample": [f"{split}-{i}" for i in range(n)],
            "split": split,
            "label": np.where(truth, "ill", "well"),
            "p_well": 1 - said,
            "p_ill": said,
        }
    )


def certain(share: float, right: list[bool]) -> pd.DataFrame:
    n = len(right)
    labels = ["ill" if r else "well" for r in right]
    return pd.DataFrame(
        {"sample": [str(i) for i in range(n)], "split": "test", "label": labels}
    ).assign(p_well=1 - share, p_ill=share)


def log_loss(table: pd.DataFrame) -> float:
    chances = table.filter(like="p_")
    classes = [name.removeprefix("p_") for name in chances]
    return sk_log_loss(pd.Categorical(table["label"], classes).codes, chances)


def test_one_probability_for_all_is_one_bin_whose_error_is_the_distance():
    table = certain(0.9, [True] * 6 + [False] * 4)
    bins = reliability(table)
    assert len(bins) == 1
    assert bins.loc[0, ["sure", "right", "images"]].tolist() == pytest.approx([0.9, 0.6, 10])
    assert calibration_error(table) == pytest.approx(0.3)
    assert brier(table) == pytest.approx(0.6 * 0.1**2 + 0.4 * 0.9**2)


@pytest.mark.parametrize("images", [1, 4, 25])
def test_the_error_by_chance_is_the_mean_deviation_of_a_binomial(images):
    table = certain(0.7, [True] * images)
    expected = binom(images, 0.7).expect(lambda hits: abs(hits / images - 0.7))
    assert chance_error(table, draws=20_000) == pytest.approx(expected, rel=0.03)
    assert chance_error(certain(1.0, [True] * images)) == 0


def test_a_calibrated_model_errs_as_chance_does_and_a_sure_one_more():
    few, many = drawn(40, 1), drawn(4000, 1)
    assert chance_error(few, split=None) > 3 * chance_error(many, split=None)
    assert calibration_error(many, split=None) < 2 * chance_error(many, split=None)
    sure = drawn(4000, 3)
    assert calibration_error(sure, split=None) > 5 * chance_error(sure, split=None)


@pytest.mark.parametrize("digits", [None, 1])
def test_bins_are_those_of_scikit_learn(digits):
    table = predictions(n=203, skill=1.2, digits=digits)
    truth, sure = table["label"] == "covid", table["p_covid"]
    right, mean = calibration_curve(truth, sure, n_bins=10, strategy="quantile")
    bins = reliability(table, 10)
    np.testing.assert_allclose(bins["sure"], mean)
    np.testing.assert_allclose(bins["right"], right)
    assert bins["images"].sum() == 203
    assert (bins["low"] <= bins["right"] + 1e-12).all()
    assert (bins["right"] <= bins["high"] + 1e-12).all()


def test_the_brier_score_is_that_of_scikit_learn():
    table = predictions(n=150, skill=0.7)
    truth = table["label"] == "covid"
    assert brier(table) == pytest.approx(brier_score_loss(truth, table["p_covid"]))


def test_with_three_classes_the_predicted_one_is_judged_and_the_brier_score_sums():
    table = predictions(n=90, classes=("a", "b", "c"))
    values = table[["p_a", "p_b", "p_c"]].to_numpy()
    wanted = table["label"].map({"a": 0, "b": 1, "c": 2}).to_numpy()
    slow = np.mean(
        [sum((p[k] - (k == y)) ** 2 for k in range(3)) for p, y in zip(values, wanted, strict=True)]
    )
    assert brier(table) == pytest.approx(slow)
    (one,) = reliability(table, 1).to_dict("records")
    assert one["sure"] == pytest.approx(values.max(axis=1).mean())
    assert one["right"] == pytest.approx((values.argmax(axis=1) == wanted).mean())


@pytest.mark.parametrize("sharpen", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_what_made_the_model_too_sure(sharpen):
    table = drawn(20_000, sharpen)
    found = fit_temperature(table)
    assert found.value == pytest.approx(sharpen, rel=0.05)
    assert found.after <= found.before
    assert found.images == 20_000
    assert not found.at_edge
    cooled = at_temperature(drawn(20_000, sharpen, seed=1, split="test"), found.value)
    assert calibration_error(cooled) < 0.02
    assert log_loss(cooled) < log_loss(drawn(20_000, sharpen, seed=1, split="test")) + 1e-3


def test_the_temperature_is_the_minimum_that_a_grid_finds():
    table = predictions(n=80, classes=("a", "b", "c"), skill=0.4).assign(split="val")
    found = fit_temperature(table)
    grid = np.exp(np.linspace(np.log(0.05), np.log(20), 400))
    losses = [log_loss(at_temperature(table, t)) for t in grid]
    assert found.after <= min(losses) + 1e-9
    assert found.value == pytest.approx(grid[int(np.argmin(losses))], rel=0.02)


def test_images_that_are_all_right_leave_the_temperature_open():
    table = certain(0.8, [True] * 5).assign(split="val")
    found = fit_temperature(table)
    assert found.at_edge
    assert found.value < 0.06


def test_a_temperature_changes_no_order_and_keeps_sums_even_of_a_zero():
    table = predictions(n=50)
    table.loc[0, ["p_healthy", "p_covid"]] = [0.0, 1.0]
    hot = at_temperature(table, 5.0)
    np.testing.assert_allclose(hot[["p_healthy", "p_covid"]].sum(axis=1), 1)
    assert (hot["p_covid"].rank() == table["p_covid"].rank()).all()
    assert hot["label"].equals(table["label"])
    assert np.isfinite(log_loss(hot))


def test_what_cannot_be_fitted_is_refused():
    table = predictions(n=20)
    with pytest.raises(DataError, match="validation images"):
        fit_temperature(table, "test")
    with pytest.raises(DataError, match="no labelled image of split 'val'"):
        fit_temperature(table)
    for bad in (0.0, -1.0, float("nan")):
        with pytest.raises(DataError, match="above 0"):
            at_temperature(table, bad)
    with pytest.raises(DataError, match="one bin or more"):
        reliability(table, 0)
