import numpy as np
import pandas as pd
import pytest

from covidlib.data.splits import limit_split, split_counts, split_table
from covidlib.errors import DataError

CLASSES = ("NonCOVID", "COVID")


def make_table(patients: int = 120, seed: int = 0, unknown: int = 0) -> pd.DataFrame:
    """Patients of one class with 1 to 6 images each; every seventh patient is unknown."""
    random = np.random.default_rng(seed)
    rows = []
    for patient in range(patients):
        label = CLASSES[int(random.random() < 0.4)]
        for image in range(random.integers(1, 7)):
            name = pd.NA if patient % 7 == 0 else f"p{patient}"
            rows.append((f"{patient}_{image}.png", label, name))
    rows += [(f"unknown_{number}.png", pd.NA, f"u{number}") for number in range(unknown)]
    table = pd.DataFrame(rows, columns=["sample", "label", "patient"], dtype="string")
    return table.assign(split=pd.array([pd.NA] * len(table), dtype="string"))


def assert_no_patient_crosses(table: pd.DataFrame) -> None:
    used = table.dropna(subset=["patient", "split"])
    assert used.groupby("patient")["split"].nunique().max() == 1


def shares(table: pd.DataFrame) -> pd.Series:
    return table["split"].value_counts(normalize=True)


def test_holdout_is_eight_one_one_of_every_class_and_keeps_patients_whole():
    table = split_table(make_table(400), "holdout", seed=3)
    assert_no_patient_crosses(table)
    for _, rows in table.groupby("label"):
        np.testing.assert_allclose(
            shares(rows)[["train", "val", "test"]].astype(float), [0.8, 0.1, 0.1], atol=0.02
        )


def test_a_drawn_split_depends_on_the_seed_and_not_on_the_order_of_rows():
    table = make_table()
    first = split_table(table, "holdout", seed=1)["split"]
    again = split_table(table.sample(frac=1, random_state=5), "holdout", seed=1)["split"]
    pd.testing.assert_series_equal(first, again.loc[first.index])
    assert (split_table(table, "holdout", seed=2)["split"] != first).any()


def test_rows_and_index_stay_and_the_input_is_left_alone():
    table = make_table().set_index(np.arange(1000, 1000 + len(make_table()))[::-1])
    before = table.copy()
    result = split_table(table, "holdout", seed=0)
    pd.testing.assert_frame_equal(table, before)
    pd.testing.assert_frame_equal(result.drop(columns="split"), table.drop(columns="split"))


def test_the_largest_patient_is_not_always_tested():
    table = make_table()
    table.loc[table["label"] == "COVID", "patient"] = table["patient"].where(
        table.index % 3 > 0, "the largest"
    )
    sets = {
        split_table(table, "holdout", seed=seed).query("patient == 'the largest'")["split"].iloc[0]
        for seed in range(12)
    }
    assert "train" in sets


def test_an_unknown_patient_is_a_patient_alone():
    table = make_table(60)
    table["patient"] = pd.array([pd.NA] * len(table), dtype="string")
    assert set(split_table(table, "holdout", seed=0)["split"]) == {"train", "val", "test"}


def test_folds_test_every_image_once_and_validate_on_a_tenth():
    table = make_table(300)
    drawn = [split_table(table, "kfold", seed=4, fold=fold) for fold in range(5)]
    tested = sum((result["split"] == "test").astype(int) for result in drawn)
    assert (tested == 1).all()
    for result in drawn:
        assert_no_patient_crosses(result)
        np.testing.assert_allclose(
            shares(result)[["train", "val", "test"]].astype(float), [0.7, 0.1, 0.2], atol=0.02
        )


def test_folds_of_images_tear_patients_apart_and_change_nothing_else():
    table = make_table(300)
    drawn = [split_table(table, "kfold-images", seed=4, fold=fold) for fold in range(5)]
    assert (sum((result["split"] == "test").astype(int) for result in drawn) == 1).all()
    for result in drawn:
        sides = result.dropna(subset=["patient"]).groupby("patient")["split"].nunique()
        assert (sides > 1).mean() > 0.3
        pd.testing.assert_series_equal(result["patient"], table["patient"])
        for _, rows in result.groupby("label"):
            np.testing.assert_allclose(
                shares(rows)[["train", "val", "test"]].astype(float), [0.7, 0.1, 0.2], atol=0.02
            )


