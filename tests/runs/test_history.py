"""What is remembered of runs, and what counts as a change."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t, ttest_ind
from small_runs import tiny
from typer.testing import CliRunner

from covidlib import cli
from covidlib.errors import RunError
from covidlib.runs.history import HISTORY, line, lines, read, recorded_runs, remember
from covidlib.runs.record import Record
from covidlib.runs.regressions import NothingInCommonError, compare, select
from covidlib.runs.spec import described
from covidlib.settings import DataSettings

RESULTS = Path(__file__).resolve().parents[2] / "book" / "results"
ONE, TWO = "a" * 40, "b" * 40


def record(folder: Path, spec, metrics, commit=ONE, profile="laptop", day=1, forget=()) -> Record:
    """Write a finished run's record by hand."""
    body = {
        "key": spec.key,
        "spec": described(spec),
        "metrics": metrics,
        "provenance": {
            "commit": commit,
            "started": f"2026-01-{day:02d}T00:00:{spec.seed:02d}+00:00",
            "profile": profile,
            "phantom": False,
            "device": "cpu",
            "hardware": "a processor",
            "data": "covid-ct",
            "seconds": 1.0,
        },
    }
    for name in forget:
        del body["spec"]["training"][name]
    target = folder / f"{spec.key}-{commit[0]}"
    target.mkdir(parents=True)
    (target / "record.json").write_text(json.dumps(body))
    return Record(target)


def made(tmp_path: Path, before, after, **settings) -> Path:
    """Return a history of one family on two commits, one value per seed."""
    path = tmp_path / HISTORY
    for commit, day, values in ((ONE, 1, before), (TWO, 2, after)):
        runs = [
            record(tmp_path, tiny(seed=seed, **settings), {"auc": value}, commit, day=day)
            for seed, value in enumerate(values)
        ]
        remember([("msatl", run) for run in runs], path)
    return path


# The history


def test_lines_are_appended_once_in_order_and_never_touched(tmp_path):
    path = tmp_path / "deep" / HISTORY
    later = record(tmp_path, tiny(seed=1), {"auc": 0.6}, day=3)
    early = record(tmp_path, tiny(seed=0), {"auc": 0.5}, day=2)
    assert remember([("msatl", later), ("msatl", early)], path) == 2
    assert [entry["seed"] for entry in lines(path)] == [0, 1]
    before = path.read_bytes()
    assert remember([("msatl", early), ("msatl", later)], path) == 0
    assert path.read_bytes() == before
    again = record(tmp_path, tiny(seed=0), {"auc": 0.7}, TWO, day=4)
    assert remember([(None, again)], path) == 1, "another commit is another line"
    assert path.read_bytes().startswith(before)
    assert lines(path)[-1]["paper"] == "msatl", "known from runs with the same settings"
    assert read(path)["value"].tolist() == [0.5, 0.6, 0.7]


def test_a_family_is_all_but_the_seed_and_outlives_a_new_setting(tmp_path):
    spec = tiny(seed=3, init=tiny(seed=3))
    first = line(record(tmp_path / "a", spec, {}), "msatl")
    other = replace(spec, seed=4, init=tiny(seed=4))
    assert line(record(tmp_path / "b", other, {}), "msatl")["family"] == first["family"]
    assert first["name"] == other.slug.removesuffix("-s4")
    old = record(tmp_path / "c", spec, {}, forget=["gamma"])
    assert line(old, "msatl")["family"] == first["family"], "gamma stands at its default"
    wider = replace(spec, training=replace(spec.training, lr=0.7))
    assert line(record(tmp_path / "d", wider, {}), "msatl")["family"] != first["family"]


@pytest.mark.parametrize("text", ['{"key": "a"', '{"key": "a"}', "7"])
def test_a_broken_line_is_named(tmp_path, text):
    path = made(tmp_path, [0.5], [])
    path.write_text(path.read_text() + text + "\n")
    with pytest.raises(RunError, match="line 2 of"):
        read(path)


def test_nothing_recorded_is_an_empty_table(tmp_path):
    assert lines(tmp_path / HISTORY) == [] and read(tmp_path / HISTORY).empty


def test_every_recorded_run_is_in_the_history():
    known = {entry["key"] for entry in lines(RESULTS / HISTORY)}
    lacking = [run.key for _, run in recorded_runs(RESULTS) if run.key not in known]
    assert lacking == [], "run: covidlib results remember"


