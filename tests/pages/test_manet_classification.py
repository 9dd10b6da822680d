import json
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import precision_recall_fscore_support

from covidlib.pages import by_class, shortcuts
from covidlib.pages import classification as parts
from covidlib.pages.results import NOT_YET, Results
from covidlib.plans import plan
from covidlib.runs.record import CURVE, PREDICTIONS, RECORD
from covidlib.runs.recorded import recorded
from covidlib.runs.spec import described

CLASSES = ("normal", "COVID-19", "TB")


@dataclass(frozen=True)
class Result:
    """What a page needs of a record."""

    key: str
    provenance: dict
    predictions: pd.DataFrame


def result(seed, key="run"):
    rng = np.random.default_rng(seed)
    truth = np.arange(60) % 3
    values = rng.dirichlet(np.ones(3), 60) + 0.8 * np.eye(3)[truth]
    values /= values.sum(axis=1, keepdims=True)
    table = pd.DataFrame(values, columns=[f"p_{name}" for name in CLASSES])
    table = table.assign(
        sample=[f"image {k}" for k in range(60)], patient=[f"patient {k // 2}" for k in range(60)],
        split="test", label=[CLASSES[k] for k in truth],
    )  # fmt: skip
    return Result(key, {"phantom": False, "profile": "laptop"}, table)


def test_scores_of_classes_are_scikit_learn_s_and_means_over_trials():
    trials = [result(0), result(1)]
    found = by_class.class_scores(trials, resamples=50)
    expected = []
    for trial in trials:
        guess = trial.predictions[[f"p_{c}" for c in CLASSES]].to_numpy().argmax(1)
        truth = trial.predictions["label"].map(CLASSES.index)
        expected.append(precision_recall_fscore_support(truth, guess)[:3])
    mean = np.mean(expected, axis=0)
    for number, name in enumerate(CLASSES):
        intervals = found[name].intervals
        values = [intervals[score].value for score in by_class.SCORES]
        assert values == pytest.approx(mean[:, number])
        assert all(i.low <= i.value <= i.high for i in intervals.values())
        assert found[name].counts and intervals["f1"].runs == 2
    whole = [
        precision_recall_fscore_support(
            trial.predictions["label"].map(CLASSES.index),
            trial.predictions[[f"p_{c}" for c in CLASSES]].to_numpy().argmax(1),
            average="weighted",
        )[:3]
        for trial in trials
    ]
    values = [found[by_class.WHOLE].intervals[score].value for score in by_class.SCORES]
    assert values == pytest.approx(np.mean(whole, axis=0))


def test_a_class_that_is_never_predicted_has_no_precision():
    one = result(0)
    table = one.predictions.assign(**{"p_normal": 1.0, "p_COVID-19": 0.0, "p_TB": 0.0})
    found = by_class.class_scores([Result("run", one.provenance, table)], resamples=20)
    interval = found["TB"].intervals["precision"]
    assert np.isnan(interval.value) and interval.reason == "never predicted"
    assert found[by_class.WHOLE].intervals["precision"].value > 0
    assert found["TB"].intervals["recall"].value == found["TB"].intervals["f1"].value == 0


def test_the_paper_s_confusion_has_its_sums():
    counts = by_class.paper_confusion()
    assert counts.loc["TB"].tolist() == [8, 0, 30, 0, 0]
    assert counts.to_numpy().sum() == parts.TEST_IMAGES
    assert np.trace(counts.to_numpy()) == 660


def test_the_paper_s_trials_do_not_show_a_gain():
    table = parts.noise_table().frame
    assert table.loc["ResNet50", "MA − plain"] == "+0.0024"
    assert all(float(p) > 0.05 for p in table["p"])


FOUR = ("normal", "COVID-19", "bacterial pneumonia", "viral pneumonia")


def keep(folder, spec, wrong):
    """Write a recorded run that never was; of each class, the first ``wrong`` are called normal."""
    truth = np.repeat(np.arange(4), 20)
    guess = np.where(np.tile(np.arange(20), 4) < wrong, 0, truth)
    table = pd.DataFrame(np.eye(4)[guess], columns=[f"p_{name}" for name in FOUR])
    images = [f"image {k}" for k in range(80)]
    table = table.assign(
        sample=images, patient=images, split="test", label=[FOUR[k] for k in truth]
    )
    target = folder / "manet" / spec.key
    target.mkdir(parents=True)
    provenance = {"phantom": False, "profile": "laptop", "seconds": 60.0}
    body = {"key": spec.key, "spec": described(spec), "metrics": {}, "provenance": provenance}
    (target / RECORD).write_text(json.dumps(body))
    table.to_parquet(target / PREDICTIONS)
    epochs = np.arange(12)
    curve = {"epoch": epochs, "val_accuracy": 0.2 + epochs / 20, "val_loss": 1 / (1 + epochs)}
    pd.DataFrame(curve).to_csv(target / CURVE, index=False)


