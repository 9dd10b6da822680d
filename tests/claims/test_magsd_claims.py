import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from synthetic_predictions import predictions

from covidlib.claims import NOT_SUPPORTED, NOT_TESTABLE, SUPPORTED, ledger, magsd
from covidlib.claims.claim import Partly
from covidlib.claims.magsd_experiments import (
    Each,
    FoldContrast,
    ahead_of_third,
    hardest_pair,
)
from covidlib.claims.magsd_measures import Spread
from covidlib.evaluation.comparisons import corrected_t
from covidlib.evaluation.contrasts import Effect
from covidlib.localization_scores import BLOB, CLASSES, MEAN, Overlaps, write
from covidlib.plans import plan
from covidlib.published import claims
from covidlib.runs.folds import image_counts
from covidlib.runs.record import PREDICTIONS, RECORD
from covidlib.runs.spec import described

BY_ID = {claim.id[-2:]: claim for claim in magsd.CLAIMS}
C = ("normal", "viral pneumonia", "bacterial pneumonia", "COVID-19")


def keep(results: Path, spec, metrics: dict[str, float], tested: int) -> None:
    """Write a recorded run that never was."""
    folder = results / "magsd" / spec.key
    if folder.exists():
        return
    folder.mkdir(parents=True)
    provenance = {"phantom": False, "profile": "laptop", "seconds": 1.0}
    body = {"key": spec.key, "spec": described(spec), "metrics": metrics, "provenance": provenance}
    (folder / RECORD).write_text(json.dumps(body))
    predictions(tested, C, skill=2.0).to_parquet(folder / PREDICTIONS)


def world(results: Path, name: str, accuracy, sets="ABC", folds=5, tested=20) -> Path:
    """Record every fold of a plan; ``accuracy`` from cell and fold."""
    for row in plan(f"magsd/{name}", "laptop", phantoms=False).rows:
        cell = dict(row.cell)
        if cell["dataset"] in sets:
            for spec in row.specs[:folds]:
                value = accuracy(cell, spec.data.fold)
                metrics = dict.fromkeys(("accuracy", "auc", "sensitivity", "specificity"), value)
                keep(results, spec, metrics, tested)
    return results


def clahe(gains: dict[str, float]):
    """Return accuracies in which CLAHE adds something to each set, a little more per fold."""

    def accuracy(cell, fold):
        own = gains[cell["dataset"]] + 0.002 * fold if cell["variant"] == "clahe" else 0.0
        return 0.8 + 0.01 * fold + own

    return accuracy


def test_every_claim_of_the_paper_has_an_entry():
    listed = claims("magsd")["id"]
    assert [claim.id for claim in magsd.CLAIMS] == [name for name in listed if "-Q" in name]
    assert len(BY_ID) == 29


def test_the_paper_s_own_effects():
    assert BY_ID["01"].printed == pytest.approx((0.51 + 0.56 + 0.41) / 300, abs=0.01)
    assert BY_ID["04"].printed == pytest.approx(0.9585 - _printed_plain_specificity())
    assert BY_ID["11"].printed == pytest.approx(0.9694 - 0.9556)  # on A, the smallest of three
    ratios = np.log([1.14 / 1.10, 1.58 / 1.27, 1.20 / 1.55])
    assert BY_ID["12"].printed == pytest.approx(ratios.mean())
    assert BY_ID["13"].printed == pytest.approx((0.0240 + 0.0165) / 2 - 0.0138)
    assert BY_ID["24"].printed is None  # most are right, says the claim, not nine in ten
    assert BY_ID["02"].printed is BY_ID["18"].printed is BY_ID["25"].printed is None


def _printed_plain_specificity() -> float:
    from covidlib.published import paper_value

    return paper_value("magsd", 3, "specificity", model="magsd_0aug", dataset="B").value


def test_without_records_nothing_is_claimed(tmp_path):
    table = ledger("magsd", magsd.CLAIMS, tmp_path)
    counted = table.loc["magsd-Q28"]
    assert (
        counted["verdict"] == SUPPORTED
        and "by construction" in counted["reason"]
        and "23.74 M" in counted["reason"]
    )
    assert set(table.drop("magsd-Q28")["verdict"]) == {NOT_TESTABLE}
    assert table["reason"].str.len().min() > 10
    told = table["reason"].str.contains("not recorded yet")
    assert told.sum() == 25  # the other four are not computed from runs
    assert table.loc["magsd-Q07", "needs"].startswith("runs of 4 of its 4 rows (A: FPN, ")


