"""Tests between rows of magsd's tables, paired by fold (``notebooks/magsd``)."""

from collections.abc import Mapping, Sequence

import pandas as pd

from covidlib.data_page import PlainTable
from covidlib.errors import DataError
from covidlib.evaluation.comparisons import Comparison, corrected_t
from covidlib.pages import results
from covidlib.pages.results import NOT_YET, Results
from covidlib.runs.folds import by_fold, image_counts
from covidlib.runs.record import Record

TESTED = {"accuracy": "accuracy", "auc": "AUC"}


def fold_test(first: Sequence[Record], second: Sequence[Record], metric: str) -> Comparison | str:
    """Test second minus first over the folds that both have (Nadeau and Bengio 2003).

    Args:
        first, second: recorded runs, one per fold.
        metric: a name in the records.

    Returns:
        The comparison, or why there is none.
    """
    if reason := results.mixed((*first, *second)):
        return reason
    try:
        pairs = by_fold([first, second]).values()
    except DataError as error:  # of other images
        return str(error)
    if len(pairs) < 2:
        return NOT_YET if not pairs else "one fold: no test"
    gaps = [two.metrics[metric] - one.metrics[metric] for one, two in pairs]
    return corrected_t(gaps, *image_counts([one for one, _ in pairs]))


def fold_tests(
    runs: Results, reference: str | Mapping[str, str], tested: Mapping[str, str] = TESTED
) -> PlainTable:
    """Compare every row with one of the same data set, fold by fold.

    Args:
        runs: of one plan.
        reference: name of the row, without the data set; or that of each row that is compared.
        tested: title of each metric that is compared.
    """
    lines: dict[str, dict[str, object]] = {}
    chances: dict[str, dict[str, float]] = {name: {} for name in tested.values()}
    alone = isinstance(reference, str)
    for row in runs.chosen.rows:
        letter, name = row.label.split(": ", 1)
        before = reference if alone else reference.get(name, name)
        if name == before:
            continue
        sides = [runs.known.get(f"{letter}: {n}", ()) for n in (before, name)]
        line: dict[str, object] = {}
        for metric, title in tested.items():
            found = fold_test(*sides, metric)
            if isinstance(found, str):
                line[title] = found
                continue
            line["folds"] = str(found.n)
            if found.reason:
                line[title] = f"{found.difference:+.3f}: {found.reason}, no test"
                continue
            line[title] = f"{found.difference:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"
            chances[title][row.label] = found.p_value
        lines[row.label] = line
    frame = pd.DataFrame.from_dict(lines, orient="index")
    for title, values in chances.items():
        frame[f"p, {title}"] = results.adjusted(values, frame.index)
    columns = [c for t in tested.values() for c in (t, f"p, {t}")]
    frame = frame.reindex(columns=[*columns, "folds"])
    other = f"“{reference}”" if alone else "the same network unchanged"
    note = (
        f"Each row minus {other}, recorded, over the folds that both have; corrected t test for "
        "overlapping training sets (Nadeau and Bengio 2003). A 95% interval is of its comparison "
        "alone; p is corrected for all of its column (Holm), so an interval may lie beside 0 where "
        "p is large."
    )
    return PlainTable(frame.rename_axis(None), note)


def smallest_p(tests: PlainTable, title: str = "accuracy") -> str:
    """Return the smallest corrected p value of a table of ``fold_tests``, and whose it is."""
    values = tests.frame[f"p, {title}"].dropna()
    if values.empty:
        return NOT_YET
    row = values.astype(float).idxmin()
    return f"{values[row]} ({row}: {tests.frame.loc[row, title]})"
