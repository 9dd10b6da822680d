import re
import shutil

import pandas as pd
import pytest
from PIL import Image

from covidlib.data import CARDS, open_dataset
from covidlib.data.composing import compose
from covidlib.data.composition_report import classes_table, parts_table
from covidlib.data.compositions import COMPOSITIONS, MAGSD_A, Composition, Part
from covidlib.data.phantoms import PhantomSettings, write
from covidlib.data.same_pictures import NO_PAIRS, copies_of, people, recall_pairs
from covidlib.data.splits import split_table
from covidlib.errors import DataError, DatasetMissing
from covidlib.published import published

PHANTOM = PhantomSettings(images=40, size=48)
COHEN, CXNET, NIH = "covid-chestxray-dataset", "covid-cxnet", "chestxray8-subset"


@pytest.fixture(autouse=True)
def strict(request, monkeypatch):
    """Phantoms resemble each other more than X-rays do."""
    if "real_data" in request.fixturenames:
        return
    monkeypatch.setattr("covidlib.data.same_pictures.DISTANCE", 4)
    monkeypatch.setattr("covidlib.data.same_pictures.CORRELATION", 0.9985)


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A data root with three small sets; the second has a picture of the first."""
    root = tmp_path_factory.mktemp("root")
    for name in (COHEN, CXNET, NIH):
        write(name, root / name, PHANTOM)
        shutil.rmtree(root / name / "phantom_masks")
    cohen = open_dataset(COHEN, root).table
    first = cohen[cohen["label"] == "COVID-19"].iloc[0]
    picture = Image.open(first["path"]).convert("L").resize((96, 100))
    picture.point(lambda v: v * 0.8 + 20).save(root / CXNET / "covid19" / "999.jpg", quality=85)
    meta = pd.read_csv(root / CXNET / "metadata.csv", dtype="string")
    row = meta.iloc[0].copy()
    row["filename"], row["patient_id"] = "999.jpg", meta["patient_id"].iloc[-1]
    pd.concat([meta, row.to_frame().T]).to_csv(root / CXNET / "metadata.csv", index=False)
    return root, f"{COHEN}/{first['sample']}", first["patient"], row["patient_id"]


@pytest.mark.parametrize("one", COMPOSITIONS.values(), ids=lambda c: c.name)
def test_definition_is_whole(one):
    assert set(one.sizes) == set(one.classes)
    assert one.traps
    assert one.name not in CARDS
    given = set()
    for part in one.parts:
        assert set(part.datasets) <= set(CARDS)
        assert set(part.labels.values()) <= set(one.classes)
        given |= set(part.labels.values())
        known = {c for name in part.datasets for c in CARDS[name].classes}
        if part.column == "label" and known:
            assert set(part.labels) <= known
    assert given == set(one.classes)


TABLE_1 = {  # magsd's names of classes
    "covid19": "COVID-19",
    "non_covid19_pneumonia": "pneumonia",
    "viral_pneumonia": "viral pneumonia",
    "bacterial_pneumonia": "bacterial pneumonia",
    "healthy": "healthy",
}


@pytest.mark.parametrize("part", ["A", "B", "C", "localization"])
def test_sizes_of_magsd_are_those_of_its_table_1_class_by_class(part):
    rows = published("magsd", 1).query("dataset == @part").set_index("class")["value"].astype(int)
    sizes = COMPOSITIONS[f"magsd-{part.lower()}"].sizes
    assert sizes == rows.drop("total").rename(TABLE_1).to_dict()
    assert sum(sizes.values()) == rows["total"]


def test_sizes_of_covidx_and_manet_are_the_papers():
    covidx = CARDS["covidx"].counts
    for label, size in COMPOSITIONS["covidx-here"].sizes.items():
        assert size == sum(n for (_, k), n in covidx.items() if k == label)
    assert sum(COMPOSITIONS["manet-classes"].sizes.values()) == 1840 + 433 + 394 + 2780 + 1345


def test_names_say_where_an_image_comes_from(here):
    root, *_ = here
    table = compose(MAGSD_A, root).table
    assert (table["sample"].str.split("/").str[0] == table["part"]).all()
    known = table["patient"].dropna()
    assert known.str.contains(":").all()
    assert table["split"].isna().all()
    assert set(table["label"]) == {"COVID-19", "pneumonia"}
    assert (table.loc[table["part"] == NIH, "source"] == "NIH").all()


def test_a_copy_is_left_out_and_its_patients_become_one(here):
    root, kept, patient, other = here
    dataset = compose(COMPOSITIONS["covidx-here"], root)
    table = dataset.table.set_index("sample")
    assert f"{CXNET}/covid19/999.jpg" not in table.index
    assert dataset.table.attrs["left_out"] == [
        {
            "file": f"{CXNET}/covid19/999.jpg",
            "reason": "the same picture as one of another part",
        }
    ]
    assert kept in table.index
    joined = table[table["patient"] == table.loc[kept, "patient"]]
    expected = {f"{COHEN}:{patient}", f"{CXNET}:{other}"}
    assert table.loc[kept, "patient"] == min(expected)
    assert set(joined["part"]) == {COHEN, CXNET}


def test_pairs_are_remembered_by_content(here, monkeypatch):
    root, *_ = here
    table = compose(MAGSD_A, root).table
    first = recall_pairs(table)
    monkeypatch.setattr("covidlib.data.lookalikes.look_at", None)  # not callable: no second look
    pd.testing.assert_frame_equal(recall_pairs(table), first)


def test_people_are_joined_through_chains():
    table = pd.DataFrame(
        {
            "sample": list("abcdef"),
            "patient": ["p:1", "p:2", "q:9", None, None, "q:9"],
            "part": ["p", "p", "q", "q", "q", "q"],
            "order": [0, 0, 1, 1, 1, 1],
        }
    ).astype({"sample": "string", "patient": "string"})
    pairs = pd.DataFrame({"sample_a": ["a", "b"], "sample_b": ["b", "d"]}, dtype="string")
    found = people(table, pairs)
    assert found[[0, 1, 3]].tolist() == [found[0]] * 3  # a-b and b-d
    assert found[[2, 5]].tolist() == ["q:9", "q:9"]
    assert pd.isna(found[4])
    assert copies_of(table, pairs).to_dict() == {"d": "b"}  # a and b are of one collection


def test_copy_of_a_later_part_goes_whichever_way_the_pair_is_written():
    table = pd.DataFrame({"sample": ["x", "y"], "part": ["p", "q"], "order": [0, 1]})
    for a, b in (("x", "y"), ("y", "x")):
        pairs = pd.DataFrame({"sample_a": [a], "sample_b": [b]})
        assert copies_of(table, pairs).to_dict() == {"y": "x"}


def test_classes_are_taken_to_their_sizes_from_the_first_part_on(here):
    root, *_ = here
    covid = {"COVID-19": "COVID-19"}
    sizes = {"pneumonia": 5, "COVID-19": 32}
    parts = (
        Part((COHEN,), covid),
        Part((CXNET,), covid, limit=4),
        Part((NIH,), {"Pneumonia": "pneumonia"}),
    )
    one = Composition("test", "", "", ("pneumonia", "COVID-19"), parts, sizes)
    dataset = compose(one, root)
    cohen = (open_dataset(COHEN, root).table["label"] == "COVID-19").sum()
    used = dataset.table.groupby(["part", "label"]).size().to_dict()
    assert used == {
        (COHEN, "COVID-19"): cohen,
        (CXNET, "COVID-19"): 32 - cohen,
        (NIH, "pneumonia"): 5,
    }
    few = Composition("test", "", "", one.classes, parts, {"pneumonia": 5, "COVID-19": 100})
    assert parts_table(compose(few, root)).set_index("part")["used"][CXNET] == 4
    whole = Composition("test", "", "", one.classes, parts, sizes, capped=False)
    assert (compose(whole, root).table["label"] == "pneumonia").sum() > 5


def test_the_choice_of_images_does_not_depend_on_other_parts(here):
    root, *_ = here
    small = compose(MAGSD_A, root).table
    large = compose(COMPOSITIONS["covidx-here"], root).table
    chosen = set(small.loc[small["part"] == COHEN, "sample"])
    assert chosen <= set(large["sample"])


def test_missing_parts_are_reported_and_an_empty_class_is_an_error(here, tmp_path):
    root, *_ = here
    (tmp_path / COHEN).symlink_to(root / COHEN)
    with pytest.raises(DatasetMissing, match=r"no image of pneumonia: .*rsna or chestxray8 or"):
        compose(MAGSD_A, tmp_path)
    (tmp_path / NIH).symlink_to(root / NIH)
    dataset = compose(MAGSD_A, tmp_path)
    report = parts_table(dataset).set_index("part")
    assert report["here"].to_dict() == {COHEN: True, CXNET: False, NIH: True}
    assert report.loc[CXNET, ["available", "used"]].tolist() == [0, 0]
    sizes = classes_table(dataset, MAGSD_A)
    assert sizes.loc["COVID-19", "here"] == (dataset.table["label"] == "COVID-19").sum()
    classes = sizes.drop(index="total")
    assert (classes["missing"] == (classes["paper"] - classes["here"]).clip(lower=0)).all()
    assert sizes.loc["total", "missing"] == classes["missing"].sum()


def test_what_is_missing_is_said_with_the_folder_that_was_looked_in(here, tmp_path, monkeypatch):
    root, *_ = here
    monkeypatch.delenv("COVIDLIB_DATA", raising=False)
    both = "magsd-a has no image of pneumonia, COVID-19: "
    rest = rf" {COHEN}; {CXNET}; rsna or .* point COVIDLIB_DATA \(or the argument root\) at"
    nowhere, one = tmp_path / "nowhere", (root / COHEN).resolve()
    for place, said in (
        (None, "no data root is set, and it needs"),
        (nowhere, f"there is no folder {re.escape(str(nowhere))}, and it needs"),
        (one, f"not under {re.escape(str(one))} are"),  # one data set's own folder
    ):
        with pytest.raises(DatasetMissing, match=f"^{both}{said}{rest}"):
            open_dataset("magsd-a", place)


def test_a_class_that_no_part_has_is_said_to_be_in_none(here):
    root, *_ = here
    part = Part((COHEN,), {"COVID-19": "COVID-19", "measles": "measles"})
    one = Composition("test", "", "", ("measles",), (part,), {"COVID-19": 1, "measles": 1})
    with pytest.raises(DatasetMissing, match="no image of measles, although every part"):
        compose(one, root)


def test_one_drawn_part_makes_a_composition_drawn(here, tmp_path):
    root, *_ = here
    assert compose(MAGSD_A, root).phantom
    for name in (COHEN, NIH):
        shutil.copytree(root / name, tmp_path / name)
        (tmp_path / name / "phantom.json").unlink()
    assert not compose(MAGSD_A, tmp_path).phantom
    (tmp_path / NIH / "phantom.json").write_text("{}")
    assert compose(MAGSD_A, tmp_path).phantom


def test_an_optional_class_may_be_absent(here):
    root, *_ = here
    covid = {"COVID-19": "COVID-19"}
    one = Composition(
        "test", "", "", ("TB", "COVID-19"),
        (Part(("shenzhen",), {"tuberculosis": "TB"}), Part((COHEN,), covid)),
        {"TB": 3, "COVID-19": 5}, optional=("TB",),
    )  # fmt: skip
    assert compose(one, root).classes == ("COVID-19",)


def test_a_part_that_is_there_but_broken_is_an_error(here, tmp_path):
    root, *_ = here
    (tmp_path / NIH).symlink_to(root / NIH)
    (tmp_path / COHEN).mkdir()
    with pytest.raises(DatasetMissing, match=r"metadata\.csv is missing"):
        compose(MAGSD_A, tmp_path)


@pytest.mark.parametrize("name", ["magsd-a", "magsd-localization"])
def test_phantoms_have_every_class_and_masks(name):
    dataset = open_dataset(name, phantom=PHANTOM)
    assert dataset.phantom
    assert dataset.classes == COMPOSITIONS[name].classes
    assert dataset.table["lung_mask"].notna().all()
    ill = dataset.table["label"] == "COVID-19"
    assert dataset.table.loc[ill, "lesion_mask"].notna().all()
    assert dataset.fingerprint == open_dataset(name, phantom=PHANTOM).fingerprint


def test_an_image_cannot_have_two_classes(here):
    root, *_ = here
    parts = (Part((NIH,), {"Pneumonia": "a"}), Part((NIH,), {"Pneumonia": "b"}))
    one = Composition("test", "", "", ("a", "b"), parts, {"a": 50, "b": 50})
    with pytest.raises(DataError, match="two parts take the same image"):
        compose(one, root)


def test_real_set_a_is_the_paper_s_size(real_data, monkeypatch):
    monkeypatch.setattr("covidlib.data.composing.recall_pairs", lambda table: NO_PAIRS)
    dataset = open_dataset("magsd-a", real_data)
    counts = classes_table(dataset, MAGSD_A)
    assert counts["here"].to_dict() == {"pneumonia": 168, "COVID-19": 90, "total": 258}
    for fold in range(5):
        split = split_table(dataset.table, "kfold", seed=0, fold=fold)
        sides = split.dropna(subset=["patient"]).groupby("patient")["split"].nunique()
        assert sides.max() == 1


def test_real_outlines_have_labels_of_the_cohen_collection(real_data):
    table = open_dataset("magsd-localization", real_data).table
    assert table["label"].value_counts().to_dict() == {"COVID-19": 55, "pneumonia": 20}
    assert table["patient"].notna().all()
    assert table["lung_mask"].notna().all()


@pytest.mark.slow
def test_real_collections_share_some_two_hundred_pictures(real_data):
    dataset = open_dataset("covidx-here", real_data)
    report = parts_table(dataset).set_index(["part", "class"])
    assert 180 <= report.loc[(CXNET, "COVID-19"), "copies"] <= 220
    assert report.loc[(NIH, "pneumonia"), "copies"] == 0
    assert report.loc[(CXNET, "COVID-19"), "used"] == 573 - 423
    images = dataset.table.groupby("patient").size()
    assert images.max() < 30  # no chain of lookalikes joins strangers into a crowd
