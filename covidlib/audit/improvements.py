"""Improvement cells that should be differences of two other cells (msatl Tables 1, 2, 4, 5)."""

from fractions import Fraction

import pandas as pd

from covidlib.audit.rounding import EXACT, OFF, ROUNDING, decimal, follows, half_width
from covidlib.errors import DataError
from covidlib.published import published

TABLES = (1, 2, 4, 5)
SUFFIX = "_improvement"
# What each table's improvements are over: the plain backbone, or the same network untransferred.
BASES = {
    1: {"variant": "baseline"},
    2: {"variant": "baseline"},
    4: {"stages": "none", "ssl": ""},
    5: {"stages": "none", "ssl": ""},
}


def improvement_cells(table: int) -> pd.DataFrame:
    """Recompute one table's improvements.

    Args:
        table: 1, 2, 4 or 5 of msatl.

    Returns:
        Columns table, model, variant, stages, metric, value and base (printed), printed (the
        improvement), computed, off (printed minus computed, percentage points), trivial (a row is
        its own base), verdict (of ``covidlib.audit.rounding``).

    Raises:
        DataError: another table.
    """
    if table not in TABLES:
        raise DataError(f"msatl Table {table} has no improvements; those that have are {TABLES}")
    frame = published("msatl", table)
    keys = ["model", "variant", "stages", "ssl", "metric"]
    values = frame.set_index(keys)["value"].to_dict()
    rows = []
    for cell in frame[frame["metric"].str.endswith(SUFFIX)].to_dict("records"):
        own = {key: cell[key] for key in keys} | {"metric": cell["metric"].removesuffix(SUFFIX)}
        base = own | BASES[table]
        texts = [values[tuple(where[key] for key in keys)] for where in (own, base)]
        rows.append({"table": table, **own} | _compared(cell["value"], *texts, own == base))
    return pd.DataFrame(rows).drop(columns="ssl")


def _compared(printed: str, value: str, base: str, trivial: bool) -> dict[str, object]:
    computed = decimal(value) - decimal(base)
    slack = Fraction(0) if trivial else half_width(value) + half_width(base)
    return {
        "value": value,
        "base": base,
        "printed": printed,
        "computed": computed,
        "off": decimal(printed) - computed,
        "trivial": trivial,
        "verdict": follows(printed, Fraction(computed), slack),
    }


def all_improvements() -> pd.DataFrame:
    """Recompute the improvements of all four tables; see ``improvement_cells``."""
    return pd.concat([improvement_cells(table) for table in TABLES], ignore_index=True)


def improvement_counts() -> pd.DataFrame:
    """Count the cells by table.

    Returns:
        Index: table. Columns: cells, trivial, then one per verdict.
    """
    cells = all_improvements()
    groups = cells.groupby("table")
    counted = {"cells": groups.size(), "trivial": groups["trivial"].sum()}
    for verdict in (EXACT, ROUNDING, OFF):
        counted[verdict] = groups["verdict"].agg(lambda found, v=verdict: int((found == v).sum()))
    return pd.DataFrame(counted)
