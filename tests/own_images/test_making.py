"""From a folder to a model and its answers, through the commands, with a small network."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from own_folders import listed, photographs, slices, xrays
from small_runs import draw_covid_ct, tiny, written_at
from typer.testing import CliRunner

from covidlib import cli
from covidlib.data import floors
from covidlib.data.findings import Findings
from covidlib.errors import CovidlibError, DataError, RunError
from covidlib.evaluation.calibration import at_temperature
from covidlib.models.attention_resnet import AttentionResNetSettings
from covidlib.own_images import auditing, choosing, training
from covidlib.own_images.model import Model, free, open_model
from covidlib.own_images.opening import open_own
from covidlib.own_images.predicting import ask, write_heatmaps
from covidlib.runs.running import run
from covidlib.runs.store import Store

SMALL = AttentionResNetSettings(18)


def patient(path):
    return path.name.split("_")[0]


def scanner(path):
    return path.parent.name[:1]


def call(*arguments):
    answer = CliRunner().invoke(cli.app, [str(part) for part in arguments])
    return answer.exit_code, " ".join(answer.output.split())


@pytest.fixture(scope="module", autouse=True)
def small_floors():
    """Small forests: what they find is tested elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(floors, "TREES", 5)
        patch.setattr(auditing, "FLOOR_SEEDS", 1)
        yield


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("own")


@pytest.fixture(scope="module")
def images(home):
    folder = xrays(home / "scans")
    return listed(home / "scans.csv", folder, patient=patient, source=scanner)


@pytest.fixture(scope="module")
def store(home):
    """A store with one run that one can start from, of CT slices, and one of another seed."""
    place = Store(home / "store")
    root = draw_covid_ct(home / "data")
    for seed in (0, 1):
        run(tiny(seed=seed, network=SMALL, epochs=1), place, root)
    return place


@pytest.fixture(scope="module")
def trained(home, images, store):
    """The folder that the command writes, and what it said."""
    key = store.records()[0].key
    options = ["--profile", "smoke", "--store", store.root, "--threads", "1", "--start", key]
    code, said = call("train", images, "--out", home / "model", *options)
    assert code == 0, said
    return home / "model", said


def test_the_audit_says_what_is_wrong(images):
    found = auditing.audit(open_own(images))
    assert isinstance(found.findings, Findings)
    text = " ".join(remark.text for remark in found.remarks)
    assert not found.stops
    # The first letter of the class is the source, so the source names every class.
    assert "The source alone names the class of 100% of the images" in text
    assert "Cramér's V 1.00" in text
    counts = found.sources
    assert counts.loc["N", "Pneumonia"] == counts.loc["P", "No_findings"] == 0
    assert "patient of" not in text
    order = [remark.kind for remark in found.remarks]
    assert order == sorted(order, key=("stop", "beware", "fine").index)


def test_patients_in_two_sets_stop_the_training(home, images, store):
    rows = pd.read_csv(images, dtype="string")
    rows["split"] = np.where(np.arange(len(rows)) % 2, "train", "test")
    rows.to_csv(home / "leaking.csv", index=False)
    code, said = call("audit", home / "leaking.csv", "--out", home / "leaking.html")
    assert code == 1
    assert re.search(r"stop +\d+ patients have images in more than one set", said)
    assert "<h1>Audit of leaking.csv</h1>" in (home / "leaking.html").read_text()
    code, said = call("train", home / "leaking.csv", "--out", home / "no", "--store", store.root)
    assert code == 1
    assert "nothing was trained" in said
    assert not (home / "no").exists()


def test_a_store_offers_each_run_once(store):
    assert len(store.records()) == 2 and len(choosing.candidates(store)) == 1
    assert choosing.candidates(store, beside="covid-ct") == {}
    assert choosing.candidates(store, only=[]) == {}


def test_the_start_is_chosen_on_training_images_alone(images, store, monkeypatch):
    own = open_own(images)
    scratch = replace(training.own_spec(own, "cxr", "smoke"), network=SMALL)
    seen = []
    inner = choosing.features
    monkeypatch.setattr(
        choosing, "features", lambda own, rows, *rest: seen.append(rows) or inner(own, rows, *rest)
    )
    choice = choosing.choose(own, store, scratch)
    table = own.dataset.table
    assert all((table["split"].iloc[rows] == "train").all() for rows in seen)
    assert len(seen) == len(choice.scores) == 2
    assert choice.scores["N-LEEP"].is_monotonic_decreasing
    assert choice.name == choice.scores.index[0]
    again = choosing.choose(own, store, scratch)
    pd.testing.assert_frame_equal(choice.scores, again.scores)


