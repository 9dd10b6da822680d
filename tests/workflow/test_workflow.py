from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from small_runs import FINDER, masked
from typer.testing import CliRunner

from covidlib.cli import app
from covidlib.errors import DataError, RunError
from covidlib.runs.record import PREDICTIONS, RECORD, WEIGHTS
from covidlib.runs.running import run, shown
from covidlib.runs.store import Store
from covidlib.training.fit import Resources
from covidlib.workflow.reading import Read, write
from covidlib.workflow.two_stages import Workflow

CPU = Resources("cpu", threads=1)
SPEC = masked(48)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    place = Store(tmp_path_factory.mktemp("store"))
    run(SPEC, place, resources=CPU)
    return place


@pytest.fixture(scope="module")
def workflow(store):
    return Workflow.of(SPEC, store)


def paths_of(store):
    data = shown(SPEC, store)
    return [Path(p) for p in data.table["path"].iloc[data.rows("test").numpy()]], data


def test_files_get_the_probabilities_of_the_run_that_trained_the_network(workflow, store):
    paths, data = paths_of(store)
    found = workflow.apply(paths)
    recorded = store.get(SPEC).test
    columns = [f"p_{name}" for name in workflow.classes]
    np.testing.assert_allclose(found.table[columns], recorded[columns], atol=1e-4)
    rows = data.rows("test").numpy()
    assert (found.lungs == np.asarray(data.cached.lungs)[rows].astype(bool)).all()
    np.testing.assert_allclose(found.table[columns].sum(axis=1), 1)


def test_a_saved_workflow_says_the_same(workflow, store, tmp_path):
    paths, _ = paths_of(store)
    again = Workflow.load(workflow.save(tmp_path / "saved"))
    assert again.apply(paths).table.equals(workflow.apply(paths).table)
    with pytest.raises(RunError, match="never overwritten"):
        workflow.save(tmp_path / "saved")


def test_a_folder_is_read_explained_and_written(workflow, store, tmp_path):
    paths, _ = paths_of(store)
    (tmp_path / "in").mkdir()
    for number, path in enumerate(paths):
        Image.open(path).save(tmp_path / "in" / f"patient {number}.png")
    found = workflow.apply(tmp_path / "in", explain=True)
    assert found.heat.shape == found.images.shape and (found.heat >= 0).all()
    target = tmp_path / "out"
    written = write([found], target)
    assert written.equals(found.table)
    table = pd.read_csv(target / "results.csv")
    assert table["label"].tolist() == found.table["label"].tolist()
    assert len(list(target.glob("*-lungs.png"))) == len(list(target.glob("*-heat.png"))) == 4
    with pytest.raises(DataError, match="name a new folder"):
        write([found], target)


def test_some_images_at_a_time_are_read_and_written_as_all_at_once(workflow, store, tmp_path):
    paths, _ = paths_of(store)
    whole = workflow.apply(paths, explain=True)
    parts = list(workflow.readings(paths, explain=True, at_once=3))
    assert [len(part.images) for part in parts] == [3, 1]
    again = Read.joined(parts)
    pd.testing.assert_frame_equal(again.table, whole.table, atol=1e-4)
    assert (again.images == whole.images).all() and (again.lungs == whole.lungs).all()
    assert (again.predicted == whole.predicted).all()
    np.testing.assert_allclose(again.heat, whole.heat, atol=1e-4 * whole.heat.max())
    write([whole], tmp_path / "whole")
    write(iter(parts), tmp_path / "parts")
    names = {path.name for path in (tmp_path / "whole").iterdir()}
    assert {path.name for path in (tmp_path / "parts").iterdir()} == names and len(names) == 9


def test_a_reading_that_breaks_off_leaves_nothing(workflow, store, tmp_path):
    def broken():
        yield workflow.apply(paths_of(store)[0])
        raise DataError("the disk of the images is gone")

    with pytest.raises(DataError, match="gone"):
        write(broken(), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_picture_without_lungs_is_named(workflow, tmp_path):
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(tmp_path / "black.png")
    stage = workflow.segmentation
    shy = replace(stage.spec.training, threshold=1.0)
    blind = replace(workflow, segmentation=replace(stage, spec=replace(stage.spec, training=shy)))
    found = blind.apply(tmp_path)
    (warning,) = found.table["warning"]
    assert "no lungs were found" in warning
    assert found.table["lung_share"].tolist() == [0]


def test_what_speaks_against_a_label_is_said(workflow, store, tmp_path):
    paths, _ = paths_of(store)
    assert workflow.apply(paths[0]).table["warning"].str.contains("learnt from drawn").all()
    noise = np.random.default_rng(0).integers(0, 255, (64, 80, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.png")
    (warning,) = workflow.apply(tmp_path).table["warning"]
    assert "does not look like a chest X-ray" in warning


def test_images_that_cannot_be_decoded_are_all_named(workflow, store, tmp_path):
    paths, _ = paths_of(store)
    for name in ("one.png", "two.png"):
        (tmp_path / name).write_bytes(b"no image")
    with pytest.raises(DataError, match=r"2 of 3 .*one\.png.*two\.png"):
        workflow.apply([*paths[:1], tmp_path / "one.png", tmp_path / "two.png"])
    with pytest.raises(DataError, match="neither a folder nor an image"):
        workflow.apply(tmp_path / "nowhere")


@pytest.mark.parametrize("file", [RECORD, PREDICTIONS, WEIGHTS])
@pytest.mark.parametrize("gone", [True, False])
def test_a_damaged_workflow_is_refused(workflow, tmp_path, file, gone):
    place = workflow.save(tmp_path / "saved") / "classification" / file
    place.unlink() if gone else place.write_bytes(b"{")
    with pytest.raises(RunError, match=r"missing|no weights|incomplete or damaged"):
        Workflow.load(tmp_path / "saved")


def test_the_command_line_saves_and_applies(store, tmp_path):
    paths, _ = paths_of(store)
    call = CliRunner().invoke
    options = ["--store", str(store.root)]
    saved = call(app, ["workflow", "save", SPEC.key, str(tmp_path / "model"), *options])
    assert saved.exit_code == 0, saved.output
    arguments = ["workflow", "apply", str(tmp_path / "model"), str(paths[0])]
    done = call(app, [*arguments, "--out", str(tmp_path / "out"), "--explain"])
    assert done.exit_code == 0, done.output
    assert {p.suffix for p in (tmp_path / "out").iterdir()} == {".csv", ".png"}
    for wrong in (
        ["workflow", "save", "no-such-run", str(tmp_path / "other"), *options],
        ["workflow", "save", FINDER.key, str(tmp_path / "other"), *options],
        [*arguments, "--out", str(tmp_path / "out")],
    ):
        found = call(app, wrong)
        assert found.exit_code == 1 and "error" in found.output and "Traceback" not in found.output
    early = call(app, ["workflow", "apply", "no-model", "no-image", "--out", str(tmp_path / "out")])
    assert early.exit_code == 1 and "exists" in early.output, "refused before any work"


def test_what_is_missing_is_said(tmp_path, store):
    with pytest.raises(RunError, match="holds no workflow"):
        Workflow.load(tmp_path)
    with pytest.raises(RunError, match="one stage only"):
        Workflow.of(replace(SPEC, data=replace(SPEC.data, lungs=None, view="image")), store)
    with pytest.raises(RunError, match="not in the store"):
        Workflow.of(replace(SPEC, seed=7), store)
    with pytest.raises(DataError, match="holds no image"):
        Workflow.of(SPEC, store).apply(tmp_path)
