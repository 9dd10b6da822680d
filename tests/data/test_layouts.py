import json
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from covidlib.data import open_dataset, phantoms
from covidlib.data.cards import card
from covidlib.data.download import differing_counts
from covidlib.data.layouts import left_out, read
from covidlib.data.layouts.covidx import labels
from covidlib.data.layouts.ct import publication
from covidlib.data.manifests import verify
from covidlib.data.opening import located
from covidlib.data.table import COLUMNS
from covidlib.errors import DataError, DatasetMissing
from covidlib.paths import cache_root

IMAGES = {
    "covid-ct": 746,
    "covid-chestxray-dataset": 571,
    "covid-cxnet": 853,
    "chestxray8-subset": 805,
    "kermany-subset": 333,
    "covid-cxr-segmentations": 79,
    "covidx": 459,
    "tiny-imagenet-100": 12_500,
}


def image(path, value=100, size=(4, 4)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(size, value, np.uint8)).save(path)
    return path


def text(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def small_ct(folder):
    """Two images a class in the published layout."""
    names = {
        "COVID": ["2020.02.10.20021584-p6-52%0.png", "ehaa254-p1-1.png"],
        "NonCOVID": ["1%0.jpg", "14.png"],
    }
    for label, files in names.items():
        for name, split in zip(files, ("train", "test"), strict=True):
            image(folder / f"Images-processed/CT_{label}/{name}")
            text(folder / f"Data-split/{label}/{split}CT_{label}.txt", name)
        text(folder / f"Data-split/{label}/valCT_{label}.txt", "")
    text(
        folder / "COVID-CT-MetaInfo.csv",
        "File name,Patient ID,Age,DOI",
        "2020.02.10.20021584-p6-52%0.png,Patient 2,50,",
        "ehaa254-p1-1.png,Patient 7,,10.1093/eurheartj/ ehaa254 ",
    )
    text(
        folder / "NonCOVID-CT-MetaInfo.csv",
        ",image name,patient id",
        "0,1%0.jpg,crawled_patient_1",
        "1,14.png,medpix_patient_38",
    )
    return folder


# The real data


@pytest.mark.parametrize("name", IMAGES)
def test_real_sets_keep_the_contract(real_data, name):
    data = open_dataset(name, real_data)
    table = data.table
    assert len(table) == IMAGES[name]
    assert tuple(table.columns[: len(COLUMNS)]) == COLUMNS
    assert {str(table[c].dtype) for c in COLUMNS} == {"string"}
    assert not table["sample"].duplicated().any()
    assert not table["path"].duplicated().any()
    assert table["sample"].is_monotonic_increasing
    assert set(table["label"].dropna()) <= set(data.classes)
    assert not data.phantom


def test_real_covid_ct(real_data):
    table = open_dataset("covid-ct", real_data).table
    assert differing_counts(card("covid-ct"), table) == []
    assert table["split"].value_counts().to_dict() == {"train": 425, "val": 118, "test": 203}
    assert table["patient"].notna().all()
    assert table.groupby("patient")["split"].nunique().max() == 1
    assert table.groupby("patient")["label"].nunique().max() == 1
    # Facts of the original files that the floors need.
    assert table["mode"].eq("RGBA").groupby(table["label"]).sum().to_dict() == {
        "COVID": 174,
        "NonCOVID": 0,
    }
    assert str(table["width"].dtype) == "Int64"
    assert table[["width", "height", "bytes"]].notna().all().all()


def test_real_covid_ct_sources_are_papers(real_data):
    table = open_dataset("covid-ct", real_data).table
    positive = table[table["label"] == "COVID"]
    assert positive["source"].str.startswith("10.").all()
    assert not positive["source"].str.contains(r"\s").any()
    names = positive["sample"].str.rsplit("/", n=1).str[1].map(publication)
    assert positive.groupby(names)["source"].nunique().max() == 1
    assert positive.groupby("source")["sample"].size().size == names.nunique()
    crossing = positive.groupby("source")["split"].nunique()
    assert (crossing > 1).sum() == 3
    crossing = set(crossing[crossing > 1].index)
    assert (positive["split"].eq("test") & positive["source"].isin(crossing)).sum() == 7
    assert set(table.loc[table["label"] == "NonCOVID", "source"]) == {"crawled", "medpix"}


def test_real_cohen_takes_frontal_x_rays_that_are_there(real_data):
    table = open_dataset("covid-chestxray-dataset", real_data).table
    assert set(table["view"]) == {"PA", "AP", "AP Supine"}
    assert left_out(table)["reason"].value_counts().to_dict() == {
        "modality is CT": 84,
        "view is L": 57,
        "view is unknown": 39,
        "listed but absent": 7,
        "not in metadata.csv": 4,
    }
    # 758 rows of metadata and four images without a row: nothing vanished unreported.
    assert len(table) + len(left_out(table)) == 758 + 4
    unknown = table[table["label"].isna()]
    assert set(unknown["finding"]) == {"todo", "Unknown", "ARDS"}
    assert not set(table.dropna(subset="label")["finding"]) & {"todo", "Unknown", "ARDS"}
    assert set(table.loc[table["label"] == "COVID-19", "finding"]) == {"COVID-19", "COVID-19, ARDS"}
    assert set(table["cause"].dropna()) == {"viral", "bacterial", "fungal", "lipoid"}


def test_cxnet_leaves_out_a_file_whose_name_is_no_number(tmp_path):
    for name in ("7.png", "8p.jpg", "scan.png"):
        image(tmp_path / "covid19" / name)
    text(
        tmp_path / "metadata.csv",
        "filename,label,patient_id,url,view,age",
        "7.png,COVID-19,3,u,PA,",
    )
    table = read(card("covid-cxnet"), tmp_path)
    assert table["sample"].tolist() == ["covid19/7.png", "covid19/8p.jpg"]
    assert table["child"].tolist() == [False, True] and table["patient"].tolist() == ["3", pd.NA]
    assert left_out(table)["file"].tolist() == ["scan.png"]


def test_real_cxnet_keeps_the_unlabelled_image_unlabelled(real_data):
    table = open_dataset("covid-cxnet", real_data).table
    assert table["label"].value_counts(dropna=False).to_dict() == {"COVID-19": 852, pd.NA: 1}
    assert table.loc[table["label"].isna(), "sample"].item().startswith("covid19/756")
    assert table["listed"].sum() == 431
    assert table["patient"].notna().sum() == 431
    assert table["child"].sum() == 15
    assert table["normal_looking"].sum() == 44
    assert len(left_out(table)) == 452 - 431


def test_real_chestxray8_subset(real_data):
    table = open_dataset("chestxray8-subset", real_data).table
    assert table["label"].value_counts().to_dict() == {"Pneumonia": 407, "No_findings": 398}
    classes = table.groupby("patient")["label"].nunique()
    assert classes.value_counts().to_dict() == {1: 556, 2: 16}
    assert table.set_index("sample").loc["Pneumonia/00007007_018.png", "patient"] == "00007007"


def test_real_kermany_subset(real_data):
    table = open_dataset("kermany-subset", real_data).table
    counts = table.groupby(["split", "label"]).size()
    assert counts["train"].tolist() == [80, 80, 80]
    assert counts["test"].tolist() == [31, 31, 31]
    assert table["patient"].isna().eq(table["label"] == "normal").all()
    crossing = table.groupby("patient")["split"].nunique()
    assert crossing[crossing > 1].index.tolist() == ["person24"]


def test_real_segmentations_have_masks_of_the_same_name(real_data):
    table = open_dataset("covid-cxr-segmentations", real_data).table
    assert table["lung_mask"].notna().sum() == 79
    assert table["lesion_mask"].notna().sum() == 76
    assert table["label"].isna().all()
    assert open_dataset("covid-cxr-segmentations", real_data).classes == ()


def test_real_covidx_label_files_and_images(real_data):
    listed = labels(real_data / "covidx-labels")
    assert len(listed) == 13_898 + 300
    assert differing_counts(card("covidx"), listed) == []
    assert listed["source"].isna().sum() == 1
    assert listed.groupby("patient")["source"].nunique().max() == 1
    table = open_dataset("covidx", real_data).table
    assert set(table["source"]) == {"cohen"}
    assert len(table) + len(left_out(table)) == 14_198
    twice = table.set_index("sample").loc["train/000001-27.jpg"]
    assert twice["patient"] == "340"
    assert not set(table.query("split == 'train'")["patient"]) & set(
        table.query("split == 'test'")["patient"]
    )


def test_real_tiny_imagenet_is_unpacked_once_into_the_cache(real_data):
    table = open_dataset("tiny-imagenet-100", real_data).table
    counts = table.groupby(["split", "label"]).size()
    assert counts["train"].tolist() == [100] * 100
    assert counts["val"].tolist() == [25] * 100
    assert not str(table["path"].iloc[0]).startswith(str(real_data))
    assert open_dataset("tiny-imagenet-100", real_data).table["path"].equals(table["path"])


@pytest.mark.parametrize("name", IMAGES)
def test_real_sets_match_a_manifest(real_data, name):
    result = verify(name, located(card(name), real_data))
    assert result.passed
    assert result.manifest == ("published" if name == "covidx" else "reduced")


# Small sets in the published layouts


def test_covid_ct_reads_split_patients_and_papers(tmp_path):
    table = read(card("covid-ct"), small_ct(tmp_path)).set_index("sample")
    preprint = table.loc["Images-processed/CT_COVID/2020.02.10.20021584-p6-52%0.png"]
    assert preprint[["label", "patient", "source", "split"]].tolist() == [
        "COVID",
        "Patient 2",
        "10.1101/2020.02.10.20021584",
        "train",
    ]
    assert table.loc["Images-processed/CT_COVID/ehaa254-p1-1.png", "source"] == (
        "10.1093/eurheartj/ehaa254"
    )
    assert table.loc["Images-processed/CT_NonCOVID/14.png", "source"] == "medpix"


def test_covid_ct_refuses_contradictions(tmp_path):
    folder = small_ct(tmp_path)
    with open(folder / "Data-split/COVID/valCT_COVID.txt", "a") as file:
        file.write("ehaa254-p1-1.png\n")
    with pytest.raises(DataError, match=r"ehaa254-p1-1.png' is in val and in test"):
        read(card("covid-ct"), folder)


def test_covid_ct_image_without_split_is_refused_and_absent_one_reported(tmp_path):
    folder = small_ct(tmp_path)
    (folder / "Images-processed/CT_NonCOVID/14.png").unlink()
    table = read(card("covid-ct"), folder)
    assert len(table) == 3
    assert left_out(table).to_dict("records") == [{"file": "14.png", "reason": "listed but absent"}]
    image(folder / "Images-processed/CT_NonCOVID/15.png")
    with pytest.raises(DataError, match=r"15.png.*no list"):
        read(card("covid-ct"), folder)


def test_phantom_masks_are_picked_up(tmp_path):
    folder = small_ct(tmp_path)
    mask = image(folder / "phantom_masks/lung/Images-processed/CT_NonCOVID/1%0.png")
    (folder / "phantom_masks/lesion").mkdir()
    table = read(card("covid-ct"), folder).set_index("sample")
    assert table.loc["Images-processed/CT_NonCOVID/1%0.jpg", "lung_mask"] == str(mask)
    assert table["lung_mask"].notna().sum() == 1
    assert table["lesion_mask"].isna().all()


def test_kermany_reads_two_folders_and_both_ways_of_naming(tmp_path):
    for name in (
        "train/PNEUMONIA/person1_bacteria_2.jpeg",
        "train/PNEUMONIA/person1_virus_6.jpeg",
        "train/NORMAL/IM-0115-0001.jpeg",
        "test/PNEUMONIA/VIRUS-7-0002.jpeg",
        "test/NORMAL/NORMAL-9-0001.jpeg",
        "test/PNEUMONIA/stranger.jpeg",
    ):
        image(tmp_path / name)
    table = read(card("kermany"), tmp_path).set_index("sample")
    found = table[["label", "patient", "split"]].astype(object).where(lambda t: t.notna(), None)
    assert found.T.to_dict("list") == {
        "test/NORMAL/NORMAL-9-0001.jpeg": ["normal", "9", "test"],
        "test/PNEUMONIA/VIRUS-7-0002.jpeg": ["pneumonia_vir", "7", "test"],
        "test/PNEUMONIA/stranger.jpeg": [None, None, "test"],
        "train/NORMAL/IM-0115-0001.jpeg": ["normal", None, "train"],
        "train/PNEUMONIA/person1_bacteria_2.jpeg": ["pneumonia_bac", "person1", "train"],
        "train/PNEUMONIA/person1_virus_6.jpeg": ["pneumonia_vir", "person1", "train"],
    }


def test_chestxray8_label_only_where_there_is_one_finding(tmp_path):
    for name in ("00000001_000.png", "00000001_001.png", "00000002_000.png", "00000009_000.png"):
        image(tmp_path / "images_001/images" / name)
    text(
        tmp_path / "Data_Entry_2017.csv",
        "Image Index,Finding Labels,View Position",
        "00000001_000.png,Cardiomegaly|Effusion,PA",
        "00000001_001.png,No Finding,PA",
        "00000002_000.png,Hernia,AP",
        "00000003_000.png,Mass,AP",
    )
    text(tmp_path / "train_val_list.txt", "00000001_000.png", "00000001_001.png")
    text(tmp_path / "test_list.txt", "00000002_000.png")
    table = read(card("chestxray8"), tmp_path)
    assert table["label"].astype(object).where(table["label"].notna(), None).tolist() == [
        None,
        "No Finding",
        "Hernia",
    ]
    assert table["findings"].iloc[0] == "Cardiomegaly|Effusion"
    assert table["patient"].tolist() == ["00000001", "00000001", "00000002"]
    assert table["split"].tolist() == ["train", "train", "test"]
    assert left_out(table)["file"].tolist() == ["00000003_000.png", "00000009_000.png"]


def test_montgomery_mask_is_the_union_of_both_lungs(tmp_path):
    left, right = np.zeros((6, 8), np.uint8), np.zeros((6, 8), np.uint8)
    left[1:3, 5:7], right[2:5, 1:3] = 255, 255
    image(tmp_path / "CXR_png/MCUCXR_0001_0.png", size=(6, 8))
    image(tmp_path / "CXR_png/MCUCXR_0104_1.png", size=(6, 8))
    for side, mask in (("left", left), ("right", right)):
        path = tmp_path / f"ManualMask/{side}Mask/MCUCXR_0001_0.png"
        path.parent.mkdir(parents=True)
        Image.fromarray(mask).save(path)
    table = read(card("montgomery"), tmp_path)
    assert table["label"].tolist() == ["normal", "tuberculosis"]
    assert table["patient"].tolist() == ["MCUCXR_0001", "MCUCXR_0104"]
    union = np.asarray(Image.open(table["lung_mask"].iloc[0])) > 0
    np.testing.assert_array_equal(union, (left > 0) | (right > 0))
    assert pd.isna(table["lung_mask"].iloc[1])
    assert not str(table["lung_mask"].iloc[0]).startswith(str(tmp_path / "ManualMask"))


def test_montgomery_refuses_masks_of_different_size(tmp_path):
    image(tmp_path / "CXR_png/MCUCXR_0001_0.png")
    image(tmp_path / "ManualMask/leftMask/MCUCXR_0001_0.png", size=(4, 4))
    image(tmp_path / "ManualMask/rightMask/MCUCXR_0001_0.png", size=(4, 5))
    with pytest.raises(DataError, match="differ in size"):
        read(card("montgomery"), tmp_path)


def test_shenzhen_mask_where_there_is_one(tmp_path):
    image(tmp_path / "CXR_png/CHNCXR_0001_0.png")
    image(tmp_path / "CXR_png/CHNCXR_0662_1.png")
    mask = image(tmp_path / "mask/CHNCXR_0662_1_mask.png")
    table = read(card("shenzhen"), tmp_path)
    assert table["label"].tolist() == ["normal", "tuberculosis"]
    assert table["lung_mask"].iloc[1] == str(mask)
    assert pd.isna(table["lung_mask"].iloc[0])


def test_rsna_three_classes_and_boxes(tmp_path):
    for name in "abc":
        path = tmp_path / f"stage_2_train_images/{name}.dcm"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    text(
        tmp_path / "stage_2_detailed_class_info.csv",
        "patientId,class",
        "a,Normal",
        "b,Lung Opacity",
        "b,Lung Opacity",
        "d,Normal",
    )
    text(
        tmp_path / "stage_2_train_labels.csv",
        "patientId,x,y,width,height,Target",
        "a,,,,,0",
        "b,1,2,3,4,1",
        "b,5,6,7,8,1",
    )
    table = read(card("rsna"), tmp_path)
    assert table["boxes"].tolist() == [0, 2, 0]
    assert table["label"].isna().tolist() == [False, False, True]
    assert left_out(table)["file"].tolist() == ["d"]


def test_covidx_finds_images_in_every_collection(tmp_path):
    rsna = "003d8fa0-6bf1-40ed-b54c-ac657f8495c5"
    home = tmp_path / "covidx"
    text(
        home / "train_COVIDx4.txt",
        "3 a.jpeg pneumonia cohen",
        "COVID-1 COVID-1.jpg COVID-19 fig1",
        "ANON1 b.png COVID-19 actmed",
        "COVID-19(69) COVID-19(69).png COVID-19 sirm",
        "9 gone.png COVID-19 cohen",
    )
    text(home / "test_COVIDx4.txt", f"{rsna} {rsna}.png normal", "8 c.jpeg pneumonia")
    for place in (
        "covid-chestxray-dataset/images/a.jpeg",
        "covid-chestxray-dataset/images/c.jpeg",
        "Figure1-COVID-chestxray-dataset/images/COVID-1.jpg",
        "Actualmed-COVID-chestxray-dataset/images/b.png",
        "COVID-19-Radiography-Database/COVID-19/COVID-19 (69).png",
    ):
        image(tmp_path / place)
    dicom = tmp_path / f"rsna/stage_2_train_images/{rsna}.dcm"
    dicom.parent.mkdir(parents=True)
    dicom.write_bytes(b"x")
    table = open_dataset("covidx", tmp_path).table.set_index("sample")
    assert table["source"].to_dict() == {
        f"test/{rsna}.png": "rsna",
        "test/c.jpeg": "cohen",
        "train/COVID-1.jpg": "fig1",
        "train/COVID-19(69).png": "sirm",
        "train/a.jpeg": "cohen",
        "train/b.png": "actmed",
    }
    assert table.loc[f"test/{rsna}.png", "path"] == str(dicom.resolve())
    assert left_out(table)["file"].tolist() == ["gone.png"]


def test_covidx_refuses_a_broken_line(tmp_path):
    text(tmp_path / "train_COVIDx4.txt", "3 a.jpeg pneumonia cohen extra")
    text(tmp_path / "test_COVIDx4.txt", "")
    with pytest.raises(DataError, match="line 1"):
        labels(tmp_path)


def test_image_folder_without_a_card(tmp_path):
    for name in ("mine/b/1.png", "mine/a/deep/2.png", "mine/a/.hidden.png", "mine/a/notes.txt"):
        image(tmp_path / name) if name.endswith("png") else text(tmp_path / name)
    data = open_dataset("mine", tmp_path)
    assert data.classes == ("a", "b")
    assert data.table["sample"].tolist() == ["a/deep/2.png", "b/1.png"]
    assert data.table["split"].isna().all()


@pytest.mark.parametrize(
    ("folders", "meant"),
    [(("Train", "Test"), "'test'"), (("train", "test", "validation"), "'val'")],
)
def test_another_word_for_a_split_is_neither_a_class_nor_left_out(tmp_path, folders, meant):
    for name in folders:
        image(tmp_path / f"mine/{name}/a/1.png")
        image(tmp_path / f"mine/{name}/b/2.png")
    with pytest.raises(DataError, match=f"call it {meant}"):
        open_dataset("mine", tmp_path)


def test_original_tiny_imagenet(tmp_path):
    image(tmp_path / "train/n01/images/n01_0.JPEG")
    image(tmp_path / "train/n02/images/n02_0.JPEG")
    image(tmp_path / "val/images/val_0.JPEG")
    text(tmp_path / "val/val_annotations.txt", "val_0.JPEG\tn02\t0\t0\t1\t1")
    image(tmp_path / "test/images/test_0.JPEG")
    table = read(card("tiny-imagenet"), tmp_path)
    assert table[["label", "split"]].to_numpy().tolist() == [
        ["n01", "train"],
        ["n02", "train"],
        ["n02", "val"],
    ]
    assert left_out(table)["reason"].tolist() == ["no label"]


def test_missing_sets_name_the_command(tmp_path, monkeypatch):
    with pytest.raises(DatasetMissing, match=r"covidlib data get covid-ct.*COVIDLIB_DATA"):
        open_dataset("covid-ct", tmp_path)
    monkeypatch.delenv("COVIDLIB_DATA", raising=False)
    with pytest.raises(DatasetMissing, match="no data root"):
        open_dataset("covid-ct")
    (tmp_path / "covid-ct").mkdir()
    with pytest.raises(DatasetMissing, match="published layout"):
        open_dataset("covid-ct", tmp_path)


def test_a_hostile_zip_in_the_data_root_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as file:
        file.writestr("mine/a/1.png", b"x")
        file.writestr("mine/../../../evil.png", b"x")
    with pytest.raises(DataError, match="leaves the target"):
        open_dataset("mine", tmp_path)
    with pytest.raises(DataError, match="leaves the target"):  # nothing half-unpacked stays
        open_dataset("mine", tmp_path)


def test_report_survives_copies_and_parquet(tmp_path):
    folder = small_ct(tmp_path)
    (folder / "Images-processed/CT_NonCOVID/14.png").unlink()
    table = read(card("covid-ct"), folder)
    assert json.dumps(table.attrs)
    table.copy().to_parquet(tmp_path / "t.parquet")
    back = pd.read_parquet(tmp_path / "t.parquet")
    assert left_out(back)["file"].tolist() == ["14.png"]


def test_phantoms_are_drawn_once_per_setting_and_read_like_the_original(monkeypatch):
    drawn = []

    def write(name, folder, settings):
        drawn.append((name, settings.seed))
        small_ct(folder)

    monkeypatch.setattr(phantoms.writing, "write", write)
    first = open_dataset("covid-ct", phantom=phantoms.PhantomSettings(images=21, seed=3))
    again = open_dataset("covid-ct", phantom=phantoms.PhantomSettings(images=21, seed=3))
    other = open_dataset("covid-ct", phantom=phantoms.PhantomSettings(images=21, seed=4))
    assert drawn == [("covid-ct", 3), ("covid-ct", 4)]
    assert first.phantom
    assert first.table.equals(again.table)
    assert first.table["path"].iloc[0].startswith(str(cache_root() / "phantoms"))
    assert not set(first.table["path"]) & set(other.table["path"])


def test_phantoms_that_fail_leave_nothing(monkeypatch):
    def write(name, folder, settings):
        small_ct(folder)
        raise DataError("half-way")

    monkeypatch.setattr(phantoms.writing, "write", write)
    settings = phantoms.PhantomSettings(images=21, seed=5)
    for _ in range(2):
        with pytest.raises(DataError, match="half-way"):
            open_dataset("covid-ct", phantom=settings)
    assert not list((cache_root() / "phantoms").glob(".covid-ct-*"))