def test_the_command_leaves_a_whole_folder_with_a_card(trained):
    folder, said = trained
    assert {path.name for path in folder.iterdir()} == {
        "record.json", "predictions.parquet", "curve.csv", "weights.safetensors", "model.json",
        "model_card.html",
    }  # fmt: skip
    card = (folder / "model_card.html").read_text()
    for text in ("must not be used for", "Floors", "Calibration", "Leaks", "Grad-CAM", "sensitiv"):
        assert text in card
    assert "Trained on phantoms" in card
    assert 'src="data:image/png;base64,' in card
    assert not re.search(r'(?:src|href)="(?!data:)', card)
    assert re.search(r"auc: 0\.\d+ \[[\d., ]+\] sens", said), "no (n=1), which reads like images"
    facts = json.loads((folder / "model.json").read_text())
    assert facts["positive"] == "Pneumonia"
    assert facts["modality"] == "cxr"


def test_a_folder_that_exists_is_refused_before_anything_begins(trained, images):
    folder, _ = trained
    with pytest.raises(CovidlibError, match="exists"):
        free(folder)
    code, said = call("train", images, "--out", folder)
    assert code == 1
    assert "name another folder" in said
    assert "readable images" not in said


def test_a_place_that_cannot_be_written_is_said_before_the_images_are_read(images, home):
    file = home / "a file"
    file.write_text("")
    calls = {
        ("audit", images, "--out", home): "is a folder; name a file",
        ("audit", images, "--out", file / "report.html"): "cannot write to the folder",
        ("train", images, "--out", file / "model"): "cannot write to the folder",
        ("train", images, "--store", file, "--out", home / "new"): "cannot make the folder of runs",
        ("predict", "x.png", "--model", "any", "--heatmaps", file): "cannot write to the folder",
    }
    for arguments, message in calls.items():
        code, said = call(*arguments)
        assert (code, message in said, "Traceback" in said) == (1, True, False), said
        assert "readable images" not in said
    assert not (home / "new").exists()


def test_brackets_in_the_name_of_a_class_are_shown(tmp_path, images):
    rows = pd.read_csv(images).replace({"label": {"Pneumonia": "Pneumonia [x]"}})
    rows.to_csv(tmp_path / "named.csv", index=False)
    code, said = call("audit", tmp_path / "named.csv", "--out", tmp_path / "named.html")
    assert code == 0
    assert "│ Pneumonia [x] │" in said


