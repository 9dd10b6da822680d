import numpy as np
import pytest
from benchmark_predictions import CARDS, collector, oracle, predictions
from sklearn.metrics import roc_auc_score

from covidlib.benchmark import GROUPS, TESTS, called, crossed, external, group_of, own, standing
from covidlib.benchmark import tested as subset
from covidlib.benchmark.areas import mean_area, miscalibration
from covidlib.evaluation.calibration import (
    at_temperature,
    calibration_error,
    fit_temperature,
)
from covidlib.plans.across import CT, XRAYS


def noisy(group, rng):
    return float(0.2 * oracle(group, rng) + 0.5 * rng.random())


def test_groups_and_test_sets_are_those_of_the_composition():
    table = predictions(0.5)
    for group, (card, label) in CARDS.items():
        mine = table["sample"].str.startswith(f"{card}/") & (table["label"] == label)
        assert (group_of(table)[mine] == group).all()
    assert list(GROUPS) == list(CARDS) and tuple(TESTS) == XRAYS
    part = subset(table, "cxnet-nih")
    assert set(group_of(part[part["split"] == "test"])) == {"cxnet", "nih"}
    assert (part["split"] == "val").sum() == (table["split"] == "val").sum()
    assert subset(table, CT) is table


def test_a_constant_predictor_is_at_one_half_everywhere():
    found = crossed({name: [predictions(0.3)] for name in XRAYS}, resamples=50)
    assert found.shape == (3, 3)
    assert {cell.value for cell in found.to_numpy().ravel()} == {0.5}
    constant = {name: [predictions(0.3)] for name in XRAYS}
    assert mean_area(external(constant)).value == 0.5


def test_a_network_that_knows_collections_is_perfect_at_home_alone():
    found = crossed({"cxnet-nih": [predictions(collector)]}, resamples=50)
    assert found.index.tolist() == ["cxnet-nih"]
    assert found.loc["cxnet-nih", "cxnet-nih"].value == 1
    assert found.loc["cxnet-nih", "cohen"].value == 0.5


def test_areas_are_scikit_learn_s_and_means_are_means_of_cells():
    runs = {name: [predictions(noisy, seed=k)] for k, name in enumerate(XRAYS)}
    cells = [*own(runs), *external(runs)]
    assert len(own(runs)) == 3 and len(external(runs)) == 6
    areas = []
    for (run,), test in cells:
        rows = subset(run, test).query("split == 'test'")
        areas.append(roc_auc_score(rows["label"] == "COVID-19", rows["p_COVID-19"]))
    found = mean_area(cells)
    assert found.value == pytest.approx(np.mean(areas)) and found.low < found.value < found.high
    assert found.images == 60
    table = crossed(runs, resamples=20)
    assert table.loc["cohen", "cohen"].value == pytest.approx(areas[0])


def test_an_interval_shrinks_with_more_patients():
    width = []
    for each in (10, 90):
        found = mean_area([([predictions(noisy, each)], "cohen")])
        width.append(found.high - found.low)
    assert width[1] < 0.6 * width[0]


def test_a_network_that_lacks_a_training_set_has_no_mean():
    some = {"cohen": [predictions(0.5)], "cxnet-nih": [predictions(0.5)]}
    assert own(some) == external(some) == [] and mean_area([]) is None
    assert miscalibration([], warm=True) is None


def test_shares_called_are_counted_by_group():
    found = called([predictions(collector)], resamples=20)
    assert {g: cell.value for g, cell in found.items()} == {
        "cohen-covid": 1, "cxnet": 1, "cohen-other": 1, "nih": 0, "kermany": 1
    }  # fmt: skip
    assert found["nih"].low == 0 and 0.2 < found["nih"].high < 0.3  # 12 people, none: exact
    assert found["nih"].images == 12
    twice = called([predictions(collector), predictions(collector)], resamples=20)
    assert (twice["nih"].images, twice["nih"].runs) == (12, 2)
    assert called([predictions(collector)], threshold=0.6)["kermany"].value == 0


def test_calibration_elsewhere_uses_no_test_image():
    run = predictions(noisy, each=40)
    cells = [([run], "cxnet-nih"), ([run], "cohen")]
    validated = fit_temperature(run[run["split"] == "val"]).value
    assert abs(validated - 1) > 0.2
    for warm, heat in ((False, 1.0), (True, validated)):
        parts = [
            calibration_error(at_temperature(subset(run, test), heat))
            for test in ("cxnet-nih", "cohen")
        ]
        assert miscalibration(cells, warm=warm) == pytest.approx(np.mean(parts))
    forest = run[run["split"] == "test"]
    assert miscalibration([([forest], "cohen")], warm=True) is None
    assert miscalibration([([forest], "cohen")], warm=False) is not None


def test_standing_has_a_row_for_every_network():
    board = {
        ("r50", "own"): {name: [predictions(collector)] for name in XRAYS},
        ("magsd", "own"): {"cohen": [predictions(oracle)]},
    }
    frame = standing(board, resamples=30)
    first = frame.loc[("r50", "own")]
    assert first["own"].value == pytest.approx((0.5 + 1 + 0.5) / 3)
    assert first["elsewhere"].value == pytest.approx((4 * 0.5 + 2 * 1) / 6)
    assert first["fall"] == pytest.approx(first["own"].value - first["elsewhere"].value)
    assert frame.loc[("magsd", "own")].isna().all()
    assert standing({}).empty
