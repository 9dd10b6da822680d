"""Train, validation and test sets: the published ones, or new ones that keep patients together."""

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from covidlib.data.table import SPLITS
from covidlib.errors import DataError

SCHEMES = ("official", "official+val", "val-as-test", "holdout", "kfold", "kfold-images")
TENTHS = 10  # 8:1:1 is eight, one and one of ten parts
KEPT_BACK = 50  # "val-as-test" looks at one of so many training images of each class


def split_table(
    table: pd.DataFrame,
    scheme: str,
    *,
    seed: int,
    fold: int | None = None,
    folds: int = 5,
) -> pd.DataFrame:
    """Return a copy of the table, rows and index unchanged, with the column ``split`` filled.

    An image of unknown label gets no split (<NA>), so it can enter no set; how many were left out
    is in ``result.attrs["unlabelled"]`` and in ``split_counts``. An image of unknown patient is
    taken for a patient of its own. The drawn schemes depend on the seed and on the set of rows,
    not on their order.

    Args:
        table: rows as in ``covidlib.data.table.COLUMNS``.
        scheme: "official" keeps the published split; "official+val" keeps its test set and draws
            the validation set out of its training set where none was published; "val-as-test" is
            for ImageNet, whose test labels are secret: the published validation set is the test
            set, and a fiftieth of each class's training images, one at least, is for validation;
            "holdout" draws 8:1:1; "kfold" tests on part ``fold`` of ``folds`` and draws a tenth of
            all for validation from the rest. Drawn sets are stratified by label; "holdout",
            "kfold" and "official+val" are grouped by patient. "kfold-images" is "kfold" with every
            image on its own, so that images of one patient are on both sides: it is there to show
            what that does to a score.
        seed: of the drawn schemes.
        fold: which part is the test set, from 0; the two of k folds alone take one.
        folds: into how many parts these cut.

    Raises:
        DataError: a labelled image has no published split, a class has too few patients to be in
            every drawn set, or the scheme or fold does not exist.
    """
    _check_request(scheme, fold, folds)
    known = table["label"].notna()
    rows = table[known].sort_values("sample")
    if scheme == "kfold-images":
        rows = rows.assign(patient=pd.array([pd.NA] * len(rows), dtype="string"))
    if scheme == "val-as-test":
        drawn = _val_as_test(rows, seed)
    elif scheme.startswith("official"):
        drawn = _official(rows, scheme, seed)
    else:
        _check_patients(rows, scheme, folds if fold is not None else TENTHS)
        drawn = _holdout(rows, seed) if scheme == "holdout" else _kfold(rows, seed, fold, folds)
        _check_every_class(rows["label"], drawn, scheme)
    result = table.copy()
    result["split"] = drawn.reindex(table.index).astype("string")
    result.attrs["unlabelled"] = int((~known).sum())
    return result


def limit_split(table: pd.DataFrame, most: int, seed: int) -> pd.DataFrame:
    """Return a table whose split holds at most so many images of each class in each set.

    Which ones depends on the seed and on the set of rows, not on their order.
    """
    order = table.sort_values("sample").sample(frac=1, random_state=seed)
    place = order.groupby(["split", "label"]).cumcount().reindex(table.index)
    return table.assign(split=table["split"].mask(place >= most))


def split_counts(table: pd.DataFrame, classes: tuple[str, ...]) -> pd.DataFrame:
    """Count images: a row per class and one for unknown labels, a column per set and "none"."""
    columns = table["split"].fillna("none")
    rows = table["label"].fillna("unknown")
    counts = pd.crosstab(rows, columns)
    counts = counts.reindex(index=[*classes, "unknown"], columns=[*SPLITS, "none"], fill_value=0)
    return counts.rename_axis(index=None, columns=None)


def _check_request(scheme: str, fold: int | None, folds: int) -> None:
    if scheme not in SCHEMES:
        raise DataError(f"unknown split scheme {scheme!r}, expected one of {SCHEMES}")
    folded = scheme in ("kfold", "kfold-images")
    if not folded and fold is not None:
        raise DataError(f"the scheme {scheme!r} has no folds, yet fold {fold} was asked for")
    if folded and folds < 2:
        raise DataError(f"{scheme} needs at least 2 folds, got {folds}")
    if folded and (fold is None or not 0 <= fold < folds):
        raise DataError(
            f"{scheme} with {folds} folds needs a fold from 0 to {folds - 1}, got {fold}"
        )


