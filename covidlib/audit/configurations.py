"""The 36 networks of msatl Tables 2 to 5 on COVID19-CT, and the cells that are printed twice."""

from collections import defaultdict

import pandas as pd

from covidlib.errors import DataError
from covidlib.published import claims, published

TABLES = (2, 3, 4, 5)
METRICS = ("accuracy", "f1", "auc")
KEYS = ["model", "variant", "stages", "ssl"]
# How many COVID and NonCOVID images the paper's test set has, by claim (msatl sec. 6.1).
SET_CLAIMS = {
    "training": ("msatl-D08", "msatl-D09"),
    "validation": ("msatl-D10", "msatl-D11"),
    "test": ("msatl-D12", "msatl-D13"),
    "all": ("msatl-D06", "msatl-D07"),
}
MODELS = {"r50": "R-50", "r101": "R-101"}
VARIANTS = {"baseline": "baseline", "attn1": "1 ATTN", "attn5": "5 ATTNs"}
STAGES = {"none": "no transfer", "stl_n": "STL-N", "stl_m": "STL-M", "full": "all stages"}
SSL = {"": "", "moco": ", MoCo", "simclr": ", SimCLR", "ours": ", proposed"}


def set_sizes(name: str = "test") -> tuple[int, int]:
    """Return the printed numbers of positive and negative images of COVID19-CT.

    >>> set_sizes(), sum(set_sizes("all"))
    ((98, 105), 746)
    """
    values = claims("msatl").set_index("id")["value"]
    positive, negative = (int(values[claim]) for claim in SET_CLAIMS[name])
    return positive, negative


def _printed() -> dict[tuple[str, ...], dict[int, str]]:
    """Collect what each table prints for each network and metric."""
    found: dict[tuple[str, ...], dict[int, str]] = defaultdict(dict)
    for table in TABLES:
        frame = published("msatl", table)
        for row in frame[frame["metric"].isin(METRICS)].itertuples():
            key = (row.model, row.variant, row.stages, row.ssl, row.metric)
            found[key][table] = row.value
    return found


def repeats() -> pd.DataFrame:
    """Return every cell that an earlier table printed already.

    Returns:
        Columns model, variant, stages, ssl, metric, first (printed), table, again (printed),
        equal.
    """
    rows = []
    for key, by_table in _printed().items():
        tables = sorted(by_table)
        first = by_table[tables[0]]
        rows += [(*key, first, t, by_table[t], by_table[t] == first) for t in tables[1:]]
    return pd.DataFrame(rows, columns=[*KEYS, "metric", "first", "table", "again", "equal"])


def configurations() -> pd.DataFrame:
    """Return one row per network and training, each printed number once.

    Returns:
        Index: name as the reader sees it. Columns: model, variant, stages, ssl, and accuracy, f1
        and auc as printed (percent, text).

    Raises:
        DataError: two tables print different numbers for the same cell.
    """
    again = repeats()
    if not again["equal"].all():
        raise DataError(f"cells differ between tables:\n{again[~again['equal']]}")
    cells = {key: next(iter(by_table.values())) for key, by_table in _printed().items()}
    rows: dict[tuple[str, ...], dict[str, str]] = defaultdict(dict)
    for (*key, metric), value in cells.items():
        rows[tuple(key)][metric] = value
    named = [dict(zip(KEYS, key, strict=True)) | values for key, values in rows.items()]
    return pd.DataFrame(named, index=[name(*key) for key in rows])


def name(model: str, variant: str, stages: str, ssl: str = "") -> str:
    """Return a network's name.

    >>> name("r50", "attn5", "full", "moco")
    'R-50 5 ATTNs, all stages, MoCo'
    """
    return f"{MODELS[model]} {VARIANTS[variant]}, {STAGES[stages]}{SSL[ssl]}"
