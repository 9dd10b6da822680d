"""Averages, sums and scores that the papers print beside the numbers they are made of."""

from collections.abc import Mapping, Sequence
from fractions import Fraction

import pandas as pd

from covidlib.audit.rounding import EXACT, OFF, decimal, follows, half_width
from covidlib.errors import DataError
from covidlib.published import claims, published

COLUMNS = ["where", "printed", "low", "high", "verdict"]
# The three class counts and the printed total of COVIDx; test IoUs, their image counts, overall.
COVIDX = (("msatl-D02", "msatl-D03", "msatl-D04"), "msatl-D01")
IOUS = (("manet-P01", "manet-P02", "manet-P03"), ("manet-D13", "manet-D16", "manet-D19"))
IOU_OVERALL = "manet-P04"


def mean_bounds(
    printed: Sequence[str], weights: Sequence[int] | None = None
) -> tuple[Fraction, Fraction]:
    """Return the smallest and largest weighted mean of numbers that may be printed so.

    Raises:
        DataError: nothing to average, or weights that do not fit.

    >>> [float(bound) for bound in mean_bounds(["1.0", "2.0"], [1, 3])]
    [1.7, 1.8]
    """
    weights = [1] * len(printed) if weights is None else list(weights)
    if not printed or len(weights) != len(printed) or sum(weights) < 1 or min(weights) < 0:
        raise DataError(f"cannot average {list(printed)} with weights {weights}")
    pairs = list(zip(printed, weights, strict=True))
    middle = sum(Fraction(decimal(text)) * weight for text, weight in pairs) / sum(weights)
    slack = sum(half_width(text) * weight for text, weight in pairs) / sum(weights)
    return middle - slack, middle + slack


def _line(where: str, printed: str, low: Fraction, high: Fraction) -> dict[str, object]:
    """Say whether a printed number follows from an interval."""
    verdict = follows(printed, (low + high) / 2, (high - low) / 2)
    ends = (float(low), float(high))
    return dict(zip(COLUMNS, (where, printed, *ends, verdict), strict=True))


def trial_averages() -> pd.DataFrame:
    """Recompute the ten averages over three trials of manet Table 2.

    Returns:
        Columns where, printed, low and high (percent: what the mean of the trials can be, given
        their rounding), verdict.
    """
    rows = []
    for model, group in published("manet", 2).groupby("model", sort=False):
        trials = group.loc[group["trial"] != "average", "value"].tolist()
        average = group.loc[group["trial"] == "average", "value"].item()
        rows.append(_line(model, average, *mean_bounds(trials)))
    return pd.DataFrame(rows)


def overall_iou() -> pd.DataFrame:
    """Recompute the overall IoU of manet sec. 4.1, over images and over groups.

    Returns:
        See ``trial_averages``.
    """
    value = claims("manet").set_index("id")["value"]
    parts, sizes = (list(value[list(ids)]) for ids in IOUS)
    ends = {
        "weighted by images": mean_bounds(parts, [int(size) for size in sizes]),
        "not weighted": mean_bounds(parts),
    }
    return pd.DataFrame([_line(name, value[IOU_OVERALL], *b) for name, b in ends.items()])


def time_increases() -> pd.DataFrame:
    """Recompute the six running-time increases of manet Table 3 from whole minutes.

    Returns:
        See ``trial_averages``; the bounds do not allow for seconds that minutes leave out.
    """
    frame = published("manet", 3)
    cell = frame.set_index(["model", "metric"])["value"].to_dict()
    rows = []
    for model in frame.loc[frame["metric"] == "time_increase", "model"]:
        base = model.rsplit("_", 1)[0]
        slow, plain = (Fraction(cell[m, "running_time"]) for m in (model, base))
        increase = 100 * (slow - plain) / plain
        rows.append(_line(model, cell[model, "time_increase"], increase, increase))
    return pd.DataFrame(rows)


