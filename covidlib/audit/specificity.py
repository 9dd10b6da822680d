"""What the column SPC of magsd behaves like on its two-class set A."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from covidlib.audit.magsd_rows import distinct_rows
from covidlib.errors import DataError
from covidlib.published import published

ROUNDED = 0.005  # percentage points: half of the last printed digit


@dataclass(frozen=True)
class TwoClass:
    """Scores of a two-class result, from the share of right answers in each class.

    Args:
        recall: of the first class (COVID-19), the second. Shares.
        share: of images that are of the first class.
    """

    recall: tuple[float, float]
    share: float

    @property
    def cells(self) -> tuple[float, float, float, float]:
        """Return TP, FN, FP, TN as shares of all images; the first class is positive."""
        one, two = self.recall
        right, wrong = self.share * one, self.share * (1 - one)
        return right, wrong, (1 - self.share) * (1 - two), (1 - self.share) * two

    @property
    def accuracy(self) -> float:
        """Return the share of right answers."""
        right, _, _, rejected = self.cells
        return right + rejected

    @property
    def macro_recall(self) -> float:
        """Return the mean of the two recalls, which is the macro specificity as well."""
        return sum(self.recall) / 2

    @property
    def macro_precision(self) -> float:
        """Return the mean of the two precisions: the macro mean of TN / (TN + FN) as well."""
        right, missed, alarms, rejected = self.cells
        return (right / (right + alarms) + rejected / (rejected + missed)) / 2

    @property
    def macro_f1(self) -> float:
        """Return the mean F1 of the two classes."""
        right, missed, alarms, rejected = self.cells
        wrong = missed + alarms
        return right / (2 * right + wrong) + rejected / (2 * rejected + wrong)

    @property
    def specificity(self) -> float:
        """Return TN / (TN + FP) with the first class as the positive one."""
        return self.recall[1]


def from_macro_recall(accuracy: float, macro_recall: float, share: float) -> TwoClass:
    """Return the one two-class result with this accuracy and mean recall.

    Both are weighted means of the two recalls, with different weights unless the classes are of
    the same size. A recall above 1 says that the two numbers cannot be of one test set.

    Raises:
        DataError: classes of the same size leave the recalls open, or there is only one class.

    >>> from_macro_recall(0.92, 0.9, 0.4).recall  # 0.4 * 0.8 + 0.6 * 1.0 = 0.92
    (0.8, 1.0)
    """
    if not 0 < share < 1 or share == 0.5:
        raise DataError(f"with a class share of {share} the recalls do not follow")
    second = (accuracy - 2 * share * macro_recall) / (1 - 2 * share)
    return TwoClass((round(2 * macro_recall - second, 12), round(second, 12)), share)


def harmonic(one: pd.Series, two: pd.Series) -> pd.Series:
    """Return the harmonic mean of two columns."""
    return 2 * one * two / (one + two)


def harmonic_gaps() -> pd.DataFrame:
    """Subtract the harmonic mean of SEN and SPC from F1, in percentage points.

    F1 is the harmonic mean of precision and recall; it has no such tie to specificity.

    Returns:
        Index: data set. Columns rows, mean, least, most.
    """
    rows = distinct_rows()
    rows["gap"] = rows["f1"] - harmonic(rows["sen"], rows["spc"])
    groups = rows.groupby("dataset")["gap"]
    columns = {"rows": groups.size(), "mean": groups.mean()}
    return pd.DataFrame(columns | {"least": groups.min(), "most": groups.max()})


def set_a() -> tuple[pd.DataFrame, float]:
    """Return the 21 rows on set A, and its share of COVID-19 images (magsd Table 1)."""
    rows = distinct_rows()
    covid, images = _sizes()
    return rows[rows["dataset"] == "A"].set_index("name"), covid / images


def _sizes() -> tuple[int, int]:
    """Return how many images of set A are of COVID-19, and how many there are."""
    sizes = published("magsd", 1).query("dataset == 'A'").set_index("class")["value"]
    return int(sizes["covid19"]), int(sizes["total"])


def as_class_recalls() -> pd.DataFrame:
    """Read SEN and SPC on set A as the recalls of the two classes.

    Returns:
        Index: row. Columns acc, sen, spc; between (ACC is not outside the two, rounding allowed),
        weight (of SEN in ACC, which should be the share of one class).
    """
    rows, _ = set_a()
    low, high = rows[["sen", "spc"]].min(axis=1), rows[["sen", "spc"]].max(axis=1)
    found = rows[["acc", "sen", "spc"]].copy()
    found["between"] = rows["acc"].between(low - 2 * ROUNDED, high + 2 * ROUNDED)
    found["weight"] = (rows["acc"] - rows["spc"]) / (rows["sen"] - rows["spc"])
    return found


def as_macro_recall() -> pd.DataFrame:
    """Read SEN on set A as macro recall, and see what the other two columns then are.

    Returns:
        Index: row. Columns f1 and spc (printed, percent), macro_f1, macro_precision, specificity
        and macro_specificity (reconstructed, percent), missed and alarms (images of 258: COVID-19
        not found, and others called COVID-19).
    """
    rows, share = set_a()
    _, images = _sizes()
    found = {}
    for name, row in rows.iterrows():
        result = from_macro_recall(row["acc"] / 100, row["sen"] / 100, share)
        _, missed, alarms, _ = result.cells
        found[name] = {
            "f1": row["f1"],
            "spc": row["spc"],
            "macro_f1": 100 * result.macro_f1,
            "macro_precision": 100 * result.macro_precision,
            "specificity": 100 * result.specificity,
            "macro_specificity": 100 * result.macro_recall,
            "missed": images * missed,
            "alarms": images * alarms,
        }
    return pd.DataFrame.from_dict(found, orient="index")


def reading_errors() -> pd.Series:
    """Return the mean distance of each reading from what is printed, percentage points."""
    found = as_macro_recall()
    errors = {"F1 as macro F1": found["macro_f1"] - found["f1"]}
    for reading in ("macro_precision", "specificity", "macro_specificity"):
        errors[f"SPC as {reading.replace('_', ' ')}"] = found[reading] - found["spc"]
    return pd.Series({name: float(np.abs(values).mean()) for name, values in errors.items()})
