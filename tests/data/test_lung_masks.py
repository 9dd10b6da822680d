import pytest

from covidlib.data import open_dataset
from covidlib.data.lung_masks import CLASSES, NAME
from covidlib.data.phantoms import PhantomSettings, write
from covidlib.errors import DatasetMissing


@pytest.fixture(scope="module")
def drawn():
    return open_dataset(NAME, phantom=PhantomSettings(images=24, size=32))


def test_every_image_has_a_mask_a_label_and_a_patient(drawn):
    table = drawn.table
    assert drawn.phantom and drawn.classes == CLASSES
    assert table[["lung_mask", "label", "patient"]].notna().all(axis=None)
    assert table["sample"].is_unique
    assert set(table["sample"].str.split("/").str[0]) == {
        "montgomery", "shenzhen", "covid-cxr-segmentations"
    }  # fmt: skip


def test_findings_and_patients_come_from_the_collection_with_the_same_names(drawn):
    cohen = open_dataset("covid-chestxray-dataset", phantom=PhantomSettings(images=24, size=32))
    names = cohen.table["path"].str.extract(r"([^/]+)\.\w+$")[0]
    labels = cohen.table["label"].set_axis(names)
    patients = dict(zip(names, cohen.table["patient"], strict=True))
    mine = drawn.table[drawn.table["source"] == "covid-chestxray-dataset"]
    known = 0
    for _, row in mine.iterrows():
        stem = row["path"].rsplit("/", 1)[1].removesuffix(".png")
        if stem in patients:
            known += 1
            assert row["patient"] == patients[stem]
            assert (row["label"] == "COVID-19") == (labels.fillna("")[stem] == "COVID-19")
        else:
            assert row["label"] == "other" and "-day" not in row["patient"]
    assert known > 0


def test_drawn_sets_under_a_data_root_are_drawn(tmp_path):
    folder = tmp_path / "covid-cxr-segmentations"
    write("covid-cxr-segmentations", folder, PhantomSettings(images=24, size=32))
    assert open_dataset(NAME, tmp_path).phantom
    (folder / "phantom.json").unlink()
    assert not open_dataset(NAME, tmp_path).phantom


def test_without_any_source_the_error_names_the_commands(tmp_path):
    with pytest.raises(DatasetMissing, match="covidlib data get montgomery"):
        open_dataset(NAME, tmp_path)


def test_real_images(real_data):
    found = open_dataset(NAME, real_data)
    mine = found.table[found.table["sample"].str.startswith("covid-cxr-segmentations/")]
    assert mine["label"].value_counts().to_dict() == {"COVID-19": 55, "other": 24}
    assert mine["patient"].nunique() == 60
