"""What a composition found and what it lacks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from covidlib.data.compositions import Composition
from covidlib.data.table import Dataset

if TYPE_CHECKING:
    from covidlib.data.composing import Found


def parts_table(dataset: Dataset) -> pd.DataFrame:
    """Return what each part of a composed data set gave.

    Returns:
        Columns part (name of the card, or of all that would do), here, class, available (images
        with that class), copies (of those that were looked at, pictures of an earlier part), used.
    """
    return pd.DataFrame(dataset.table.attrs["parts"])


def classes_table(dataset: Dataset, composition: Composition) -> pd.DataFrame:
    """Set the class sizes of a composed data set beside the paper's.

    Returns:
        Index: class, then "total". Columns paper, here, patients (known ones), missing.
    """
    table = dataset.table
    frame = pd.DataFrame({"paper": pd.Series(dict(composition.sizes))[list(composition.classes)]})
    frame["here"] = table["label"].value_counts().reindex(frame.index, fill_value=0).astype(int)
    known = table.groupby("label")["patient"].nunique()
    frame["patients"] = known.reindex(frame.index, fill_value=0).astype(int)
    frame["missing"] = (frame["paper"] - frame["here"]).clip(lower=0)
    frame.loc["total"] = frame.sum()
    frame.loc["total", "patients"] = table["patient"].nunique()  # one may be in two classes
    return frame.rename_axis("class")


def report(
    found: "Sequence[Found]", table: pd.DataFrame, copies: pd.Series, chosen: pd.DataFrame
) -> list[dict]:
    """Count per part and class; plain values, so that the report survives copies of the table.

    Args:
        found: the parts, present or not.
        table: their images that were compared.
        copies: of them, those that an earlier part has too; index sample.
        chosen: the images of the composition.
    """
    lines = []
    for one in found:
        seen = table[table["sample"].isin(copies.index) & (table["order"] == one.order)]
        used = chosen[chosen["order"] == one.order]
        lines += [
            {
                "part": one.name or " or ".join(one.part.datasets),
                "here": one.name is not None,
                "class": label,
                "available": int((one.rows["label"] == label).sum()),
                "copies": int((seen["label"] == label).sum()),
                "used": int((used["label"] == label).sum()),
            }
            for label in dict.fromkeys(one.part.labels.values())
        ]
    return lines