def test_a_last_batch_of_few_images_is_left_out(images):
    own = open_own(images)
    spec = training.own_spec(own, "cxr", "smoke")
    batch, table = spec.training.batch, own.dataset.table
    trained = table.index[table["split"] == "train"]
    for more, left_out in {1: True, batch // 2 - 1: True, batch // 2: False}.items():
        rest = table.drop(trained[batch + more :]).reset_index(drop=True)
        fewer = replace(own, dataset=replace(own.dataset, table=rest))
        assert training.own_spec(fewer, "cxr", "smoke").training.drop_last == left_out


def test_the_second_training_is_found_and_changed_images_are_trained_anew(home, images, store):
    place = Store(home / "second")
    spec = training.own_spec(open_own(images), "cxr", "smoke")
    small = replace(spec, network=SMALL, training=replace(spec.training, epochs=1))
    target = home / "grows.csv"
    rows = pd.read_csv(images)
    rows.to_csv(target, index=False)
    spec = replace(small, data=replace(small.data, dataset="grows.csv"))
    first = training.train(open_own(target), spec, place, profile="smoke")
    written = written_at(first)
    again = training.train(open_own(target), spec, place, profile="smoke")
    assert written_at(again) == written
    before = first.provenance["fingerprint"]
    rows.iloc[1:].to_csv(target, index=False)
    changed = training.train(open_own(target), spec, place, profile="smoke")
    assert changed.provenance["fingerprint"] != before
    # The same images, but people are known now: some were in training and in testing before.
    people = rows.iloc[1:].assign(patient=[f"p{n // 3}" for n in range(len(rows) - 1)])
    people.to_csv(target, index=False)
    written = written_at(changed)
    divided = training.train(open_own(target), spec, place, profile="smoke")
    assert divided.provenance["fingerprint"] == changed.provenance["fingerprint"]
    assert written_at(divided) > written
    assert not divided.test["patient"].isna().any()


def test_a_model_repeats_the_predictions_of_its_record(trained, images):
    folder, _ = trained
    model = open_model(folder)
    tested = model.record.test.head(5)
    table = open_own(images).dataset.table.set_index("sample")
    found = model.predict([table.loc[sample, "path"] for sample in tested["sample"]])
    for name in model.classes:
        # Batches of another size may round bfloat16 differently.
        np.testing.assert_allclose(found[f"raw_{name}"], tested[f"p_{name}"], atol=0.02)
    raw = found[[f"raw_{name}" for name in model.classes]].set_axis(
        [f"p_{name}" for name in model.classes], axis=1
    )
    cooled = at_temperature(raw, model.temperature.value)
    np.testing.assert_allclose(cooled, found[cooled.columns])


def test_answers_come_with_likeness_and_refusals_with_reasons(trained, images, tmp_path):
    model = open_model(trained[0])
    xray = open_own(images).dataset.table["path"].iloc[0]
    ct = next(slices(tmp_path / "ct").rglob("*.png"))
    pet = next(photographs(tmp_path / "pets").rglob("*.png"))
    answer = ask(model, [xray, ct, pet, tmp_path / "nothing.png"])
    assert answer.table["path"].tolist() == [xray]
    assert "test images near" in answer.table["likeness"].iloc[0]
    assert "temperature" in answer.note
    assert re.search(r"off by 0\.\d\d on average .* true would be off by 0\.\d\d", answer.note)
    assert "not a diagnosis" in answer.note
    reasons = [problem.reason for problem in answer.refused]
    assert "looks like a CT slice" in reasons[0]
    assert "in colour" in reasons[1]
    assert "no such file" in reasons[2]
    with pytest.raises(DataError, match="name one image"):
        ask(model, [])


def test_heatmaps_are_written_whole_and_names_do_not_collide(
    trained, images, tmp_path, monkeypatch
):
    model = open_model(trained[0])
    asked, inner = [], Model.heatmaps
    monkeypatch.setattr(
        Model,
        "heatmaps",
        lambda self, paths, names: asked.append(paths) or inner(self, paths, names),
    )
    own = open_own(images).dataset.table
    first = own["path"].iloc[0]
    (tmp_path / "other").mkdir()
    twin = tmp_path / "other" / first.rpartition("/")[2]
    twin.write_bytes(Path(own["path"].iloc[1]).read_bytes())
    answer = ask(model, [first, twin])
    written = write_heatmaps(model, answer.table, tmp_path / "heat")
    assert len({path.name for path in written}) == 2
    assert asked == [[Path(first)], [twin]], "never a whole folder in memory"
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)
    assert len([*(tmp_path / "heat").iterdir()]) == 2
    shown, maps = model.heatmaps([first], [model.classes[0]])
    assert shown.shape == maps.shape == (1, 64, 64)
    assert (maps >= 0).all()


def test_the_predict_command_prints_and_fails_where_it_refused(trained, images, tmp_path):
    own = open_own(images).dataset.table
    ct = next(slices(tmp_path / "ct").rglob("*.png"))
    options = ["--model", trained[0], "--heatmaps", tmp_path / "heat"]
    code, said = call("predict", own["path"].iloc[0], *options)
    assert code == 0, said
    assert "heatmap:" in said
    code, said = call("predict", own["path"].iloc[0], ct, *options)
    assert code == 1
    assert "refused" in said
    code, said = call("predict", ct, "--model", "no-such-run", "--store", tmp_path / "empty")
    assert code == 1
    assert "no run in" in said


def test_a_run_of_the_store_is_found_by_a_part_of_its_key(store, tmp_path):
    keys = [record.key for record in store.records()]
    model = open_model(keys[0], store)
    assert model.modality == "ct"
    assert model.temperature.images == 6
    with pytest.raises(RunError, match="2 runs"):
        open_model("covid-ct", store)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--profile", "huge"], "profile is one of smoke, laptop, paper"),
        (["--start", "no-such-run"], "0 runs in"),
        (["--modality", "mri"], "ct or cxr, not 'mri'"),
        (["--modality", "ct"], "where a CT slice is meant"),
        (["--positive", "flu"], "no class 'flu'"),
    ],
)
def test_a_mistake_is_said_and_nothing_is_written(images, store, tmp_path, options, message):
    target = tmp_path / "model"
    code, said = call("train", images, "--out", target, "--store", store.root, *options)
    assert code == 1
    assert message in said
    assert not target.exists()
