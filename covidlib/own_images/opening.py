"""A person's images as a data set with the split that training will use."""

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from covidlib.data import Dataset, open_dataset
from covidlib.data.cards import CARDS
from covidlib.data.opening import LIST
from covidlib.data.splits import split_table
from covidlib.data.table import SPLITS
from covidlib.errors import DataError, DatasetMissing

# A split in tenths needs ten patients of every class.
LEAST_PATIENTS = 10
# Below this many test patients of a class, its sensitivity is known to 20 points or worse.
FEW_PATIENTS = 100
# Labels that say that something is not there; the other one of two is then the positive class.
ABSENCE = ("normal", "negative", "healthy", "control", "other", "none", "noncovid", "no_findings")


@dataclass(frozen=True)
class OwnImages:
    """A folder or a list of images, opened.

    Args:
        dataset: with the split that training will use.
        root: the data root, which is the folder that holds the folder or the list.
        scheme: of the split, see ``covidlib.data.splits``.
        positive: the class that is looked for when there are two, else None.
        modality: "ct" or "cxr" where a card of the data set says so, else None.
    """

    dataset: Dataset
    root: Path
    scheme: str
    positive: str | None
    modality: str | None


def open_own(place: str | Path, *, positive: str | None = None, seed: int = 0) -> OwnImages:
    """Open a folder of class folders, or a CSV with the columns path and label.

    A split that is given (``train`` and ``test`` folders, or the column split) is kept, and a
    validation set is drawn where it has none; otherwise 8:1:1 is drawn. Drawn sets keep patients
    together. A folder whose name is that of a known data set is read in that set's layout.

    Args:
        place: the folder or the CSV.
        positive: the class that is looked for. Without it, of two classes the one whose name does
            not speak of absence ("normal", "negative", …), else the last in alphabetical order.
        seed: of a drawn split.

    Raises:
        DatasetMissing: it is not there, or holds no image.
        DataError: fewer than two classes, a class with fewer than 10 patients, a split that is
            given for some images only, or an unknown positive class.
    """
    place = Path(place).expanduser().resolve()
    dataset = _opened(place)
    _check_classes(dataset)
    scheme = _scheme(dataset)
    try:
        table = split_table(dataset.table, scheme, seed=seed)
    except DataError as error:
        raise DataError(f"{dataset.name} cannot be divided by patient: {error}") from error
    card = CARDS.get(dataset.name)
    return OwnImages(
        replace(dataset, table=table),
        place.parent,
        scheme,
        choose_positive(dataset.classes, positive),
        card.modality if card and card.modality in ("ct", "cxr") else None,
    )


def _opened(place: Path) -> Dataset:
    if not (place.is_dir() or (place.is_file() and place.suffix.lower() == LIST)):
        what = f"{place} is not a folder or a CSV" if place.exists() else f"there is no {place}"
        raise DatasetMissing(f"{what}. Name a folder with a folder per class, or a .csv file.")
    try:
        return open_dataset(place.name, place.parent)
    except DatasetMissing as error:
        if place.name in CARDS:
            raise DatasetMissing(
                f"{error}. {place.name!r} is the name of a known data set, and is read in its "
                "layout; give the folder another name"
            ) from error
        raise DatasetMissing(
            f"{error}. Expected {place}/CLASS/IMAGE, or {place}/train/CLASS/IMAGE and test"
        ) from error


def _check_classes(dataset: Dataset) -> None:
    labels = dataset.table["label"]
    if len(dataset.classes) < 2:
        raise DataError(
            f"{dataset.name} has {len(dataset.classes)} class(es) {list(dataset.classes)}; two or "
            "more are needed: one folder per class, or two values in the column label"
        )
    for name in dataset.classes:
        rows = dataset.table[labels == name]
        patients = rows["patient"].nunique() + int(rows["patient"].isna().sum())
        if patients < LEAST_PATIENTS:
            raise DataError(
                f"class {name!r} has {patients} patients in {len(rows)} images; {LEAST_PATIENTS} "
                "are the least that can be divided into training, validation and test images. "
                "Add patients, or merge it with another class"
            )


def _scheme(dataset: Dataset) -> str:
    labelled = dataset.table[dataset.table["label"].notna()]
    given = labelled["split"].notna()
    if not given.any():
        return "holdout"
    if not given.all():
        raise DataError(
            f"{int(given.sum())} of {len(labelled)} images have a split: fill it in for all of "
            f"them ({', '.join(SPLITS)}), or for none, and it is drawn"
        )
    return "official+val"


def choose_positive(classes: tuple[str, ...], asked: str | None = None) -> str | None:
    """Return the class that is looked for.

    >>> choose_positive(("covid", "normal")), choose_positive(("a", "b")), choose_positive(("a",))
    ('covid', 'b', None)
    """
    if asked is not None and asked not in classes:
        raise DataError(f"no class {asked!r}; there are {', '.join(classes)}")
    if len(classes) != 2:
        return None
    present = [name for name in classes if name.lower().replace(" ", "_") not in ABSENCE]
    return asked or (present[0] if len(present) == 1 else classes[1])


def positive_last(predictions: pd.DataFrame, positive: str | None) -> pd.DataFrame:
    """Return predictions whose last class is the positive one, as the metrics expect it."""
    if positive is None:
        return predictions
    column = f"p_{positive}"
    return predictions[[name for name in predictions if name != column] + [column]]


def without(own: OwnImages, samples: set[str]) -> OwnImages:
    """Return the same images without some of them; the split of the others stays."""
    table = own.dataset.table
    kept = table[~table["sample"].isin(samples)].reset_index(drop=True)
    return replace(own, dataset=replace(own.dataset, table=kept))
