import numpy as np
import pandas as pd
import pytest
from own_folders import listed, photographs, slices, xrays
from PIL import Image

from covidlib.errors import CovidlibError, DataError, DatasetMissing
from covidlib.own_images.inspecting import inspect
from covidlib.own_images.listing import list_images
from covidlib.own_images.opening import open_own, positive_last


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return xrays(tmp_path_factory.mktemp("own") / "scans")


def patient(path):
    return path.name.split("_")[0]


def test_a_folder_and_its_list_are_the_same_images(folder, tmp_path):
    first, second = open_own(folder), open_own(listed(tmp_path / "list.csv", folder))
    assert first.dataset.classes == second.dataset.classes == ("No_findings", "Pneumonia")
    assert len(first.dataset.table) == len(second.dataset.table) == 80
    assert first.root == folder.parent
    assert (first.scheme, first.positive) == ("holdout", "Pneumonia")
    assert first.dataset.phantom
    assert second.dataset.phantom


def test_patients_stay_together_and_every_class_is_in_every_set(folder, tmp_path):
    own = open_own(listed(tmp_path / "list.csv", folder, patient=patient))
    table = own.dataset.table
    assert table.groupby("patient")["split"].nunique().max() == 1
    assert table.groupby("split")["label"].nunique().min() == 2
    again = open_own(tmp_path / "list.csv")
    assert again.dataset.table.equals(table)
    other = open_own(tmp_path / "list.csv", seed=1)
    assert not other.dataset.table["split"].equals(table["split"])


def test_a_split_that_is_given_is_kept_and_gets_a_validation_set(folder, tmp_path):
    target = listed(
        tmp_path / "list.csv",
        folder,
        patient=patient,
        split=lambda path: "test" if int(patient(path)) % 5 == 0 else "train",
    )
    own = open_own(target)
    assert own.scheme == "official+val"
    given = pd.read_csv(target)["split"].to_numpy()
    assert ((own.dataset.table["split"] == "test").to_numpy() == (given == "test")).all()
    assert (own.dataset.table["split"] == "val").any()
    rows = pd.read_csv(target)
    rows.loc[0, "split"] = None
    rows.to_csv(target, index=False)
    with pytest.raises(DataError, match="79 of 80 images have a split"):
        open_own(target)


def test_few_patients_one_class_and_strange_places_are_refused(folder, tmp_path):
    rows = pd.read_csv(listed(tmp_path / "list.csv", folder, patient=patient))
    rare = rows["label"] == "Pneumonia"
    few = rows[~rare | rows["patient"].isin(rows.loc[rare, "patient"].unique()[:9])]
    few.to_csv(tmp_path / "few.csv", index=False)
    with pytest.raises(DataError, match=r"class 'Pneumonia' has 9 patients .* Add patients"):
        open_own(tmp_path / "few.csv")
    rows[rare].to_csv(tmp_path / "one.csv", index=False)
    with pytest.raises(DataError, match=r"has 1 class\(es\) \['Pneumonia'\]"):
        open_own(tmp_path / "one.csv")
    with pytest.raises(DatasetMissing, match="there is no"):
        open_own(tmp_path / "nowhere")
    with pytest.raises(DatasetMissing, match="not a folder or a CSV"):
        open_own(next(folder.rglob("*.png")))
    with pytest.raises(DatasetMissing, match="CLASS/IMAGE"):
        open_own(folder / "Pneumonia")
    (tmp_path / "covid-ct" / "a").mkdir(parents=True)
    with pytest.raises(DatasetMissing, match="name of a known data set"):
        open_own(tmp_path / "covid-ct")
    with pytest.raises(DataError, match="no class 'covid'; there are No_findings, Pneumonia"):
        open_own(folder, positive="covid")


def test_the_positive_class_becomes_the_last_column():
    frame = pd.DataFrame({"sample": ["a"], "p_ill": [0.2], "p_well": [0.8]})
    assert [*positive_last(frame, "ill")] == ["sample", "p_well", "p_ill"]
    assert [*positive_last(frame, None)] == [*frame]