# Changes


def test_the_test_is_students_over_seeds(tmp_path):
    before, after = [0.70, 0.72, 0.71], [0.60, 0.63, 0.61]
    (row,) = compare(read(made(tmp_path, before, after)), ONE[:8], TWO[:8]).to_dict("records")
    expected = ttest_ind(before, after)
    assert row["p"] == pytest.approx(expected.pvalue)
    assert row["difference"] == pytest.approx(np.mean(after) - np.mean(before))
    assert (row["runs, first"], row["runs, second"], row["finding"]) == (3, 3, "worse")
    assert row["detectable"] < 0.1 and row["spread"] == "its own seeds"


def test_what_seeds_explain_is_no_change(tmp_path):
    found = compare(read(made(tmp_path, [0.5, 0.7, 0.6], [0.45, 0.65])), "earlier", "latest")
    assert found["finding"].tolist() == ["no change seen"]
    assert abs(found["difference"][0]) < found["detectable"][0]


def test_a_change_to_the_good_and_metrics_that_should_be_low(tmp_path):
    history = read(made(tmp_path, [0.1, 0.11, 0.12], [0.8, 0.81, 0.82]))
    assert compare(history, ONE, TWO)["finding"].tolist() == ["better"]
    loss = history.assign(metric="val_loss")
    assert compare(loss, ONE, TWO)["finding"].tolist() == ["worse"]


def test_one_seed_borrows_the_spread_of_others_or_says_that_there_is_none(tmp_path):
    path = made(tmp_path, [0.7], [0.2])
    (row,) = compare(read(path), ONE, TWO).to_dict("records")
    assert row["finding"] == "spread unknown" and np.isnan(row["p"])
    path = made(tmp_path / "more", [0.70, 0.71, 0.72], [])
    wider = made(tmp_path / "wide", [0.7], [0.2], epochs=7)
    path.write_text(path.read_text() + wider.read_text())
    (row,) = compare(read(path), ONE, TWO).to_dict("records")
    assert (row["finding"], row["spread"]) == ("worse", "seeds of other settings")


def test_seeds_that_change_nothing_make_any_change_one(tmp_path):
    path = made(tmp_path, [0.5, 0.5, 0.5], [0.499])
    assert compare(read(path), ONE, TWO)["finding"].tolist() == ["worse"]


def test_what_repeats_bit_for_bit_is_not_tested(tmp_path):
    history = read(made(tmp_path, [0.70, 0.72, 0.71], [0.70, 0.72]))
    (row,) = compare(history, ONE, TWO).to_dict("records")
    assert row["finding"] == "the same, bit for bit" and np.isnan(row["p"])
    moved = made(tmp_path / "b", [0.80, 0.82, 0.81], [0.70, 0.72, 0.71], epochs=7)
    path = tmp_path / HISTORY
    alone = compare(read(moved), ONE, TWO)["p"][0]
    path.write_text(path.read_text() + moved.read_text())
    both = compare(read(path), ONE, TWO).set_index("finding")
    assert both.loc["worse", "p"] < alone, "it borrows a spread, and pays for no second test"


def test_many_comparisons_are_corrected(tmp_path):
    history = read(made(tmp_path, [0.70, 0.72, 0.71], [0.68, 0.69, 0.67]))
    alone = compare(history, ONE, TWO)["p"][0]
    names = tuple(f"m{i}" for i in range(9))
    noise = [history.assign(metric=m, value=history["value"].mean()) for m in names]
    wide = pd.concat([history, *noise], ignore_index=True)
    together = compare(wide, ONE, TWO, ("auc", *names))
    assert together["p"][0] == pytest.approx(10 * alone) and alone < 0.05 < together["p"][0]
    assert len(compare(wide, ONE, TWO)) == 1, "metrics that nobody watches take no part"


