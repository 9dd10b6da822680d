import os
import re
import shutil
import subprocess
import sys

import nbformat
import pytest
from small_book import START

from covidlib.book import Parameters
from covidlib.errors import CovidlibError
from covidlib.publish.execution import execute, surroundings
from covidlib.publish.places import PublishError


def outputs(places, parameters, name="quick"):
    path = places.executed(parameters) / "notebooks" / "demo" / f"{name}.ipynb"
    cells = nbformat.read(path, as_version=4).cells
    return "".join(out.get("text", "") for cell in cells for out in cell.get("outputs", []))


def test_parameters_reach_the_notebook_and_the_pair_stays_clean(quick, tmp_path, monkeypatch):
    (tmp_path / "images").mkdir()
    monkeypatch.chdir(tmp_path)
    parameters = Parameters("laptop", "images", 7)
    (outcome,) = execute(quick, parameters)
    assert not outcome.problem
    assert outputs(quick, parameters).strip() == f"seed 7 data {tmp_path / 'images'}"
    pair = nbformat.read(quick.scripts[0].with_suffix(".ipynb"), as_version=4)
    assert all(not cell.outputs for cell in pair.cells if cell.cell_type == "code")


def test_only_changed_content_is_executed_again(quick):
    def fresh(**options):
        return not execute(quick, Parameters(), **options)[0].reused

    script = quick.scripts[0]
    assert fresh()
    assert not fresh()
    os.utime(script)  # a new time is not a new content
    assert not fresh()
    script.write_text(script.read_text() + "\n# %%\nprint('more')\n")
    assert fresh()
    assert "more" in outputs(quick, Parameters())
    assert not fresh()
    assert fresh(force=True)


@pytest.mark.parametrize(
    "change",
    ["covidlib/part.py", "covidlib/deep/table.csv", "book/results/msatl/run/record.json"],
)
def test_surroundings_see_the_library_and_the_records(quick, change):
    before = surroundings(quick, Parameters())
    path = quick.root / change
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("changed")
    assert surroundings(quick, Parameters()) != before


@pytest.mark.parametrize("change", ["book/intro.md", "covidlib/publish/staging.py", "_toc.yml"])
def test_surroundings_ignore_what_no_output_depends_on(quick, change):
    before = surroundings(quick, Parameters())
    path = quick.root / change
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("root: changed")
    assert surroundings(quick, Parameters()) == before


def test_surroundings_see_a_changed_data_folder(quick, tmp_path):
    folder = tmp_path / "images"
    (folder / "set").mkdir(parents=True)
    (folder / "set" / "a.png").write_bytes(b"12")
    parameters = Parameters("smoke", str(folder))
    before = surroundings(quick, parameters)
    assert surroundings(quick, parameters) == before
    (folder / "set" / "a.png").write_bytes(b"123")
    assert surroundings(quick, parameters) != before


def test_a_failing_notebook_is_reported_kept_and_tried_again(quick):
    script = quick.scripts[0]
    good = script.read_text()
    script.write_text(good + "\n# %%\nraise ValueError('planted')\n")
    other = script.with_name("another.py")
    other.write_text(good)
    outcomes = {outcome.name: outcome for outcome in execute(quick, Parameters())}
    failed = outcomes["notebooks/demo/quick"]
    assert "ValueError: planted" in failed.problem
    assert not outcomes["notebooks/demo/another"].problem, "one failure must not stop the others"
    folder = quick.executed(Parameters()) / "notebooks" / "demo"
    assert "planted" in (folder / "quick.failed.ipynb").read_text()
    assert not (folder / "quick.ipynb").exists()
    assert execute(quick, Parameters(), only="quick")[0].problem, "a failure is never reused"
    script.write_text(good)
    assert not execute(quick, Parameters(), only="quick")[0].problem
    assert not (folder / "quick.failed.ipynb").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed = 0\n", "", r"no parameter \['seed'\]"),
        ("seed = 0\n", "seed = 0\nepochs = 3\n", r"nobody sets: \['epochs'\]"),
        (' tags=["parameters"]', "", r"no parameter \['data', 'profile', 'seed'\]"),
    ],
)
def test_a_notebook_with_other_parameters_is_refused(quick, old, new, message):
    script = quick.scripts[0]
    script.write_text(script.read_text().replace(old, new))
    (outcome,) = execute(quick, Parameters())
    assert re.search(message, outcome.problem)


def test_two_at_a_time_give_the_outcomes_in_order(quick):
    shutil.copy(quick.scripts[0], quick.scripts[0].with_name("another.py"))
    outcomes = execute(quick, Parameters(), jobs=2)
    assert [outcome.name for outcome in outcomes] == [
        "notebooks/demo/another",
        "notebooks/demo/quick",
    ]
    assert not any(outcome.problem for outcome in outcomes)


def test_nothing_to_execute_is_an_error(quick):
    with pytest.raises(PublishError, match="no notebook matches 'absent'"):
        execute(quick, Parameters(), only="absent")
    quick.scripts[0].unlink()
    with pytest.raises(PublishError, match="there are no notebooks"):
        execute(quick, Parameters())


def test_a_gpu_that_was_asked_for_must_be_there(quick, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(CovidlibError, match="a GPU was asked for"):
        execute(quick, Parameters(), gpu=True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    script = quick.scripts[0]
    script.write_text(script.read_text() + f"\n{START}")
    (outcome,) = execute(quick, Parameters(), gpu=True)
    # The notebook's own process asks again, and there the patch does not reach.
    assert ("a GPU was asked for" in outcome.problem) != _has_gpu()
    assert not execute(quick, Parameters())[0].problem
    assert surroundings(quick, Parameters(), gpu=True) != surroundings(quick, Parameters())


def _has_gpu() -> bool:
    code = "import sys, torch; sys.exit(not torch.cuda.is_available())"
    return subprocess.run([sys.executable, "-c", code]).returncode == 0