def _official(rows: pd.DataFrame, scheme: str, seed: int) -> pd.Series:
    published = rows["split"].astype(object)
    if lost := rows.loc[published.isna(), "sample"].tolist():
        raise DataError(
            f"{len(lost)} labelled images have no published split, the first is {lost[0]!r}: "
            "use the scheme 'holdout' or 'kfold'"
        )
    if absent := {"train", "test"} - set(published):
        raise DataError(f"the published split has no {' and no '.join(sorted(absent))} set")
    if scheme == "official" or "val" in set(published):
        return published
    train = rows[published == "train"]
    _check_patients(train, scheme)
    chosen = _parts(train, TENTHS, seed) == 0
    published[train.index[chosen]] = "val"
    return published


def _val_as_test(rows: pd.DataFrame, seed: int) -> pd.Series:
    published = rows["split"].astype(object)
    if strangers := set(published.fillna("none")) - {"train", "val", "test"}:
        raise DataError(f"a labelled image has the split {sorted(strangers)}, not train or val")
    if absent := {"train", "val"} - set(published):
        raise DataError(f"the published split has no {' and no '.join(sorted(absent))} set")
    drawn = published.replace({"val": "test", "test": pd.NA})  # a published test set stays out
    random = np.random.default_rng(seed)
    train = rows[published == "train"]
    for _, images in train.groupby(train["label"].astype(str), sort=True):
        kept = max(1, len(images) // KEPT_BACK) if len(images) > 1 else 0
        drawn[random.choice(images.index, kept, replace=False)] = "val"
    return drawn


def _holdout(rows: pd.DataFrame, seed: int) -> pd.Series:
    parts = _parts(rows, TENTHS, seed)
    names = np.select([parts == 0, parts == 1], ["test", "val"], "train")
    return pd.Series(names, rows.index, dtype=object)


def _kfold(rows: pd.DataFrame, seed: int, fold: int, folds: int) -> pd.Series:
    tested = _parts(rows, folds, seed) == fold
    rest = rows[~tested]
    # A tenth of all images is one part in this many of those that are left.
    parts = max(2, round(TENTHS * (folds - 1) / folds))
    validated = rest.index[_parts(rest, parts, [seed, fold]) == 0]
    drawn = pd.Series("train", rows.index, dtype=object)
    drawn[tested] = "test"
    drawn[validated] = "val"
    return drawn


def _parts(rows: pd.DataFrame, parts: int, seed: int | list[int]) -> np.ndarray:
    """Number the rows 0 … parts-1 by part, patients whole and classes in equal shares."""
    random = np.random.default_rng(seed)
    groups = _groups(rows)
    folds = StratifiedGroupKFold(parts, shuffle=True, random_state=int(random.integers(2**31)))
    numbers = np.empty(len(rows), dtype=int)
    for number, (_, chosen) in enumerate(folds.split(rows, rows["label"].to_numpy(str), groups)):
        numbers[chosen] = number
    # The folds are filled largest patient first, so part 0 would hold that patient for every seed.
    return random.permutation(parts)[numbers]


def _groups(rows: pd.DataFrame) -> np.ndarray:
    own = "image " + rows["sample"]
    return ("patient " + rows["patient"].astype("string")).fillna(own).to_numpy(str)


def _check_patients(rows: pd.DataFrame, scheme: str, parts: int = TENTHS) -> None:
    """Raise DataError unless every part, and every tenth for validation, gets all classes."""
    patients = pd.Series(_groups(rows)).groupby(rows["label"].to_numpy(str)).nunique()
    if patients.empty:
        raise DataError(f"the scheme {scheme!r} found no labelled image")
    unit = "images" if scheme == "kfold-images" else "patients"
    needed, why = TENTHS, "a tenth of them is for validation"
    if parts > TENTHS:
        needed, why = parts, f"each of {parts} folds tests on one or more"
    for label, count in patients.items():
        if count < needed:
            raise DataError(
                f"class {label!r} has {count} {unit}, the scheme {scheme!r} needs {needed}, as "
                f"{why}: add {unit} of this class or leave the class out"
            )


def _check_every_class(labels: pd.Series, drawn: pd.Series, scheme: str) -> None:
    present = pd.crosstab(labels.to_numpy(str), drawn.to_numpy(str))
    for name in SPLITS:
        counts = present.get(name, pd.Series(0, present.index))
        if absent := counts.index[counts == 0].tolist():
            raise DataError(
                f"the {name} set of the scheme {scheme!r} has no image of {absent}: "
                "these classes need more patients, or another seed"
            )
