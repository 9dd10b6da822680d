"""From a folder per class to a CSV, with patients read out of the files' names."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from covidlib.data import Dataset, open_dataset
from covidlib.data.decoding import Problem, check_images
from covidlib.data.lookalikes import identical_pairs, look_at
from covidlib.errors import CovidlibError, DataError
from covidlib.files import save

COLUMNS = ("path", "label", "patient", "source", "split")


@dataclass(frozen=True)
class Listed:
    """What went into a list.

    Args:
        table: its rows.
        left_out: files that cannot be decoded.
        joined: images that share a patient because their pixels are those of another.
    """

    table: pd.DataFrame
    left_out: tuple[Problem, ...]
    joined: int


def list_images(
    folder: Path, target: Path, *, patient: str | None = None, join: bool = False
) -> Listed:
    r"""Write a CSV of the images of a folder of class folders.

    Files that cannot be decoded are left out. Paths are relative to the CSV's folder where they can
    be.

    Args:
        folder: class folders, with or without train, val and test above them.
        target: the CSV; it must not exist.
        patient: a regular expression; its first group, found in a file's name, is the patient:
            ``^(\d+)_``.
        join: whether images of equal pixels get one patient. Those that only look the same do not:
            whether they are one picture is for a person to say.

    Raises:
        CovidlibError: the CSV exists.
        DataError: no regular expression, one without a group, or one that fits no file.
    """
    folder, target = Path(folder).expanduser().resolve(), Path(target).expanduser().resolve()
    if target.exists():
        raise CovidlibError(f"{target} exists; name another file, or remove it")
    if target.suffix.lower() != ".csv":
        raise DataError(f"the list's name ends in .csv, not {target.name!r}")
    dataset = open_dataset(folder.name, folder.parent)
    table = dataset.table.copy()
    problems = tuple(check_images(table["path"]))
    bad = {str(problem.path) for problem in problems}
    table = table[~table["path"].isin(bad)].reset_index(drop=True)
    if patient is not None:
        table["patient"] = _patients(table["path"], patient)
    joined = 0
    if join:
        table["patient"], joined = _joined(Dataset(dataset.name, table, dataset.classes))
    rows = table[[*COLUMNS]].assign(path=[_relative(path, target.parent) for path in table["path"]])
    save(target, rows.to_csv(index=False, lineterminator="\n"))
    return Listed(rows, problems, joined)


def _patients(paths: pd.Series, pattern: str) -> pd.Series:
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise DataError(f"{pattern!r} is no regular expression: {error}") from error
    if wanted.groups < 1:
        raise DataError(f"{pattern!r} has no group: put the patient in brackets, such as ^(\\d+)_")
    found = [wanted.search(Path(path).name) for path in paths]
    if not any(found):
        raise DataError(f"{pattern!r} fits no file's name, such as {Path(paths.iloc[0]).name!r}")
    return pd.Series([match[1] if match else pd.NA for match in found], paths.index, "string")


def _joined(dataset: Dataset) -> tuple[pd.Series, int]:
    """Give one patient to all images that are connected by a patient or by equal pixels."""
    table = dataset.table
    looks = look_at(table["sample"], table["path"])
    pairs = identical_pairs(looks)
    place = pd.Series(range(len(table)), table["sample"])
    names = table["patient"].fillna("image " + table["sample"])
    first = names.map(pd.Series(range(len(names)), names).groupby(level=0).first())
    a = np.concatenate([place[pairs["sample_a"]], np.arange(len(table))])
    b = np.concatenate([place[pairs["sample_b"]], first])
    edges = coo_array((np.ones(len(a)), (a, b)), shape=(len(table), len(table)))
    group = connected_components(edges, directed=False)[1]
    own = names.groupby(group).transform("first")
    known = table["patient"].notna().groupby(group).transform("any")
    several = pd.Series(group).groupby(group).transform("size").to_numpy() > 1
    changed = (own != names).to_numpy()
    kept = own.where(known | several)
    return kept.astype("string"), int(changed.sum())


def _relative(path: str, home: Path) -> str:
    place = Path(path)
    return place.relative_to(home).as_posix() if place.is_relative_to(home) else str(place)
