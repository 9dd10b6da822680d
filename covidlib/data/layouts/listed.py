"""A list of images in a CSV: path and label, and patient, source and split where known."""

from pathlib import Path

import pandas as pd

from covidlib.data.layouts.common import make_table
from covidlib.data.table import COLUMNS, SPLITS
from covidlib.errors import DataError, DatasetMissing

NEEDED = ("path", "label")
TAKEN = tuple(column for column in COLUMNS if column != "sample")
UNKNOWN = ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None")
HELP = "It needs the columns path and label; patient, source and split are taken where given."


def image_list(file: Path) -> pd.DataFrame:
    """Read a CSV of images, separated by commas, semicolons or tabs.

    Paths are relative to the folder of the CSV, or absolute; the sample is the path as written. An
    empty cell is unknown, and so is one with a word of ``UNKNOWN``; but "None" is a label like any
    other. Masks may be named in ``lung_mask`` and ``lesion_mask``; other columns are left out.

    Args:
        file: the CSV, UTF-8.

    Raises:
        DatasetMissing: there is no such file, or no image in it.
        DataError: it is no table, lacks a column, names an image twice, or names files that are
            not there or splits that are none; the message says where.
    """
    if not file.is_file():
        raise DatasetMissing(f"there is no file {file}")
    table = _cells(file)
    if missing := [column for column in NEEDED if column not in table]:
        raise DataError(f"{file.name} lacks the columns {missing}; it has {[*table]}. {HELP}")
    table = table[[column for column in TAKEN if column in table]]
    if table["path"].isna().any():
        line = int(table["path"].isna().to_numpy().argmax()) + 2
        raise DataError(f"{file.name}, line {line}: no path")
    _check_splits(file, table)
    table = table.assign(sample=table["path"].str.replace("\\", "/"))
    if (twice := table["sample"].duplicated()).any():
        raise DataError(
            f"{file.name} names {int(twice.sum())} images twice, the first is "
            f"{table.loc[twice, 'sample'].iloc[0]!r}"
        )
    for column in ("path", "lung_mask", "lesion_mask"):
        if column in table:
            table[column] = _found(file, table[column], column)
    return make_table(file.parent, table)


def _cells(file: Path) -> pd.DataFrame:
    """Return the cells as stripped strings, column names in small letters."""
    try:
        with open(file, encoding="utf-8-sig") as opened:
            head = opened.readline()
        separator = max(",;\t", key=head.count)
        table = pd.read_csv(
            file, dtype="string", encoding="utf-8-sig", sep=separator, keep_default_na=False
        )
    except (UnicodeDecodeError, pd.errors.EmptyDataError, pd.errors.ParserError) as error:
        raise DataError(f"{file.name} cannot be read as a CSV in UTF-8: {error}. {HELP}") from error
    table.columns = [str(name).strip().lower() for name in table.columns]
    return table.apply(_known)


def _known(column: pd.Series) -> pd.Series:
    words = UNKNOWN[:-1] if column.name == "label" else UNKNOWN
    cells = column.str.strip()
    return cells.mask(cells.isin(words))


def _check_splits(file: Path, table: pd.DataFrame) -> None:
    if "split" not in table:
        return
    if strangers := sorted(set(table["split"].dropna()) - set(SPLITS)):
        raise DataError(f"{file.name}: unknown split {strangers}, expected {list(SPLITS)} or empty")


def _found(file: Path, column: pd.Series, name: str) -> pd.Series:
    """Return absolute paths; all that are not there are counted."""
    known = column.dropna()
    places = {text: file.parent / text.replace("\\", "/") for text in known}
    if absent := [text for text, place in places.items() if not place.is_file()]:
        raise DataError(
            f"{file.name}: {len(absent)} of {len(known)} files in the column {name} are not there, "
            f"the first is {absent[0]!r}; paths are relative to {file.parent}"
        )
    return column.map({text: str(place.resolve()) for text, place in places.items()})