def test_folds_are_averaged_over_sets_and_tested_as_by_hand(tmp_path):
    world(tmp_path, "preprocessing", clahe({"A": 0.03, "B": 0.01, "C": 0.05}))
    found = magsd._mean("preprocessing", "clahe", "no_clahe")(tmp_path)
    gaps = 0.03 + 0.002 * np.arange(5)
    by_hand = corrected_t(gaps, train=70, test=20)
    assert (found.value, found.low) == pytest.approx((by_hand.difference, by_hand.low))
    assert found.p_value == pytest.approx(by_hand.p_value)
    assert found.each == pytest.approx((0.034, 0.014, 0.054))
    assert (found.units, found.runs, found.images) == (3, 15, 20)
    assert found.printed == magsd._mean("preprocessing", "clahe", "no_clahe").printed


def test_what_is_recorded_of_one_set_decides_nothing_about_the_mean_over_three(tmp_path):
    world(tmp_path, "preprocessing", clahe({"A": 0.03}), sets="A")
    found = magsd._mean("preprocessing", "clahe", "no_clahe")(tmp_path)
    assert found.why.startswith("on A alone it is +0.034 [")
    assert found.why.endswith("in print +0.014; the claim is about A, B, C")
    assert len(found.records) == 10
    against = world(tmp_path / "against", "preprocessing", clahe({"A": -0.05}), sets="A")
    found = magsd._mean("preprocessing", "clahe", "no_clahe")(against)
    assert found.why.startswith("on A alone it is -0.046 [")
    (effect,) = found.effects
    assert (effect.units, effect.value) == (1, pytest.approx(-0.046))
    assert effect.printed == pytest.approx(0.9694 - 0.9556)


def test_a_set_with_fewer_folds_does_not_take_folds_from_the_others(tmp_path):
    world(tmp_path, "preprocessing", clahe({"A": -0.03}), sets="A")
    alone = magsd._mean("preprocessing", "clahe", "no_clahe")(tmp_path)
    world(tmp_path, "preprocessing", clahe({"B": 0.2}), sets="B", folds=2)
    both = magsd._mean("preprocessing", "clahe", "no_clahe")(tmp_path)
    assert both == alone and both.effects[0].runs == 5


def test_comparisons_that_are_recorded_in_part_count_as_far_as_they_go(tmp_path):
    def accuracy(cell, fold):
        gain = {"am": 0.0, "am_ad": 0.02, "am_ad_ap": 0.03}[cell["variant"]]
        return 0.8 + gain * (1 + 0.1 * fold)

    world(tmp_path, "augmentation_count", accuracy, sets="A")
    found = BY_ID["17"].experiment(tmp_path)
    assert found.why.startswith(
        "2 of the 2 comparisons that must hold can be tested, 2 of them on some of its data sets"
    )
    table = ledger("magsd", magsd.CLAIMS, tmp_path)
    assert table.loc["magsd-Q17", "verdict"] == NOT_TESTABLE
    assert "B: mix-up" in table.loc["magsd-Q17", "needs"]


def test_larger_sets_gain_more_is_a_difference_of_differences(tmp_path):
    def accuracy(cell, fold):
        gain = {"A": 0.01, "B": 0.02 + 0.001 * fold, "C": 0.05}[cell["dataset"]]
        return 0.8 + gain * (cell["variant"] == "clahe")

    world(tmp_path, "preprocessing", accuracy)
    found = BY_ID["13"].experiment(tmp_path)
    assert found.value == pytest.approx((0.022 + 0.05) / 2 - 0.01)
    assert (found.units, found.runs) == (1, 5)


def test_equal_folds_are_no_evidence(tmp_path):
    found = world(
        tmp_path,
        "preprocessing",
        lambda cell, fold: (fold + 3 * (cell["variant"] == "clahe")) / 52,
    )
    experiment = magsd._mean("preprocessing", "clahe", "no_clahe")
    assert experiment(found) == "the folds do not vary"


def test_the_smallest_effect_is_found_in_four_of_five_cases(tmp_path):
    world(tmp_path, "preprocessing", clahe({"A": 0.0, "B": 0.0, "C": 0.0}))
    found = magsd._mean("preprocessing", "clahe", "no_clahe")(tmp_path)
    error = (found.high - found.low) / 2 / 2.7764
    assert found.smallest == pytest.approx((2.7764 + 0.9410) * error, rel=1e-3)


