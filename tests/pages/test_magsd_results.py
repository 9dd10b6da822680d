import json
from dataclasses import replace
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from covidlib.data.augmentation import MAGSD_TABLE2, Range
from covidlib.data_page import PlainTable
from covidlib.evaluation.comparisons import corrected_t
from covidlib.pages import architectures, magsd_data, magsd_fold_tests, magsd_results, magsd_table2
from covidlib.pages.results import NOT_YET, Results
from covidlib.plans import plan
from covidlib.published import paper_value
from covidlib.verdicts import NOT_TESTABLE


def record(fold, accuracy, tested=52, profile="laptop"):
    """A recorded run of one fold, as far as the tests look at it."""
    predictions = pd.DataFrame({"split": ["test"] * tested + ["val"] * 26})
    predictions["sample"] = [f"{fold}-{number}" for number in range(tested + 26)]
    body = {"spec": {"data": {"dataset": "magsd-a", "fold": fold, "folds": 5}}}
    return SimpleNamespace(
        key=f"fold{fold}-{accuracy}",
        body=body,
        test=predictions[predictions["split"] == "test"],
        metrics={"accuracy": accuracy, "auc": accuracy},
        predictions=predictions,
        provenance={"profile": profile},
    )


@pytest.fixture
def nothing(tmp_path):
    """The rows of Table 7 without any run."""
    chosen = plan("magsd/augmentation_count", "smoke", phantoms=True)
    empty = {row.label: [] for row in chosen.rows}
    return Results(chosen, empty, empty, tmp_path)


def test_folds_are_paired_by_number_and_corrected():
    first = [record(f, a) for f, a in enumerate((0.8, 0.9, 0.7))]
    second = [record(2, 0.75), record(0, 0.9), record(4, 0.1)]
    found = magsd_fold_tests.fold_test(first, second, "accuracy")
    # Of 260 images 52 are tested, 26 validated, 182 trained.
    expected = corrected_t([0.1, 0.05], 182, 52)
    assert found.n == 2
    assert found.difference == pytest.approx(0.075)
    assert (found.low, found.p_value) == pytest.approx((expected.low, expected.p_value))


def test_one_fold_is_no_test():
    one = [record(0, 0.8)]
    assert magsd_fold_tests.fold_test(one, one, "accuracy") == "one fold: no test"
    assert magsd_fold_tests.fold_test(one, [], "accuracy") == NOT_YET
    assert magsd_fold_tests.fold_test(one, [record(1, 0.9)], "accuracy") == NOT_YET


def test_runs_that_saw_other_test_images_are_not_paired():
    runs = [record(0, 0.8), record(1, 0.9)]
    others = [record(0, 0.7), record(1, 0.8, tested=51)]
    found = magsd_fold_tests.fold_test(runs, others, "accuracy")
    assert found.startswith("fold1-0.9 and fold1-0.8 tested fold 1 on different images: delete")


def test_folds_that_differ_by_as_many_images_are_no_test(nothing):
    known = dict(nothing.known)
    known["A: mix-up, dimming, patching"] = [record(0, 31 / 52), record(1, 51 / 52)]
    known["A: mix-up"] = [record(0, 30 / 52), record(1, 50 / 52)]
    known["A: mix-up, dimming"] = [record(0, 30 / 52), record(1, 44 / 52)]
    tests = magsd_fold_tests.fold_tests(
        Results(nothing.chosen, nothing.done, known, nothing.folder), "mix-up, dimming, patching"
    )
    line = tests.frame.loc["A: mix-up"]
    assert line["accuracy"] == "-0.019: the folds do not vary, no test"
    assert pd.isna(line["p, accuracy"]) and line["folds"] == "2"
    line = tests.frame.loc["A: mix-up, dimming"]
    told = f"{line['p, accuracy']} (A: mix-up, dimming: {line['accuracy']})"
    assert magsd_fold_tests.smallest_p(tests) == told
    assert 0 < float(line["p, accuracy"]) < 1


def test_a_page_without_records_says_so(nothing):
    tables = {letter: magsd_results.table(nothing, letter) for letter in "ABC"}
    assert all(t.note.startswith(f"Data set {letter}. ") for letter, t in tables.items())
    told = magsd_results.sentences(nothing, tables)
    assert (told["rows"], told["recorded_rows"], told["leader"]) == (9, 0, NOT_YET)
    assert told["cells"] == told["untested"] == 3 * (2 + 4 + 4)
    tests = magsd_fold_tests.fold_tests(nothing, "mix-up, dimming, patching").frame
    assert set(tests["accuracy"]) == {NOT_YET}
    assert len(tests) == 6
    assert magsd_fold_tests.smallest_p(PlainTable(tests)) == NOT_YET
    tests["p, accuracy"] = ["1.000", None, "0.040", "0.300", None, None]
    third = tests.index[2]
    assert magsd_fold_tests.smallest_p(PlainTable(tests)) == f"0.040 ({third}: {NOT_YET})"


