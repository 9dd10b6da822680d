import json
import shutil

import pandas as pd
import pytest
from PIL import Image

from covidlib.benchmark import keeping
from covidlib.benchmark.sources import counts, group_of, overlap, splits
from covidlib.data import open_dataset
from covidlib.data.compositions import XRAY_SOURCES
from covidlib.data.phantoms import PhantomSettings, write
from covidlib.data.splits import split_table
from covidlib.errors import DataError
from covidlib.plans.across import CT, HELD_OUT, XRAYS, images
from covidlib.settings import DataSettings
from covidlib.training.data import learnt_from, training_data

COHEN, CXNET, NIH, CHILDREN = (
    "covid-chestxray-dataset", "covid-cxnet", "chestxray8-subset", "kermany-subset"
)  # fmt: skip


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """The sources under one root; CXNet has a picture of Cohen's, under another patient's name."""
    root = tmp_path_factory.mktemp("sources")
    for name in (COHEN, CXNET, NIH, CHILDREN):
        write(name, root / name, PhantomSettings(images=40, size=48))
        shutil.rmtree(root / name / "phantom_masks", ignore_errors=True)
    cohen = open_dataset(COHEN, root).table
    first = cohen[cohen["label"] == "COVID-19"].iloc[0]
    Image.open(first["path"]).convert("L").save(root / CXNET / "covid19" / "999.png")
    meta = pd.read_csv(root / CXNET / "metadata.csv", dtype="string")
    row = meta.iloc[0].copy()
    row["filename"], row["patient_id"] = "999.png", meta["patient_id"].iloc[-1]
    pd.concat([meta, row.to_frame().T]).to_csv(root / CXNET / "metadata.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:  # phantoms resemble each other more than X-rays do
        patch.setattr("covidlib.data.same_pictures.DISTANCE", 0)
        patch.setattr("covidlib.data.same_pictures.CORRELATION", 0.99999)
        yield root, open_dataset(XRAY_SOURCES.name, root), f"{COHEN}/{first['sample']}"


def test_a_shared_picture_is_left_out_and_its_people_are_one(shared):
    _, dataset, kept = shared
    samples = set(dataset.table["sample"])
    assert kept in samples and f"{CXNET}/covid19/999.png" not in samples
    table = split_table(dataset.table, "kfold", seed=0, fold=0, folds=3)
    owner = table.set_index("sample")["patient"]
    joined = table[table["patient"] == owner[kept]]
    assert set(joined["part"]) == {COHEN, CXNET} and len(set(joined["split"])) == 1
    found = overlap(dataset, table)
    assert found["left_out"] == 1 and found["joined"] == 1
    assert found["people"] == found["pictures"] == 0


def test_an_overlap_that_is_there_is_counted(shared):
    _, dataset, kept = shared
    table = split_table(dataset.table, "kfold", seed=0, fold=0, folds=3)
    owner = table.set_index("sample")["patient"]
    family = table.index[table["patient"] == owner[kept]]
    table.loc[family, "split"] = ["train", *["test"] * (len(family) - 1)]
    pairs = pd.DataFrame({"sample_a": [table.loc[family[0], "sample"]],
                          "sample_b": [table.loc[family[-1], "sample"]]})  # fmt: skip
    found = overlap(dataset, table, pairs)
    assert found["people"] == 1 and found["pictures"] == 1


@pytest.mark.parametrize("name", [*XRAYS, *HELD_OUT])
def test_a_training_sees_its_subset_alone_and_is_tested_on_all(shared, name):
    _, dataset, _ = shared
    whole = split_table(dataset.table, "kfold", seed=0, fold=0, folds=3)
    table = learnt_from(whole, DataSettings(XRAY_SOURCES.name, "kfold", 0, 3, learn_from=name))
    learnt = table[table["split"].isin(["train", "val"])]
    assert set(group_of(learnt)) <= set(XRAY_SOURCES.subsets[name])
    assert set(group_of(table[table["split"] == "train"])) == set(XRAY_SOURCES.subsets[name])
    tests = table["split"] == "test"
    assert (tests == (whole["split"] == "test")).all()
    assert set(group_of(table[tests])) == {p.group for p in XRAY_SOURCES.parts}


def test_left_out_sources_are_the_rest():
    groups = {part.group for part in XRAY_SOURCES.parts}
    for name in HELD_OUT:
        missing = groups - set(XRAY_SOURCES.subsets[name])
        assert missing and all(g.startswith(name.removeprefix("all-but-")) for g in missing)


def test_unknown_subsets_are_refused(shared):
    _, dataset, _ = shared
    with pytest.raises(DataError, match="no subset 'nobody'; it has cohen, cxnet-nih"):
        learnt_from(dataset.table, DataSettings(XRAY_SOURCES.name, learn_from="nobody"))
    with pytest.raises(DataError, match="it has none"):
        learnt_from(dataset.table, DataSettings(CT, learn_from="cohen"))


def test_one_split_for_all_is_the_split_of_every_run():
    _, tables = splits("smoke", None, phantoms=True)
    for name in ("cxnet-nih", "all-but-cohen"):
        own = training_data(images(name, "smoke", True), None).table
        pd.testing.assert_series_equal(tables[name]["split"], own["split"])
    line = counts(tables).loc["cxnet-nih"]
    assert line["training"] == line["cxnet"] + line["nih"] and line["kermany"] == 0
    assert len(set(counts(tables)["test"])) == 1


def test_keys_of_old_runs_do_not_know_the_new_field():
    from covidlib.plans.manet import classifier
    from covidlib.runs.spec import canonical

    assert "learn_from" not in json.dumps(canonical(classifier("laptop", False, "resnet50")))
    assert images("cohen", "laptop", False).slug == "xray-sources-cohen-fold0"


def test_facts_and_floors_are_kept_and_read_back(monkeypatch, tmp_path):
    monkeypatch.setattr("covidlib.data.floors.TREES", 5)
    found = keeping.measure("cohen", "smoke", None, phantoms=True)
    assert set(found.floors) == set(keeping.FLOORS)
    assert found.counts["training"] == found.counts["cohen-covid"] + found.counts["cohen-other"]
    for run in found.floors.values():
        assert set(group_of(run)) == {p.group for p in XRAY_SOURCES.parts}
    with pytest.raises(DataError, match="only scores on real images"):
        keeping.write(found, tmp_path)
    facts = dict(found.provenance) | {"phantom": False, "profile": "laptop"}
    real = keeping.Kept(found.learnt, found.counts, found.overlap, found.floors, facts)
    assert not keeping.is_kept("cohen", "laptop", tmp_path)
    path = keeping.write(real, tmp_path)
    assert keeping.is_kept("cohen", "laptop", tmp_path)
    assert not keeping.is_kept("cohen", "paper", tmp_path)
    assert path.name == "laptop-cohen.json" and keeping.write(real, tmp_path) is None
    back = keeping.read(tmp_path)["cohen"]
    assert back.counts == found.counts and back.overlap == found.overlap
    for name, run in found.floors.items():
        columns = ["sample", "label", "p_COVID-19"]
        rounded = run[columns].round(4)
        pd.testing.assert_frame_equal(back.floors[name][columns], rounded, check_dtype=False)
    assert keeping.read(tmp_path / "nowhere") == {}