def test_folds_of_images_are_folds_where_every_image_is_a_patient():
    table = make_table(80).assign(patient=pd.NA)
    ours, theirs = (
        split_table(table, scheme, seed=1, fold=2) for scheme in ("kfold-images", "kfold")
    )
    assert ours["split"].tolist() == theirs["split"].tolist()
    with pytest.raises(DataError, match="needs a fold"):
        split_table(table, "kfold-images", seed=0)


@pytest.mark.parametrize("folds", [2, 10, 20])
def test_other_numbers_of_folds_keep_every_class_in_every_set(folds):
    table = make_table(200)
    for fold in range(folds):
        counts = split_counts(split_table(table, "kfold", seed=0, fold=fold, folds=folds), CLASSES)
        assert (counts.loc[list(CLASSES), ["train", "val", "test"]] > 0).all(axis=None)


def test_unknown_labels_enter_no_set_and_are_counted():
    table = split_table(make_table(unknown=9), "holdout", seed=0)
    assert table.attrs["unlabelled"] == 9
    assert table.loc[table["label"].isna(), "split"].isna().all()
    assert table.loc[table["label"].notna(), "split"].notna().all()
    counts = split_counts(table, CLASSES)
    assert counts.loc["unknown"].tolist() == [0, 0, 0, 9]
    assert counts.to_numpy().sum() == len(table)


def test_unknown_labels_do_not_move_the_others():
    without = split_table(make_table(), "holdout", seed=0)
    beside = split_table(make_table(unknown=9), "holdout", seed=0)
    assert without["split"].tolist() == beside["split"].iloc[: len(without)].tolist()


def test_too_few_patients_name_the_class_and_the_number():
    table = make_table()
    table.loc[table["label"] == "COVID", "patient"] = "one"
    with pytest.raises(DataError, match=r"class 'COVID' has 1 patients.*needs 10"):
        split_table(table, "holdout", seed=0)
    with pytest.raises(DataError, match=r"class 'COVID' has 1 patients.*needs 20"):
        split_table(table, "kfold", seed=0, fold=0, folds=20)


@pytest.mark.parametrize(
    ("scheme", "folds", "message"),
    [
        ("holdout", None, "7 patients, the scheme 'holdout' needs 10, as a tenth of them is for"),
        ("kfold", 5, "7 patients, the scheme 'kfold' needs 10, as a tenth of them is for valid"),
        ("kfold", 12, "7 patients, the scheme 'kfold' needs 12, as each of 12 folds tests on one"),
        ("kfold-images", 5, "9 images, the scheme 'kfold-images' needs 10, as a tenth of them"),
        ("kfold-images", 11, "9 images, the scheme 'kfold-images' needs 11, as each of 11 folds"),
    ],
)
def test_too_few_are_counted_in_the_schemes_own_unit_with_the_reason(scheme, folds, message):
    """Class b has 9 images of 7 patients."""
    patients = [f"a{number}" for number in range(20)] + [f"b{min(n, 6)}" for n in range(9)]
    table = pd.DataFrame(
        {"sample": [f"{n}.png" for n in range(29)], "label": ["a"] * 20 + ["b"] * 9}
    ).assign(patient=patients, split=pd.NA)
    table = table.astype("string")
    chosen = {} if folds is None else {"fold": 0, "folds": folds}
    with pytest.raises(DataError) as caught:
        split_table(table, scheme, seed=0, **chosen)
    assert message in str(caught.value) and "leave the class out" in str(caught.value)


def test_ten_patients_of_a_class_are_enough_however_unequal():
    table = make_table()
    covid = table["label"] == "COVID"
    names = ["large"] * (covid.sum() - 9) + [f"small{number}" for number in range(9)]
    table.loc[covid, "patient"] = names
    for seed in range(5):
        split_table(table, "holdout", seed=seed)
        split_table(table, "kfold", seed=seed, fold=seed)


def test_official_is_kept_as_published():
    table = split_table(make_table(unknown=3), "holdout", seed=9)
    again = split_table(table, "official", seed=0)
    pd.testing.assert_series_equal(again["split"], table["split"])
    pd.testing.assert_series_equal(
        split_table(table, "official+val", seed=0)["split"], table["split"]
    )