def test_a_world_in_which_clahe_helps_everywhere_supports_it(tmp_path):
    world(tmp_path, "preprocessing", clahe({"A": 0.05, "B": 0.06, "C": 0.07}))
    table = ledger("magsd", magsd.CLAIMS, tmp_path)
    assert table.loc["magsd-Q11", "verdict"] == SUPPORTED
    assert table.loc["magsd-Q11", "effect"].value == pytest.approx(0.054)  # A is the weakest
    assert table.loc["magsd-Q16", "verdict"] == NOT_TESTABLE


def test_one_set_that_contradicts_is_enough(tmp_path):
    world(tmp_path, "preprocessing", clahe({"A": 0.05, "B": -0.2, "C": 0.07}))
    table = ledger("magsd", magsd.CLAIMS, tmp_path)
    assert table.loc["magsd-Q11", "verdict"] == NOT_SUPPORTED
    alone = BY_ID["11"].experiment.parts[1](tmp_path)
    assert BY_ID["11"].experiment(tmp_path).p_value == pytest.approx(3 * alone.p_value)


def test_some_sets_alone_never_support_a_claim_about_all(tmp_path):
    world(tmp_path, "preprocessing", clahe({"A": 0.05}), sets="A")
    reason = BY_ID["11"].experiment(tmp_path)
    assert reason.why.startswith("1 of the 3 comparisons") and "+0.054" in reason.why
    assert len(reason.records) == 10 and all(r.startswith("magsd/magsd-a") for r in reason.records)
    needs = ledger("magsd", magsd.CLAIMS, tmp_path).loc["magsd-Q11", "needs"]
    assert "runs of 4 of its 6 rows (B: CLAHE, B: without CLAHE" in needs
    against = world(tmp_path / "other", "preprocessing", clahe({"A": -0.05}), sets="A")
    assert isinstance(BY_ID["11"].experiment(against), Effect)
    assert (
        "1 of the 3 comparisons that must hold are tested"
        in (ledger("magsd", magsd.CLAIMS, tmp_path / "other").loc["magsd-Q11", "reason"])
    )
    assert BY_ID["13"].experiment(tmp_path) == "not all of its rows are recorded"
    assert BY_ID["13"].experiment(tmp_path / "none") == "its runs are not recorded yet"


def test_what_agrees_with_nothing_and_contradicts_nothing_is_no_effect_of_a_part(tmp_path):
    def accuracy(cell, fold):  # slightly against the claim, within chance
        return 0.8 + 0.05 * (fold % 2) * (1 if cell["variant"] == "clahe" else -1)

    world(tmp_path, "preprocessing", accuracy, sets="A")
    found = BY_ID["11"].experiment(tmp_path)
    assert isinstance(found, Partly)


def test_missing_folds_are_named_among_what_a_claim_needs(tmp_path):
    world(tmp_path, "preprocessing", clahe({"A": 0.05}), sets="A", folds=2)
    needs = ledger("magsd", magsd.CLAIMS, tmp_path).loc["magsd-Q11", "needs"]
    assert needs.startswith("runs of 6 of its 6 rows (A: CLAHE, 2 of 5 folds, A: without CLAHE, 2")


def test_one_fold_is_no_test(tmp_path):
    world(tmp_path, "preprocessing", clahe({"A": 0.05}), sets="A", folds=1)
    for experiment in (
        magsd._mean("preprocessing", "clahe", "no_clahe"),
        Each((magsd._mean("preprocessing", "clahe", "no_clahe"),)),
    ):
        assert experiment(tmp_path) == "its rows have one fold in common: no test"
    assert BY_ID["12"].experiment(tmp_path).startswith("fewer than three folds")


def test_spreads_are_compared_on_a_log_scale(tmp_path):
    def accuracy(cell, fold):
        wide = 3.0 if cell["variant"] == "no_clahe" else 1.0
        return 0.8 + wide * 0.01 * (fold - 2)

    world(tmp_path, "preprocessing", accuracy)
    found = BY_ID["12"].experiment(tmp_path)
    assert found.value == pytest.approx(np.log(3))
    error = np.sqrt((np.pi**2 / 6 - 1) / 2 / 3)  # ψ′(2) = π²/6 - 1; two halves, three sets
    assert found.high - found.value == pytest.approx(1.959964 * error)
    assert (found.units, found.runs) == (3, 15)
    assert found.printed == BY_ID["12"].printed
    one = world(tmp_path / "one", "preprocessing", lambda c, f: accuracy(c, -f), sets="A")
    (alone,) = BY_ID["12"].experiment(one).effects
    assert alone.printed == pytest.approx(np.log(1.14 / 1.10)) and alone.units == 1
    same = world(tmp_path / "flat", "preprocessing", lambda cell, fold: 0.8)
    assert "same in all folds" in BY_ID["12"].experiment(same)