def test_ct_where_xrays_are_meant_and_the_other_way_round(folder, tmp_path):
    ct = open_own(slices(tmp_path / "drawn"))
    assert inspect(ct).modality == "ct"
    with pytest.raises(DataError, match=r"CT slice where a chest X-ray is meant.*--modality ct"):
        inspect(ct, "cxr")
    own = open_own(folder)
    assert inspect(own).modality == "cxr"
    assert inspect(own).strangers.empty
    with pytest.raises(DataError, match=r"chest X-ray where a CT slice is meant"):
        inspect(own, "ct")
    with pytest.raises(DataError, match="ct or cxr, not 'mri'"):
        inspect(own, "mri")


def test_a_mixed_folder_and_photographs_are_refused(folder, tmp_path):
    ct = slices(tmp_path / "drawn")
    for number, path in enumerate(sorted(ct.rglob("*.png"))):
        target = tmp_path / "mixed" / ("a", "b")[number % 2] / f"ct{number}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    for number, path in enumerate(sorted(folder.glob("*/*.png"))):
        target = tmp_path / "mixed" / ("a", "b")[number % 2] / f"xr{number}.png"
        target.write_bytes(path.read_bytes())
    with pytest.raises(DataError, match="one folder of each"):
        inspect(open_own(tmp_path / "mixed"))
    with pytest.raises(DataError, match="24 of 24 images look like photographs"):
        inspect(open_own(photographs(tmp_path / "pets")))


def test_unreadable_files_are_named_and_the_rest_is_looked_at(tmp_path):
    folder = xrays(tmp_path / "scans", images=60)
    broken = sorted(folder.glob("*/*.png"))[3]
    broken.write_bytes(broken.read_bytes()[:60])
    seen = inspect(open_own(folder))
    assert [problem.path.name for problem in seen.problems] == [broken.name]
    assert len(seen.own.dataset.table) == len(seen.looks) == 59
    for path in folder.glob("*/*.png"):
        path.write_bytes(b"nothing")
    with pytest.raises(DataError, match="none of the 60 files"):
        inspect(open_own(folder))


def test_a_list_reads_patients_out_of_names_and_leaves_out_what_is_broken(tmp_path):
    folder = xrays(tmp_path / "scans", images=60)
    broken = sorted(folder.glob("*/*.png"))[0]
    broken.write_bytes(b"")
    found = list_images(folder, tmp_path / "list.csv", patient=r"^(\d+)_")
    assert [problem.path.name for problem in found.left_out] == [broken.name]
    rows = pd.read_csv(tmp_path / "list.csv", dtype="string")
    assert len(rows) == 59
    assert (rows["patient"] == [path.split("/")[-1].split("_")[0] for path in rows["path"]]).all()
    assert not rows["path"].str.startswith("/").any()
    assert open_own(tmp_path / "list.csv").dataset.table["patient"].notna().all()


def test_equal_pixels_share_a_patient_when_asked(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(6):
        target = tmp_path / "scans" / "ab"[number % 2] / f"p{number}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20, 20), dtype=np.uint8)).save(target)
    copy = tmp_path / "scans" / "b" / "copy.bmp"
    Image.open(tmp_path / "scans" / "a" / "p0.png").save(copy)
    found = list_images(tmp_path / "scans", tmp_path / "list.csv", join=True)
    patients = found.table.set_index("path")["patient"]
    assert found.joined == 1
    assert patients["scans/a/p0.png"] == patients["scans/b/copy.bmp"]
    assert patients.notna().sum() == 2
    named = list_images(tmp_path / "scans", tmp_path / "two.csv", patient=r"^(p\d|copy)", join=True)
    assert named.table["patient"].nunique() == 6


def test_a_list_is_not_overwritten_and_a_bad_pattern_is_said(folder, tmp_path):
    (tmp_path / "there.csv").write_text("mine")
    with pytest.raises(CovidlibError, match="exists"):
        list_images(folder, tmp_path / "there.csv")
    assert (tmp_path / "there.csv").read_text() == "mine"
    for pattern, message in (("(", "no regular"), ("a+", "no group"), ("(zzz)", "fits no file")):
        with pytest.raises(DataError, match=message):
            list_images(folder, tmp_path / "new.csv", patient=pattern)
    with pytest.raises(DataError, match=r"ends in \.csv"):
        list_images(folder, tmp_path / "new.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["there.csv"]