def test_the_paper_s_f1_is_compared_with_the_mean_over_classes(nothing):
    frame = magsd_results.table(nothing, "A").frame
    printed = frame.loc[("mix-up", "macro F1"), "paper"]
    where = {"model": "magsd", "variant": "am", "dataset": "A"}
    assert printed == paper_value("magsd", 7, "f1", **where)
    assert frame.loc[("mix-up", "AUC"), "paper"] is None
    assert "specificity" not in frame.index.get_level_values("metric")


def test_the_text_s_aucs_stand_beside_mag_sd_alone(tmp_path):
    chosen = plan("magsd/architectures", "smoke", phantoms=True)
    empty = {row.label: [] for row in chosen.rows}
    found = Results(chosen, empty, empty, tmp_path)
    for letter, auc in {"A": 0.9994, "B": 0.9872, "C": 0.9511}.items():
        printed = magsd_results.table(found, letter).frame["paper"].xs("AUC", level="metric")
        named = printed[printed.notna()]
        assert named.index.tolist() == ["MAG-SD"]
        assert (named.item().value, named.item().half_width) == pytest.approx((auc, 0.00005))


def test_leader_has_the_highest_mean(nothing):
    known = dict(nothing.known)
    known["A: mix-up"] = [record(0, 0.8), record(1, 0.9)]
    known["A: mix-up, dimming"] = [record(0, 0.87), record(1, 0.85)]
    known["A: mix-up, dimming, patching"] = [record(0, 0.99)]  # one fold of two: not compared
    found = Results(nothing.chosen, nothing.done, known, nothing.folder)
    assert magsd_results.leader(found) == "“mix-up, dimming” (0.860, of 2 rows with 2 folds each)"
    assert magsd_results.leader(found, "B") == NOT_YET
    known["A: mix-up"] = [record(0, 0.7, profile="paper")]  # larger images: not compared either
    assert magsd_results.leader(found) == "one row alone is recorded on as many folds"


def scored(fold, wrong):
    """A fold of 20 test images; ``wrong`` of the diseased score below all others."""
    p = np.r_[np.linspace(0.3, 0.5, 10), np.full(wrong, 0.1), np.full(10 - wrong, 0.9)]
    test = pd.DataFrame({"split": "test", "label": ["pneumonia"] * 10 + ["COVID-19"] * 10})
    test["sample"] = test["patient"] = [f"{fold}-{k}.png" for k in range(20)]
    test["p_pneumonia"], test["p_COVID-19"] = 1 - p, p
    return SimpleNamespace(predictions=test, provenance={"profile": "laptop"})


def full(fold):
    """A recorded run of one fold with predictions and settings, half of its images right."""
    run = scored(fold, 5)
    data = {"dataset": "magsd-a", "fold": fold, "folds": 5}
    spec = {"data": data, "training": {"size": 64, "epochs": 30}}
    table = run.predictions.assign(split="test")
    provenance = {"phantom": False, "profile": "laptop"}
    metrics = {"accuracy": 0.75, "auc": 0.5}
    return SimpleNamespace(
        key=f"full{fold}", body={"spec": spec}, metrics=metrics, predictions=table,
        test=table, provenance=provenance,
    )  # fmt: skip


def test_curves_of_fewer_folds_are_drawn_but_never_emphasised(tmp_path):
    chosen = plan("magsd/architectures", "smoke", phantoms=True)
    known = {row.label: [] for row in chosen.rows}
    known["A: MAG-SD"] = [scored(fold, 1) for fold in range(3)]
    known["A: ResNet50"] = [scored(fold, 2) for fold in range(3)]
    known["A: ResNet18"] = [scored(fold, 0) for fold in range(2)]  # the best, of two folds
    found = Results(chosen, {row.label: [] for row in chosen.rows}, known, tmp_path)
    fig, axes = plt.subplots(1, 3)
    architectures.draw_rocs(axes, found, best=2)
    emphasised = [text.get_text() for text in axes[0].get_legend().get_texts()]
    assert [name.split(":")[0] for name in emphasised[:2]] == ["MAG-SD", "ResNet50"]
    assert not any("ResNet18" in name for name in emphasised)
    grey = [line for line in axes[0].lines if line.get_color() == "0.75"]
    assert len(grey) == 1 and grey[0].get_ydata().tolist() == [1.0] * 101
    assert [ax.get_title() for ax in axes] == [
        "A, recorded: 3 of 13 networks", "data set B", "data set C",
    ]  # fmt: skip
    plt.close(fig)