def test_the_interval_of_spreads_covers_nothing_in_19_of_20_cases():
    rng, inside = np.random.default_rng(0), 0
    nothing = {"test": {"sample": ()}, "folder": Path("magsd") / "run"}

    def fold(pair):
        return [SimpleNamespace(metrics={"accuracy": v}, **nothing) for v in pair]

    for _ in range(400):
        units = [dict(enumerate(map(fold, one))) for one in rng.normal(size=(3, 5, 2))]
        found = Spread("", ())._effect(units)
        inside += found.low < 0 < found.high
    assert 0.92 < inside / 400 < 0.98


def test_accuracies_that_differ_by_rounding_are_the_same():
    def fold(pair):
        own = {"test": {"sample": ()}, "folder": Path("magsd") / "run"}
        return [SimpleNamespace(metrics={"accuracy": v}, **own) for v in pair]

    same = 25 / 51  # the mean of five such numbers is another one
    units = [dict(enumerate(map(fold, [(v, same) for v in (0.5, 0.6, 0.55, 0.7, 0.4)])))]
    assert np.std([same] * 5) > 0
    assert Spread("", ())._effect(units) == "the accuracy is the same in all folds"


def test_third_highest_of_the_others_is_that_of_the_means():
    def runs(*values):
        return [SimpleNamespace(metrics={"auc": v}) for v in values]

    assert ahead_of_third({0: runs(0.9, 0.95, 0.94, 0.88, 0.5)}) == {0: pytest.approx(0.02)}
    # Rows 4 and 3 are third in one fold each, at 0.92; the third mean is 0.9, of row 3.
    folds = {0: runs(0.91, 0.95, 0.94, 0.88, 0.92), 1: runs(0.91, 0.95, 0.94, 0.92, 0.86)}
    assert ahead_of_third(folds) == {0: pytest.approx(0.03), 1: pytest.approx(-0.01)}
    assert ahead_of_third({}) == hardest_pair(magsd.PNEUMONIAS, {}) == {}


def test_the_hardest_pair_is_compared_with_the_next():
    def confused(normal_for_covid, normal_for_viral):
        return [SimpleNamespace(predictions=confusing(normal_for_covid, normal_for_viral))]

    found = hardest_pair(magsd.PNEUMONIAS, {0: confused(1, 0)})
    assert found == {0: pytest.approx(4 / 20 - 1 / 20)}
    # Each of the other pairs is the next one in one fold; over both it is the first, with 3.
    found = hardest_pair(magsd.PNEUMONIAS, {0: confused(3, 0), 1: confused(0, 2)})
    assert found == {0: pytest.approx(1 / 20), 1: pytest.approx(4 / 20)}


def confusing(normal_for_covid, normal_for_viral):
    """Return predictions that take four viral images for bacterial ones, and these normal ones."""
    table = predictions(40, C, skill=30.0)
    columns = [f"p_{name}" for name in C]
    viral = table.index[table["label"] == C[1]]
    normal = table.index[table["label"] == C[0]]
    second = normal[normal_for_covid : normal_for_covid + normal_for_viral]
    for rows, name in ((viral[:4], C[2]), (normal[:normal_for_covid], C[3]), (second, C[1])):
        table.loc[rows, columns] = 0.0
        table.loc[rows, f"p_{name}"] = 1.0
    return table


def test_accuracies_themselves_are_compared_with_half(tmp_path):
    def accuracy(cell, fold):
        return 0.95 + (0.003 if cell["model"] == "bcnn_attention" else 0.002) * fold

    world(tmp_path, "architectures", accuracy, "AB", folds=3)
    found = BY_ID["24"].experiment(tmp_path)
    assert found.value == pytest.approx(0.452)
    top = BY_ID["02"].experiment(tmp_path)
    assert top == "the folds do not vary"  # of the third highest nobody is ahead
    assert isinstance(BY_ID["10"].experiment(tmp_path), Effect)