def test_folds_of_one_setting_are_one_row(tmp_path):
    draw = np.random.default_rng(0)
    path = tmp_path / HISTORY
    folds = [DataSettings("covid-ct", split="kfold", fold=fold) for fold in (0, 1)]
    runs = [
        record(tmp_path, tiny(seed=seed, data=data), {"auc": value}, commit, day=day)
        for commit, day in ((ONE, 1), (TWO, 2))
        for fold, data in enumerate(folds)
        for seed, value in enumerate(draw.normal(0.7 + fold / 10, 0.02, 2))
    ]
    remember([("magsd", run) for run in runs], path)
    history = read(path)
    assert (history["family"].nunique(), history["row"].nunique()) == (2, 1)
    (row,) = compare(history, "earlier", "latest").to_dict("records")
    cells = history.groupby(["commit", "family"])["value"]
    assert row["first"] == pytest.approx(cells.mean()[ONE].mean())
    assert row["runs, first"] == 4 and "fold" not in row["name"]
    error = np.sqrt(cells.var().mean() * (1 / 2 + 1 / 2) * 2 / 2**2)
    assert row["p"] == pytest.approx(2 * t.sf(abs(row["difference"]) / error, 4))


def test_the_yardstick_is_what_is_recorded_and_no_night(tmp_path):
    nights = [(ONE, 1, 0.9), (TWO, 2, 0.6), ("c" * 40, 3, 0.6), ("d" * 40, 4, 0.6)]
    path = tmp_path / HISTORY
    for commit, day, value in nights:
        run = record(tmp_path / commit[0], tiny(), {"auc": value}, commit, day=day)
        remember([("msatl", run)], path)
    assert compare(read(path), "earlier", "latest")["first"].tolist() == [0.9]
    kept = record(tmp_path / "msatl", tiny(), {"auc": 0.6}, TWO, day=2)
    kept.folder.rename(tmp_path / "msatl" / kept.key)
    assert compare(read(path), "earlier", "latest")["first"].tolist() == [0.6], "recorded anew"


def test_profiles_are_matched_by_name_and_by_the_settings_with_most_runs(tmp_path):
    path = tmp_path / HISTORY
    runs = [
        record(tmp_path, tiny(seed=s, epochs=3), {"auc": v}) for s, v in enumerate((0.5, 0.6, 0.7))
    ]
    runs.append(record(tmp_path, tiny(epochs=4), {"auc": 0.1}))
    runs.append(record(tmp_path, tiny(epochs=9), {"auc": 0.9}, TWO, profile="paper"))
    remember([("msatl", run) for run in runs], path)
    (row,) = compare(read(path), "laptop", "paper").to_dict("records")
    assert (row["first"], row["runs, first"]) == (pytest.approx(0.6), 3)
    assert row["second"] == 0.9


def test_names_that_say_nothing_or_two_things_are_refused(tmp_path):
    history = read(made(tmp_path, [0.5], [0.6]))
    with pytest.raises(RunError, match="commits with runs: aaaaaaaa, bbbbbbbb"):
        select(history, "cccc")
    with pytest.raises(RunError, match="give more digits"):
        select(history, "")
    with pytest.raises(NothingInCommonError):
        compare(history, "earlier", ONE)


# The commands


def ask(*arguments):
    return CliRunner().invoke(cli.app, ["results", *map(str, arguments)])


def test_the_command_fails_only_where_something_is_worse_and_it_was_asked_to(tmp_path):
    path = made(tmp_path, [0.70, 0.72, 0.71], [0.60, 0.63, 0.61])
    answer = ask("compare", "earlier", "latest", "--history", path)
    assert answer.exit_code == 0 and "0.710 (n=3) -> 0.613 (n=3), -0.097" in answer.stdout
    assert ask("compare", "earlier", "latest", "--history", path, "--fail").exit_code == 1
    assert ask("compare", "latest", "aaaa", "--history", path, "--fail").exit_code == 0
    assert "1 results are the same" in ask("compare", "aaaa", "aaaa", "--history", path).stdout
    first = ask("compare", "earlier", "aaaa", "--history", path)
    assert first.exit_code == 0 and "nothing to compare" in first.stdout


def test_the_command_appends_a_store_and_names_what_is_missing(tmp_path):
    record(tmp_path / "store", tiny(), {"auc": 0.5})
    history = tmp_path / "history.jsonl"
    told = ask("remember", "--store", tmp_path / "store", "--history", history)
    assert (told.exit_code, len(lines(history))) == (0, 1) and "1 runs appended" in told.stdout
    for arguments, message in (
        (["remember", "--store", tmp_path / "absent"], "no folder of runs"),
        (["compare", "a", "b", "--history", tmp_path / "absent"], "covidlib results remember"),
        (["compare", "a", "zz", "--history", history], "commit or key 'zz'"),
    ):
        answer = ask(*arguments)
        assert answer.exit_code == 1 and message in answer.stderr
