"""What runs of one fold of a cross-validation have to say about it."""

from collections.abc import Sequence

import numpy as np

from covidlib.errors import DataError
from covidlib.runs.record import Record

VALIDATED = 0.1  # share of all images that a fold keeps for validation


def fold_of(record: Record) -> int:
    """Return the number of the fold that a run was tested on."""
    return int(record.body["spec"]["data"]["fold"])


def counted(records: Sequence[Record]) -> tuple[int, int]:
    """Return how many folds runs of one row have, and how many their cross-validation has.

    A split without folds counts as one that is whole.
    """
    data = [record.body["spec"]["data"] for record in records]
    if any(own.get("fold") is None for own in data):
        return 1, 1
    return len({own["fold"] for own in data}), int(data[0]["folds"])


def by_fold(rows: Sequence[Sequence[Record]]) -> dict[int, tuple[Record, ...]]:
    """Return the runs of several rows on each fold that all of them have.

    Raises:
        DataError: runs of one fold of one data set were tested on different images.
    """
    sides = [{fold_of(record): record for record in records} for records in rows]
    found = {
        fold: tuple(side[fold] for side in sides)
        for fold in sorted(set.intersection(*map(set, sides)))
    }
    for fold, records in found.items():
        tested: dict[str, Record] = {}
        for record in records:
            first = tested.setdefault(record.body["spec"]["data"]["dataset"], record)
            if set(first.test["sample"]) != set(record.test["sample"]):
                raise DataError(
                    f"{first.key} and {record.key} tested fold {fold} on different images: delete "
                    "both from the results and record them anew on the same data"
                )
    return found


def image_counts(records: Sequence[Record]) -> tuple[int, int]:
    """Return how many images a fold trains and tests on, the mean over runs, 1 at least.

    Training images are not in a record: they are all images less those tested and validated.

    Args:
        records: runs of different folds of one cross-validation.
    """
    test = np.mean([(record.predictions["split"] == "test").sum() for record in records])
    folds = int(records[0].body["spec"]["data"]["folds"])
    train = test * (folds * (1 - VALIDATED) - 1)
    return max(1, round(train)), max(1, round(test))