def overlaps(key: str, gain: float, letter: str = "B", images: int = 6) -> Overlaps:
    """Return overlaps that never were; COVID-19 gains less by boxes than pneumonia does."""
    lines = [
        {"sample": f"{label}{k}", "patient": f"{label}{k}", "label": label, "source": source,
         "threshold": t, "mask": m + other, "box": m + other + extra}
        for label, extra in zip(CLASSES, (0.0, 0.1), strict=True)
        for k in range(images)
        for source, m in ((MEAN, 0.2 + gain + extra + 0.01 * k), (BLOB, 0.2))
        for t, other in ((0.3, 0.3 * (source == MEAN)), (0.5, 0.0))  # 0.5 is what counts
    ]  # fmt: skip
    facts = {"phantom": False, "profile": "laptop", "fingerprint": "f"}
    return Overlaps(key, letter, 0, pd.DataFrame(lines), facts)


def test_attention_is_compared_with_a_blob_image_by_image(tmp_path):
    write(overlaps("one-s0-0", 0.1), tmp_path)
    found = BY_ID["22"].experiment(tmp_path)
    assert found.value == pytest.approx(0.125) and found.runs == 1  # COVID-19 is the weaker
    assert found.low > 0.1 and found.images == 6  # six people, not one who is unknown
    assert found.records == ("magsd/localization/one-s0-0.json",)


def test_networks_that_see_the_same_outlines_are_repeats(tmp_path):
    for number, gain in enumerate((0.05, 0.1, 0.3)):
        write(overlaps(f"run-s{number}-{number}", gain), tmp_path)
    write(overlaps("other-s0-9", -0.5, letter="A"), tmp_path)  # B speaks where it is recorded
    found = BY_ID["22"].experiment(tmp_path)
    assert found.value == pytest.approx(0.175) and found.runs == 3
    assert found.low < 0 and len(found.records) == 3


def test_folds_that_leave_few_outlines_each_still_give_an_effect(tmp_path):
    """Those of set B leave three images of a class: a draw of all patients would often miss one."""
    for fold in range(5):
        few = overlaps(f"run-s0-{fold}", 0.1 * fold, images=3)
        few.table["sample"] += f" of fold {fold}"
        write(few, tmp_path)
    found = BY_ID["22"].experiment(tmp_path)
    assert found.value == pytest.approx(0.21) and (found.runs, found.images) == (5, 15)


def test_folds_of_unequal_size():
    table = pd.DataFrame({"split": ["test"] * 52 + ["val"] * 26})
    runs = [SimpleNamespace(body={"spec": {"data": {"folds": 5}}}, predictions=table)]
    assert image_counts(runs) == (182, 52)


def test_rows_of_the_paper_are_rows_of_the_plans():
    for claim in magsd.CLAIMS:
        parts = getattr(claim.experiment, "parts", (claim.experiment,))
        for part in parts:
            if not isinstance(part, FoldContrast):
                continue
            rows = [dict(r.cell) for r in plan(part.plan, "smoke", phantoms=True).rows]
            for _, cell in (term for unit in part.units for term in unit):
                assert sum(cell.items() <= row.items() for row in rows) == 1, (claim.id, cell)


def test_a_row_that_never_names_a_class_stands_in_the_note(tmp_path):
    results = world(tmp_path, "architectures", lambda cell, fold: 0.5 + 0.01 * fold, "B")
    rows = {
        row.label: row.specs for row in plan("magsd/architectures", "laptop", phantoms=False).rows
    }
    for number, spec in enumerate(rows["B: BCNN with attention"]):
        file = results / "magsd" / spec.key / PREDICTIONS
        table = pd.read_parquet(file)
        table[[f"p_{name}" for name in C]] = np.eye(4)[number % 2]
        table.to_parquet(file)
    notes = ledger("magsd", [BY_ID["10"], BY_ID["04"]], results)["note"]
    told = "Recorded rows that in no run name all their classes: B: BCNN with attention (1 of 4 cla"
    assert told in notes["magsd-Q10"] and "MAG-SD (" not in notes["magsd-Q10"]
    assert "Recorded rows" not in notes["magsd-Q04"]


def test_rows_that_guess_alike_need_other_trainings_not_more(tmp_path):
    results = world(tmp_path, "architectures", lambda cell, fold: 0.5)
    for file in results.glob(f"magsd/*bcnn*/{PREDICTIONS}"):
        table = pd.read_parquet(file)
        table[[f"p_{name}" for name in C]] = np.eye(4)[0]
        table.to_parquet(file)
    line = ledger("magsd", [BY_ID["09"]], results).loc["magsd-Q09"]
    assert (line["verdict"], line["reason"]) == (NOT_TESTABLE, "the folds do not vary")
    assert line["needs"] == "trainings after which its rows differ"