def test_official_with_drawn_validation_leaves_the_test_set_alone():
    table = split_table(make_table(), "holdout", seed=9)
    table["split"] = table["split"].replace("val", "train")
    result = split_table(table, "official+val", seed=0)
    assert ((result["split"] == "test") == (table["split"] == "test")).all()
    assert 0.05 < (result["split"] == "val").mean() < 0.15
    assert_no_patient_crosses(result)
    assert "val" not in set(split_table(table, "official", seed=0)["split"])


def test_official_needs_a_published_split():
    table = make_table()
    with pytest.raises(DataError, match=r"no published split, the first is '0_0\.png'"):
        split_table(table, "official", seed=0)
    with pytest.raises(DataError, match="no test set"):
        split_table(table.assign(split="train"), "official", seed=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scheme": "random"}, "unknown split scheme 'random'"),
        ({"scheme": "holdout", "fold": 1}, "has no folds"),
        ({"scheme": "kfold"}, "needs a fold from 0 to 4, got None"),
        ({"scheme": "kfold", "fold": 5}, "needs a fold from 0 to 4, got 5"),
        ({"scheme": "kfold", "fold": 0, "folds": 1}, "kfold needs at least 2 folds"),
        ({"scheme": "kfold-images", "fold": 7}, "kfold-images with 5 folds needs a fold from 0"),
    ],
)
def test_impossible_requests_are_refused(arguments, message):
    with pytest.raises(DataError, match=message):
        split_table(make_table(), seed=0, **arguments)


def test_a_table_without_labels_is_refused():
    table = make_table().assign(label=pd.NA)
    with pytest.raises(DataError, match="found no labelled image"):
        split_table(table, "holdout", seed=0)


def natural(train: int, val: int = 3) -> pd.DataFrame:
    """Three classes in ImageNet's published split."""
    rows = [
        (f"{split}/{label}/{number}.png", label, pd.NA, split)
        for label in "abc"
        for split, count in (("train", train), ("val", val))
        for number in range(count)
    ]
    return pd.DataFrame(rows, columns=["sample", "label", "patient", "split"], dtype="string")


@pytest.mark.parametrize(("train", "kept"), [(1, 0), (2, 1), (99, 1), (100, 2), (130, 2)])
def test_imagenets_validation_images_are_the_test_set(train, kept):
    table = natural(train)
    drawn = split_table(table, "val-as-test", seed=0)
    assert (drawn.loc[table["split"] == "val", "split"] == "test").all()
    counts = split_counts(drawn, tuple("abc")).loc[list("abc")]
    assert (counts["val"] == kept).all() and (counts["train"] == train - kept).all()
    again = split_table(table.sample(frac=1, random_state=1), "val-as-test", seed=0)
    pd.testing.assert_series_equal(again["split"].sort_index(), drawn["split"])


def test_a_set_without_published_validation_images_has_nothing_to_score():
    table = natural(5)
    with pytest.raises(DataError, match="no val set"):
        split_table(table[table["split"] == "train"], "val-as-test", seed=0)
    with pytest.raises(DataError, match="none"):
        split_table(table.assign(split=table["split"].mask(table["label"] == "a")), "val-as-test",
                    seed=0)  # fmt: skip


def test_a_limit_holds_for_each_class_of_each_set_whatever_the_order():
    drawn = split_table(natural(100, 7), "val-as-test", seed=0)
    few = limit_split(drawn, 5, seed=2)
    counts = split_counts(few, tuple("abc")).loc[list("abc")]
    assert counts[["train", "val", "test"]].to_numpy().tolist() == [[5, 2, 5]] * 3
    kept = few["split"].notna()
    assert (few.loc[kept, "split"] == drawn.loc[kept, "split"]).all()
    again = limit_split(drawn.sample(frac=1, random_state=4), 5, seed=2)
    assert set(again[again["split"].notna()].index) == set(few[kept].index)
    assert set(limit_split(drawn, 5, seed=3)["split"].dropna().index) != set(few[kept].index)
    assert limit_split(drawn, 1000, seed=2)["split"].equals(drawn["split"])