@pytest.fixture(scope="module")
def partial(tmp_path_factory):
    """Three trials of ResNet50, the second one of ResNet34 alone, nothing of the others."""
    folder = tmp_path_factory.mktemp("results")
    for row in plan(parts.NAME, "laptop", phantoms=False).rows:
        for spec in row.specs:
            if (row.label == "ResNet34" and spec.seed == 1) or row.label.startswith("ResNet50"):
                keep(folder, spec, wrong=spec.seed)
    chosen = plan(parts.NAME, "smoke", phantoms=True, seeds=1)
    return Results(chosen, {}, recorded(parts.NAME, folder), folder)


def test_a_single_trial_stands_at_its_own_number(partial):
    frame = parts.trials_table(partial).frame.xs("accuracy", level="metric")
    assert len(frame) == 30
    alone = frame.loc[[f"ResNet34, trial {k}" for k in (1, 2, 3)], "recorded"]
    assert [one is None for one in alone] == [True, False, True]
    assert alone.iloc[1].value == pytest.approx(77 / 80) and alone.iloc[1].runs == 1
    assert frame.loc["ResNet34, trial 2", "verdict"] == "reproduced"  # 0.9625, printed 0.9544
    others = frame[frame.index.str.match("VGG16|Inception|ResNet34 |ResNet34, trial [13]")]
    assert set(others["verdict"]) == {"not testable here"} and len(others) == 20
    assert str(frame.loc["ResNet50 (MA), trial 3", "paper"]) == "0.9706"


def test_what_is_recorded_in_part_is_counted_drawn_and_compared(partial):
    tables = {"means": parts.table(partial), "trials": parts.trials_table(partial)}
    counts = parts.verdict_table(tables).frame
    assert counts.loc["all"].sum() == 40 and counts.loc["trials", "not testable here"] == 20
    told = parts.sentences(partial, tables)
    assert told["recorded_rows"] == 4 and told["cells"] == 40
    assert (told["pneumonia_mask"], told["bp_patients"]) == ("95%", "20 patients")
    stability = parts.stability_table(partial).frame
    assert stability.loc["ResNet34", "speed"].endswith("(n=1)") and "VGG16" not in stability.index
    assert NOT_YET in parts.tests(partial).frame.loc["VGG16: MA − plain"].tolist()
    figure, axes = plt.subplots(2, 2)
    parts.draw_accuracy(axes.ravel(), partial)
    titles = [ax.get_title() for ax in axes.ravel()]
    assert titles == ["ResNet34, recorded", "ResNet50, recorded", "VGG16", "Inceptionv3"]
    plt.close(figure)


def test_shares_of_table_5_are_counts_over_their_rows(partial):
    found = by_class.confusion_shares(partial.shown[by_class.BEST], resamples=200)
    cell = found["COVID-19"].intervals["called normal"]
    assert cell.value == pytest.approx((0 + 1 + 2) / 60) and cell.low < cell.value < cell.high
    never = found["viral pneumonia"].intervals["called BP"]
    assert never.value == 0 and 0.1 < never.high < 0.2  # 20 patients cannot rule it out
    table = by_class.confusion_table(partial).frame
    assert len(table) == 25
    assert str(table.loc[("actual TB", "called normal"), "paper"]) == "0.211"  # 8 of 38
    open_ = table[table["verdict"] == "not testable here"]
    assert len(open_) == 9 and all("TB" in " ".join(line) for line in open_.index)
    assert "no images of it" in repr(by_class.class_table(partial))


def test_without_any_record_nothing_is_invented(tmp_path):
    chosen = plan(parts.NAME, "smoke", phantoms=True, seeds=1)
    empty = Results(chosen, {}, recorded(parts.NAME, tmp_path), tmp_path)
    tables = [f(empty) for f in (parts.table, parts.trials_table)]
    tables += [by_class.class_table(empty), by_class.confusion_table(empty)]
    assert {v for table in tables for v in table.frame["verdict"]} == {"not testable here"}
    assert parts.sentences(empty, {"all": tables[0]})["pneumonia_cbam"] == NOT_YET


def test_shortcuts_show_the_views_that_are_recorded(tmp_path):
    chosen = plan(shortcuts.NAME, "laptop", phantoms=False)
    for row in chosen.rows:
        if row.label in ("ResNet50: lungs", "ResNet50: shape", "ResNet50 (MA): lungs"):
            keep(tmp_path, row.specs[0], wrong=4)
    known = recorded(shortcuts.NAME, tmp_path)
    found = Results(chosen, {}, known, tmp_path)
    frame = shortcuts.table(found).frame
    assert frame["recorded"].eq(NOT_YET).sum() == len(chosen.rows) - 3
    told = shortcuts.sentences(found)
    assert told["recorded_index_none"].startswith("1.00 [")
    assert told["recorded_index_mask"] == NOT_YET
    assert told["recorded_lungs"] == "0.85" and told["recorded_frame"] == NOT_YET
    figure, axes = plt.subplots(1, 2)
    shortcuts.draw_index(axes, found)
    plt.close(figure)