def test_every_recorded_network_has_its_area_against_the_rest(tmp_path):
    chosen = plan("magsd/architectures", "smoke", phantoms=True)
    known = {row.label: [] for row in chosen.rows}
    known["A: ResNet50"] = [scored(fold, 2) for fold in range(3)]
    known["A: MAG-SD"] = [scored(fold, 1) for fold in range(3)]
    known["B: MAG-SD"] = [scored(0, 0)]
    found = Results(chosen, {row.label: [] for row in chosen.rows}, known, tmp_path)
    frame = architectures.roc_table(found).frame
    assert frame.index.tolist() == ["MAG-SD", "ResNet50"]  # as in Table 3
    assert frame.loc["MAG-SD", "A"].startswith("0.900 [") and "(n=3)" in frame.loc["MAG-SD", "A"]
    assert frame.loc["ResNet50", "A"].startswith("0.800 [")
    assert frame.loc["MAG-SD", "B"].startswith("1.000 [0.")  # no area is known to be 1
    fig, axes = plt.subplots(1, 3)
    assert not architectures.draw_rocs(axes, found)  # nothing of this run
    done = dict(found.done) | {"C: MAG-SD": [scored(0, 3)]}
    assert architectures.draw_rocs(axes, Results(chosen, done, known, tmp_path))
    plt.close(fig)


def test_rows_no_better_than_the_commonest_class_are_named(tmp_path):
    chosen = plan("magsd/architectures", "smoke", phantoms=True)

    def tested(accuracy, *labels):
        test = pd.DataFrame({"label": labels})
        return SimpleNamespace(test=test, metrics={"accuracy": accuracy})

    known = {row.label: [] for row in chosen.rows}
    found = Results(chosen, dict(known), known, tmp_path)
    assert magsd_results.guessing(found) == NOT_YET
    known["A: MAG-SD"] = [tested(0.75, *"aaab"), tested(0.8, *"bbaab")]  # 0.75 and 0.6 by one class
    assert magsd_results.guessing(found) == "no row"
    known["A: VGG16"] = [tested(2 / 3, *"aab"), tested(1 / 3, *"abc")]
    known["B: VGG16"] = [tested(0.5, *"aaab")]
    told = "“VGG16” on A (0.500; 2 of 5 folds); “VGG16” on B (0.500; 1 of 5 folds)"
    assert magsd_results.guessing(found) == told


def test_rivals_with_rates_of_their_own_are_told_and_stand_beside_mag_sd(tmp_path):
    chosen = plan("magsd/own_rate", "laptop", phantoms=False)
    known = {row.label: [] for row in chosen.rows}
    found = Results(chosen, dict(known), known, tmp_path)
    waiting = f"COVID-Net at 0.01: {NOT_YET}; BCNN at 0.03: {NOT_YET}; "
    told = architectures.own_rates(found)
    assert told["own_rates"] == f"{waiting}BCNN with attention at 0.1: {NOT_YET}"
    assert told["own_names"] == "COVID-Net, BCNN, BCNN with attention"
    known["A: MAG-SD"] = [full(0)]  # one of Table 3 says nothing of other rates
    assert architectures.own_rates(found)["own_guessing"] == NOT_YET
    known["A: BCNN with attention, own rate"] = [full(0), full(1)]
    told = f"{full(0).metrics['accuracy']:.3f} (2 of 5 folds)"
    after = architectures.own_rates(found)
    assert after["own_rates"] == f"{waiting}BCNN with attention at 0.1: {told}"
    assert after["own_guessing"] == "no row"
    table = architectures.own_rate_table(found).frame
    own = ["A: COVID-Net, own rate", "A: BCNN, own rate", "A: BCNN with attention, own rate"]
    assert list(table.index.unique(0)) == ["A: MAG-SD", "A: ResNet50", *own]
    assert table["paper"].isna().all(), "a row of ours is no cell of Table 3"
    assert table.loc[(own[2], "accuracy"), "recorded"].runs == 2


