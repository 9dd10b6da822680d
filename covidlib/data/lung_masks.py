"""Every X-ray whose lungs somebody has drawn: what manet's first stage learns from (sec. 2.2)."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from covidlib.data.table import COLUMNS, Dataset
from covidlib.errors import DatasetMissing

if TYPE_CHECKING:
    from covidlib.data.phantoms import PhantomSettings

NAME = "manet-masks"
SOURCES = ("montgomery", "shenzhen", "covid-cxr-segmentations")
COLLECTION = "covid-chestxray-dataset"  # knows patients and findings of the third source
CLASSES = ("normal", "tuberculosis", "other", "COVID-19")


def open_lung_masks(
    root: str | Path | None = None, *, phantom: "PhantomSettings | None" = None
) -> Dataset:
    """Return the images with lung masks of all sources that are present.

    manet has 359 normal, 345 tuberculosis and 202 COVID-19 images (sec. 2.2). The first two come
    from Montgomery and Shenzhen; where these are missing, so are their classes. "other" is what
    ``covid-cxr-segmentations`` has besides COVID-19: other pneumonias and ARDS without a cause.

    Args:
        root: the data root; without it COVIDLIB_DATA.
        phantom: draw the sets instead of reading them.

    Raises:
        DatasetMissing: no source is there.
    """
    from covidlib.data.opening import open_dataset

    parts, missing, drawn = [], [], False
    for name in SOURCES:
        try:
            opened = open_dataset(name, root, phantom=phantom)
        except DatasetMissing as error:
            missing.append(str(error))
            continue
        table, drawn = opened.table, drawn or opened.phantom
        if name == SOURCES[-1]:
            table = _with_findings(table, _collection(root, phantom))
        table = table[table["lung_mask"].notna()]
        parts.append(table.assign(sample=name + "/" + table["sample"])[list(COLUMNS)])
    if not parts:
        raise DatasetMissing("no X-rays with lung masks are there. " + " ".join(missing))
    whole = pd.concat(parts, ignore_index=True).assign(split=pd.NA).astype("string")
    present = tuple(name for name in CLASSES if (whole["label"] == name).any())
    return Dataset(NAME, whole, present, drawn)


def _collection(root: str | Path | None, phantom: "PhantomSettings | None") -> pd.DataFrame | None:
    from covidlib.data.opening import open_dataset

    try:
        return open_dataset(COLLECTION, root, phantom=phantom).table
    except DatasetMissing:
        return None


def _with_findings(table: pd.DataFrame, collection: pd.DataFrame | None) -> pd.DataFrame:
    """Fill in label and patient, which the drawn set does not have, by the image's name.

    Without the collection the label is "other" and the patient the name without its day.
    """
    stems = table["path"].map(lambda path: Path(path).stem)
    own = stems.str.replace(r"-day-?\d+.*$", "", regex=True)
    known = pd.DataFrame({"label": pd.NA, "patient": pd.NA}, index=table.index)
    if collection is not None:
        names = collection["path"].map(lambda path: Path(path).stem)
        facts = collection.set_index(names)[["label", "patient"]]
        facts = facts[~facts.index.duplicated()]
        known = facts.reindex(stems).set_axis(table.index)
    label = known["label"].where(known["label"].isin(["COVID-19", "normal"]), "other")
    return table.assign(label=label, patient=known["patient"].fillna(own))
