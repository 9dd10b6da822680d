"""Which test images belong to which source, and whether anybody was learnt from and tested."""

from pathlib import Path

import pandas as pd

from covidlib.data.composing import groups_of
from covidlib.data.compositions import XRAY_SOURCES
from covidlib.data.same_pictures import NO_PAIRS
from covidlib.data.splits import split_table
from covidlib.data.table import Dataset
from covidlib.plans.across import CT, HELD_OUT, XRAYS, images
from covidlib.training.data import learnt_from, training_data

# What a reader sees; COVID-19 first.
GROUPS = {
    "cohen-covid": "Cohen, COVID-19",
    "cxnet": "CXNet, COVID-19",
    "cohen-other": "Cohen, other",
    "nih": "ChestX-ray8, other",
    "kermany": "Kermany, other",
}
ILL = ("cohen-covid", "cxnet")
TESTS = {name: XRAY_SOURCES.subsets[name] for name in XRAYS}
POSITIVE = XRAY_SOURCES.classes[-1]
SETS = {"validation": "val", "test": "test"}


def group_of(table: pd.DataFrame) -> pd.Series:
    """Return the group of each X-ray, a key of ``GROUPS``: its collection and class."""
    return groups_of(XRAY_SOURCES, table)


def tested(predictions: pd.DataFrame, test: str) -> pd.DataFrame:
    """Return the predictions of one test set, and all validation images.

    Args:
        predictions: of an X-ray network, whose test images are those of every source; or of a CT
            network.
        test: "covid-ct", which keeps everything, or one of ``TESTS``.
    """
    if test == CT:
        return predictions
    keep = group_of(predictions).isin(TESTS[test]) | (predictions["split"] != "test")
    return predictions[keep].reset_index(drop=True)


def splits(profile: str, root: Path | None, phantoms: bool) -> tuple[Dataset, dict]:
    """Return the X-ray sources, and their table with the split of every training set.

    One decoding and one split serve all: the split is drawn over all sources together, and a
    training set keeps of it what it learns from; see ``covidlib.training.data.learnt_from``.
    """
    first = images(XRAYS[0], profile, phantoms)
    data = training_data(first, root)
    whole = split_table(
        data.cached.table,
        first.split,
        seed=first.split_seed,
        fold=first.fold,
        folds=first.folds,
    )
    sets = [images(name, profile, phantoms) for name in (*XRAYS, *HELD_OUT)]
    return data.dataset, {one.learn_from: learnt_from(whole, one) for one in sets}


def counts(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Count what each training learns from: a row per training set, images by group.

    Args:
        tables: by training set, with the split of its run, see ``TrainingData.table``.

    Returns:
        Columns of ``GROUPS`` with training images, then "validation" and "test".
    """
    rows = {}
    for learnt, table in tables.items():
        sizes = table["split"].value_counts()
        if learnt == CT:
            row = dict.fromkeys(GROUPS, 0)
        else:
            train = group_of(table[table["split"] == "train"]).value_counts()
            row = {group: int(train.get(group, 0)) for group in GROUPS}
        row["training"] = int(sizes.get("train", 0))
        rows[learnt] = row | {s: int(sizes.get(k, 0)) for s, k in SETS.items()}
    return pd.DataFrame.from_dict(rows, orient="index")


def overlap(
    dataset: Dataset, table: pd.DataFrame, pairs: pd.DataFrame = NO_PAIRS
) -> dict[str, int]:
    """Count what one training shares with the test images of all sources.

    Args:
        dataset: the composition, which knows what it left out.
        table: its images with the split of a run.
        pairs: images that look alike, ``sample_a`` and ``sample_b``.

    Returns:
        ``left_out``: pictures of two collections that are here once. ``joined``: people with
        images from two collections. ``people`` and ``pictures``: test people, and pairs of
        pictures, that the training or validation images have as well. Both must be 0.
    """
    split = table.set_index("sample")["split"]
    owner = table["patient"].fillna("image " + table["sample"])
    seen = set(owner[table["split"].isin(["train", "val"])])
    known = pairs[pairs["sample_a"].isin(split.index) & pairs["sample_b"].isin(split.index)]
    sides = [known[f"sample_{side}"].map(split) for side in "ab"]
    learnt = [side.isin(["train", "val"]) for side in sides]
    asked = [side == "test" for side in sides]
    crossing = (learnt[0] & asked[1]) | (learnt[1] & asked[0])
    homes = table.dropna(subset=["patient"]).drop_duplicates(["patient", "part"])
    return {
        "left_out": len(dataset.table.attrs.get("left_out", ())),
        "joined": int((homes.groupby("patient").size() > 1).sum()),
        "people": len(seen & set(owner[table["split"] == "test"])),
        "pictures": int(crossing.sum()),
    }