def test_a_row_gets_a_verdict_when_all_its_folds_are_there(nothing):
    folds = [full(fold) for fold in range(5)]
    known = dict(nothing.known) | {"A: mix-up": folds, "A: mix-up, dimming": folds[:4]}
    found = Results(nothing.chosen, nothing.done, known, nothing.folder)
    table = magsd_results.table(found, "A")
    assert table.frame.loc[("mix-up", "accuracy"), "verdict"] == "below"
    assert table.frame.loc[("mix-up, dimming", "accuracy"), "verdict"] == NOT_TESTABLE
    assert table.frame.loc[("mix-up, dimming", "accuracy"), "recorded"].runs == 4
    assert table.note.endswith(magsd_results.PART)
    told = magsd_results.sentences(found, {"A": table})
    assert (told["recorded_rows"], told["whole_rows"], told["below"]) == (2, 1, 2)
    assert told["budget"] == "64 pixels for 30 epochs on A"
    assert magsd_results.table(found, "B").note.endswith(magsd_results.NOTE)
    fig, axes = plt.subplots(1, 2)
    magsd_results.draw_forests(axes, {s: magsd_results.table(found, s) for s in "AB"})
    assert [t.get_text() for t in axes[0].texts] == ["n=4"] and not axes[1].texts
    plt.close(fig)


def test_folds_of_two_profiles_are_not_paired():
    small = [record(fold, 0.8) for fold in range(3)]
    large = [record(fold, 0.9, profile="paper") for fold in range(3)]
    assert "laptop and paper" in magsd_fold_tests.fold_test(small, large, "accuracy")


def test_rivals_of_the_quick_page_are_rows_of_table_3():
    rows = plan("magsd/architectures", "smoke", phantoms=True).rows
    models = {dict(row.cell)["model"] for row in rows}
    assert set(architectures.QUICK) < models
    assert len(models) == 13


def test_parameters_of_every_network():
    frame = architectures.parameters_table().frame
    assert len(frame) == 12
    assert frame.loc["VGG16"].item() == "134.3"


def test_class_sizes_are_judged_against_the_paper(tmp_path):
    path = tmp_path / magsd_data.FILE
    assert magsd_data.read(tmp_path) == {}
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"magsd-a": {"COVID-19": 90, "pneumonia": 100, "total": 190}}))
    assert magsd_data.read(tmp_path)["magsd-a"]["total"] == 190
    judged = [magsd_data.verdict_of(90, told) for told in (90, 89, 91, None)]
    assert judged == ["reproduced", "below", "above", "not recorded yet"]


def test_the_z_score_takes_brightness_and_contrast_back():
    torch.manual_seed(0)
    image = torch.randint(0, 256, (1, 1, 32, 32), dtype=torch.uint8)
    image[0, 0, 0, 0] = 255
    found = magsd_table2.changes(image)
    assert found["brightness"] == pytest.approx(0.5)  # white times 0.5
    assert found["contrast"] == pytest.approx(0.3 * (1 - image.double().mean().item() / 255))
    assert found["undone"] < 1e-4


def test_table_2_is_what_training_does(monkeypatch):
    frame = magsd_table2.augmentations(undone=True).frame
    assert frame.loc["brightness adjustment", "paper"] == "0.5 to 1"
    assert frame.loc["rotation", "here"] == "0 to 120 degrees"
    assert frame["verdict"].dropna().tolist() == ["reproduced"] * 4
    assert frame.index[frame["reaches the network"] == "no"].tolist() == [
        "brightness adjustment", "contrast adjustment"
    ]  # fmt: skip
    darker = replace(MAGSD_TABLE2, brightness=Range(0.4, 1))
    monkeypatch.setattr(magsd_table2, "MAGSD_TABLE2", darker)
    frame = magsd_table2.augmentations(undone=False).frame
    assert frame.loc["brightness adjustment", "verdict"] == "below"
    assert set(frame["reaches the network"]) == {"yes"}
    monkeypatch.setattr(magsd_table2, "PAPER", replace(magsd_table2.PAPER, size=96))
    frame = magsd_table2.augmentations(undone=False).frame
    assert frame.loc["resized cropping", "verdict"] == "below"  # 96 pixels, printed 224


@pytest.mark.slow
def test_recorded_sets_are_those_under_the_data_root(real_data, tmp_path):
    written = magsd_data.read(magsd_data.write(real_data, tmp_path).parents[2])
    assert written["magsd-a"] == {"pneumonia": 168, "COVID-19": 90, "total": 258}
    assert np.all([sizes["total"] > 0 for sizes in written.values()])
