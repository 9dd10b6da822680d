"""The papers' own numbers, exactly as printed.

The files in ``published_data`` hold one row per printed cell of every table of the three papers,
and one row per claim. Paper short names: msatl, magsd, manet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib import resources

import pandas as pd

from covidlib.errors import DataError

PAPERS = ("msatl", "magsd", "manet")
# One name per metric, whatever a paper calls it.
METRIC_NAMES = {"acc": "accuracy", "sen": "sensitivity", "spc": "specificity"}
KEYS = ("model", "variant", "stages", "ssl", "dataset", "split", "class", "trial", "metric")
# A printed unit, as a factor to the book's own: shares in [0, 1].
FACTORS = {"percent": Decimal("0.01"), "percentage_point": Decimal("0.01")}


@dataclass(frozen=True)
class PaperValue:
    """One printed number.

    Args:
        printed: as in the paper, "83.7".
        unit: as in the paper, "percent".
        value: in the book's units: percent become shares, 0.837.
        half_width: how far rounding may have moved the value, 0.0005.
        std: printed standard deviation in the book's units; NaN if there is none.
        digits: decimals of the value in the book's units, 3.
        where: "msatl Table 4".
    """

    printed: str
    unit: str
    value: float
    half_width: float
    std: float
    digits: int
    where: str

    def __str__(self) -> str:
        spread = "" if pd.isna(self.std) else f" ± {self.std:.{self.digits}f}"
        return f"{self.value:.{self.digits}f}{spread}"


def _load(name: str) -> pd.DataFrame:
    source = resources.files("covidlib") / "published_data" / f"{name}.csv"
    with source.open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype="string", keep_default_na=False)


def tables(paper: str) -> tuple[int, ...]:
    """Return the numbers of a paper's tables that are stored.

    >>> tables("manet")
    (1, 2, 3, 4, 5)
    """
    _check_paper(paper)
    folder = resources.files("covidlib") / "published_data"
    stem = f"{paper}_table"
    names = (f.name for f in folder.iterdir() if f.name.startswith(stem))
    return tuple(sorted(int(n.removeprefix(stem).removesuffix(".csv")) for n in names))


def _check_paper(paper: str) -> None:
    if paper not in PAPERS:
        raise DataError(f"unknown paper {paper!r}, expected one of {PAPERS}")


@cache
def _table(paper: str, table: int) -> pd.DataFrame:
    if table not in tables(paper):
        raise DataError(f"{paper} has no Table {table}, expected one of {tables(paper)}")
    frame = _load(f"{paper}_table{table}")
    parsed = [_parse(v, u) for v, u in zip(frame["value"], frame["unit"], strict=True)]
    frame["number"] = [value for value, _, _ in parsed]
    frame["half_width"] = [half for _, half, _ in parsed]
    return frame


def published(paper: str, table: int) -> pd.DataFrame:
    """Return one table of a paper, one row per printed cell.

    Args:
        paper: "msatl", "magsd" or "manet".
        table: its number in the paper.

    Returns:
        The printed cells as strings (model, variant, stages, ssl, dataset, split, class, trial,
        metric, value, std, unit, note; empty where not applicable), then ``number`` and
        ``half_width`` in the book's units (percent as shares; NaN where nothing is printed).

    Raises:
        DataError: no such paper or table.
    """
    return _table(paper, table).copy()


def _parse(printed: str, unit: str) -> tuple[float, float, int]:
    """Return value, half-width of its rounding, and decimals, in the book's units."""
    try:
        number = Decimal(printed)
    except InvalidOperation:
        return float("nan"), float("nan"), 0
    factor = FACTORS.get(unit, Decimal(1))
    last = Decimal(1).scaleb(number.as_tuple().exponent) * factor  # one unit of the last digit
    return float(number * factor), float(last / 2), max(0, -last.as_tuple().exponent)


def paper_value(paper: str, table: int, metric: str, **where: str) -> PaperValue:
    """Return the one printed cell that fits.

    Args:
        paper: "msatl", "magsd" or "manet".
        table: its number.
        metric: the paper's name or the book's: "acc" and "accuracy" are the same.
        **where: columns that tell the cell from others: model="r50", stages="none". The
            column ``class`` is given as ``class_``.

    Raises:
        DataError: no cell fits, or several do; the message lists them.

    >>> value = paper_value("msatl", 4, "accuracy", model="r50", variant="baseline", stages="none")
    >>> value.printed, value.value, value.half_width, str(value)
    ('83.7', 0.837, 0.0005, '0.837')
    """
    frame = published(paper, table)
    wanted = {key.rstrip("_"): str(value) for key, value in where.items()}
    if strangers := sorted(set(wanted) - set(KEYS)):
        raise DataError(f"unknown columns {strangers}, expected some of {KEYS}")
    fits = frame["metric"].map(book_name) == book_name(metric)
    for column, value in wanted.items():
        fits &= frame[column] == value
    found = frame[fits]
    if len(found) != 1:
        cells = found[list(KEYS)] if len(found) else frame[list(KEYS)]
        options = {c: sorted(set(cells[c])) for c in KEYS if len(set(cells[c])) > 1}
        raise DataError(
            f"{len(found)} cells of {paper} Table {table} fit {metric}, {wanted}; "
            f"choose among {options}"
        )
    row = found.iloc[0]
    value, half, digits = _parse(row["value"], row["unit"])
    std, _, _ = _parse(row["std"], row["unit"])
    return PaperValue(row["value"], row["unit"], value, half, std, digits, f"{paper} Table {table}")


def book_name(metric: str) -> str:
    """Return the book's name of a metric that a paper abbreviates.

    >>> book_name("spc"), book_name("auc")
    ('specificity', 'auc')
    """
    return METRIC_NAMES.get(metric, metric)


def claims(paper: str | None = None) -> pd.DataFrame:
    """Return what a paper claims: columns paper, id, where, statement, metric, value, unit.

    The letter in an id tells the kind: D data, H hyper-parameter, P number in prose, Q qualitative,
    R quoted from other work. All strings, empty where not applicable.
    """
    frame = _load("claims")
    if paper is None:
        return frame
    _check_paper(paper)
    return frame[frame["paper"] == paper].reset_index(drop=True)


def claimed_value(paper: str, claim: str) -> PaperValue:
    """Return a number that a paper prints in its prose.

    Args:
        paper: "msatl", "magsd" or "manet".
        claim: its id in ``claims``.

    Raises:
        DataError: no such claim, or one without a number.

    >>> value = claimed_value("magsd", "magsd-P03")
    >>> value.printed, value.half_width, str(value)
    ('95.11', 5e-05, '0.9511')
    """
    found = claims(paper).set_index("id")
    if claim not in found.index or not found.loc[claim, "value"]:
        raise DataError(f"{paper} prints no number as {claim!r}")
    row = found.loc[claim]
    value, half, digits = _parse(row["value"], row["unit"])
    return PaperValue(
        row["value"], row["unit"], value, half, float("nan"), digits, f"{paper} {row['where']}"
    )


def paper_values(
    paper: str, table: int, metrics: Sequence[str], **where: str
) -> dict[str, PaperValue]:
    """Return several printed cells of one row, by the names asked for; see ``paper_value``."""
    return {metric: paper_value(paper, table, metric, **where) for metric in metrics}
