"""What the readers share: listing images, finding masks, shaping the table."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from covidlib.data.table import COLUMNS
from covidlib.errors import DataError, DatasetMissing
from covidlib.files import below

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".dcm", ".dicom"}
)


def images_in(folder: Path, *, recursive: bool = False) -> list[Path]:
    """List the image files of a folder, sorted; hidden files do not count."""
    found = below(folder) if recursive else folder.iterdir()
    return sorted(
        p for p in found if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")
    )


def need(path: Path) -> Path:
    """Return a path that the layout cannot do without.

    Raises:
        DatasetMissing: it is not there.
    """
    if not path.exists():
        raise DatasetMissing(f"{path} is missing: the folder is not in its published layout")
    return path


def read_csv(path: Path) -> pd.DataFrame:
    """Read a table of strings: nothing is guessed, an empty cell is unknown."""
    frame = pd.read_csv(need(path), dtype="string", encoding="utf-8-sig")
    return frame.apply(lambda column: column.str.strip()).replace("", pd.NA)


def one_row_per_file(frame: pd.DataFrame, column: str, where: Path) -> pd.DataFrame:
    """Index a table by its file names.

    Raises:
        DataError: a file is listed twice.
    """
    if twice := sorted(frame.loc[frame[column].duplicated(), column].dropna().unique()):
        raise DataError(f"{where} lists {len(twice)} files twice, the first is {twice[0]!r}")
    return frame.set_index(column)


def make_table(
    folder: Path,
    rows: Iterable[dict] | pd.DataFrame,
    left_out: Iterable[tuple[str, str]] = (),
) -> pd.DataFrame:
    """Shape rows into the table of ``covidlib.data.table``.

    Args:
        folder: the data set's folder, which samples are relative to.
        rows: at least ``path``; the other columns of the table are unknown when absent.
        left_out: (file, reason) of everything the reader saw or expected and did not take.

    Returns:
        The table, sorted by sample, masks of phantoms picked up from ``phantom_masks``.
    """
    table = pd.DataFrame(rows)
    if table.empty:
        raise DatasetMissing(f"{folder} holds no image in the published layout")
    paths = [Path(p) for p in table["path"]]
    if "sample" not in table:
        table["sample"] = [p.relative_to(folder).as_posix() for p in paths]
    table["path"] = [str(p) for p in paths]
    for column in COLUMNS:
        if column not in table:
            table[column] = pd.NA
    _pick_up_phantom_masks(folder, table)
    texts = [c for c in table if c in COLUMNS or not _is_number(table[c])]
    table = table.astype(dict.fromkeys(texts, "string"))
    extra = [c for c in table if c not in COLUMNS]
    table = table[[*COLUMNS, *extra]].sort_values("sample", ignore_index=True)
    # A list of plain dictionaries, so that the report survives copies and Parquet.
    table.attrs["left_out"] = [{"file": f, "reason": r} for f, r in sorted(left_out)]
    return table


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)


def left_out(table: pd.DataFrame) -> pd.DataFrame:
    """Return what the reader of a table left out: columns file, reason."""
    return pd.DataFrame(table.attrs.get("left_out", []), columns=["file", "reason"])


def _pick_up_phantom_masks(folder: Path, table: pd.DataFrame) -> None:
    masks = folder / "phantom_masks"
    for part in ("lung", "lesion", "lobe"):
        if not (masks / part).is_dir():
            continue
        found = [(masks / part / s).with_suffix(".png") for s in table["sample"]]
        table[f"{part}_mask"] = [str(p) if p.is_file() else pd.NA for p in found]