def sums() -> pd.DataFrame:
    """Check the printed totals: magsd Table 1, manet's number of images, COVIDx in msatl.

    Returns:
        See ``trial_averages``.
    """
    rows = []
    for dataset, group in published("magsd", 1).groupby("dataset", sort=False):
        total = group.loc[group["class"] == "total", "value"].item()
        parts = group.loc[group["class"] != "total", "value"]
        rows.append(_counted(f"magsd Table 1, {dataset}", total, parts))
    manet = published("manet", 1)
    for name, group in manet.groupby("class", sort=False):
        total = group.loc[group["split"] == "total", "value"].item()
        parts = group.loc[group["split"] != "total", "value"]
        rows.append(_counted(f"manet Table 1, {name}", total, parts))
    value = claims().set_index("id")["value"]
    totals = manet.loc[manet["split"] == "total", "value"]
    rows.append(_counted("manet sec. 5, all images", value["manet-D02"], totals))
    parts, total = COVIDX
    rows.append(_counted("msatl sec. 6.1, COVIDx", value[total], value[list(parts)]))
    return pd.DataFrame(rows)


def _counted(where: str, total: str, parts: Sequence[str]) -> dict[str, object]:
    counted = sum(int(part) for part in parts)
    verdict = EXACT if counted == int(total) else OFF
    return dict(zip(COLUMNS, (where, total, counted, counted, verdict), strict=True))


def class_scores(matrix: pd.DataFrame) -> dict[tuple[str, str], Fraction]:
    """Return precision, recall, F1 and support of each class, and their weighted averages.

    Args:
        matrix: counts, rows the actual class, columns the predicted one, in the same order.

    Returns:
        Exact scores by (class, metric).

    Raises:
        DataError: rows and columns differ, or a class is never seen or never predicted.
    """
    if list(matrix.index) != list(matrix.columns):
        raise DataError("rows and columns of a confusion matrix must be the same classes")
    found: dict[tuple[str, str], Fraction] = {}
    seen, said = matrix.sum(axis=1), matrix.sum(axis=0)
    if (seen == 0).any() or (said == 0).any():
        raise DataError("a class without images, or never predicted, has no precision or recall")
    for name in matrix.index:
        right = int(matrix.loc[name, name])
        found[name, "precision"] = Fraction(right, int(said[name]))
        found[name, "recall"] = Fraction(right, int(seen[name]))
        found[name, "f1"] = Fraction(2 * right, int(said[name]) + int(seen[name]))
        found[name, "support"] = Fraction(int(seen[name]))
    total = int(seen.sum())
    for metric in ("precision", "recall", "f1"):
        weighted = sum(found[name, metric] * int(seen[name]) for name in matrix.index)
        found["weighted_average", metric] = weighted / total
    found["weighted_average", "support"] = Fraction(total)
    return found


def confusion() -> pd.DataFrame:
    """Return the confusion matrix of manet Table 5: rows actual, columns predicted."""
    frame = published("manet", 5)
    classes = list(dict.fromkeys(frame["class"]))
    cells = frame.set_index(["class", "metric"])["value"].to_dict()
    rows = {a: {p: int(cells[a, f"count_pred_{p}"]) for p in classes} for a in classes}
    return pd.DataFrame.from_dict(rows, orient="index")


def report_from_confusion(transposed: bool = False) -> pd.DataFrame:
    """Recompute manet Table 4 from its Table 5.

    Args:
        transposed: read the rows of Table 5 as the predicted class instead.

    Returns:
        Columns class, metric, printed, computed (float), verdict.
    """
    matrix: pd.DataFrame = confusion().T if transposed else confusion()
    scores: Mapping[tuple[str, str], Fraction] = class_scores(matrix)
    rows = []
    for cell in published("manet", 4).to_dict("records"):
        exact = scores[cell["class"], cell["metric"]]
        verdict = follows(cell["value"], exact, Fraction(0))
        rows.append((cell["class"], cell["metric"], cell["value"], float(exact), verdict))
    return pd.DataFrame(rows, columns=["class", "metric", "printed", "computed", "verdict"])
