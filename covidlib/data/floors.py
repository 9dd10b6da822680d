"""Floors: how well a classifier does that knows no anatomy.

A network has shown nothing until it is better than these. Some floors use what a network could
use as well; others use properties that are gone once an image is decoded.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier

from covidlib.data.properties import file_properties, pixel_properties
from covidlib.data.table import Dataset
from covidlib.errors import DataError

TREES = 300


@dataclass(frozen=True)
class Floor:
    """One kind of knowledge that needs no anatomy.

    Args:
        features: columns of ``floor_features`` that begin with one of these; none for the floor
            that only knows how frequent each class is.
        exploitable: whether a network could use it: "yes", "in part" or "no".
        why: the reason, for the page.
    """

    features: tuple[str, ...]
    exploitable: str
    why: str


FLOORS: Mapping[str, Floor] = {
    "class frequencies": Floor((), "yes", "a bias alone predicts the most frequent class"),
    "size and shape": Floor(
        ("width", "height", "aspect"),
        "in part",
        "squashing to a square keeps shape as a stretch and size as blur",
    ),
    "file type and colour mode": Floor(
        ("suffix", "mode"),
        "no",
        "gone once decoded to grey, but for the blocks that JPEG leaves",
    ),
    "all file properties": Floor(
        ("width", "height", "aspect", "suffix", "mode"),
        "in part",
        "only through size and shape, and the blocks that JPEG leaves",
    ),
    "grey statistics": Floor(
        ("grey",),
        "yes",
        "16 numbers of all decoded pixels: the lungs count, their anatomy does not",
    ),
    "frame": Floor(
        ("frame",), "yes", "decoded pixels at the border, where there is hardly any lung"
    ),
}


def floor_features(table: pd.DataFrame, workers: int | None = 1) -> pd.DataFrame:
    """Return everything the floors use, as numbers, one row per row of the table.

    Args:
        table: rows as in ``covidlib.data.table.COLUMNS``.
        workers: processes that decode, None for one per core.
    """
    files = file_properties(table)
    named = pd.get_dummies(files, columns=["suffix", "mode"], dtype=float)
    pixels = Parallel(n_jobs=workers or -1)(delayed(pixel_properties)(p) for p in table["path"])
    grey, frame = (np.array(values) for values in zip(*pixels, strict=True))
    return named.join(
        [
            pd.DataFrame(grey, table.index).add_prefix("grey_"),
            pd.DataFrame(frame, table.index).add_prefix("frame_"),
        ]
    )


def floor_runs(
    dataset: Dataset,
    seeds: int | Sequence[int] = 5,
    *,
    train: Sequence[str] = ("train", "val"),
    workers: int | None = 1,
    names: Iterable[str] = tuple(FLOORS),
) -> dict[str, list[pd.DataFrame]]:
    """Fit a random forest per floor and seed, and predict the test set.

    The forest has 300 trees and scikit-learn's defaults. No setting is chosen, so nothing is
    lost by fitting on the validation set too.

    Args:
        dataset: with its split; images of unknown label or set are left out.
        seeds: of the forests: how many (0, 1, …), or which.
        train: the sets to fit on.
        workers: processes that decode and threads that fit, None for one per core.
        names: which of ``FLOORS``.

    Returns:
        Per name the predictions of each seed: sample, patient, split, label and
        ``p_<class>`` in the order of the data set's classes, as ``covidlib.evaluation`` reads them.

    Raises:
        DataError: no image to fit on or to test on, or a single class to fit on.
    """
    rows = dataset.table[dataset.table["label"].notna()].reset_index(drop=True)
    fitted, tested = rows["split"].isin(list(train)), rows["split"].isin(["test"])
    _check_sets(dataset.name, rows["label"][fitted], int(tested.sum()), train)
    rows = rows[fitted | tested].reset_index(drop=True)
    features = floor_features(rows, workers)
    seeds = range(seeds) if isinstance(seeds, int) else seeds
    floors = {name: FLOORS[name] for name in names}
    return {
        name: [
            _predict(_model(floor, seed, workers), _columns(features, floor), rows, dataset.classes)
            for seed in seeds
        ]
        for name, floor in floors.items()
    }


def _check_sets(name: str, labels: pd.Series, tested: int, train: Sequence[str]) -> None:
    if labels.empty or not tested:
        raise DataError(
            f"{name}: {len(labels)} labelled images in {list(train)} and {tested} in 'test', "
            "a floor needs both: fill the column split with split_table"
        )
    if labels.nunique() < 2:
        raise DataError(f"{name}: all images to fit on are {labels.iloc[0]!r}")


def _columns(features: pd.DataFrame, floor: Floor) -> np.ndarray:
    chosen = [c for c in features if c.split("_")[0] in floor.features]
    return features[chosen].to_numpy() if chosen else np.zeros((len(features), 1))


def _model(floor: Floor, seed: int, workers: int | None) -> ClassifierMixin:
    if not floor.features:
        return DummyClassifier(strategy="prior")
    return RandomForestClassifier(TREES, random_state=seed, n_jobs=workers or -1)


def _predict(
    model: ClassifierMixin, features: np.ndarray, rows: pd.DataFrame, classes: tuple[str, ...]
) -> pd.DataFrame:
    tested = (rows["split"] == "test").to_numpy(bool)
    labels = rows["label"].to_numpy(str)
    model.fit(features[~tested], labels[~tested])
    given = pd.DataFrame(model.predict_proba(features[tested]), columns=model.classes_)
    # A class that the fitted images lack is never predicted.
    given = given.reindex(columns=list(classes), fill_value=0.0).add_prefix("p_")
    facts = rows.loc[tested, ["sample", "patient", "split", "label"]].reset_index(drop=True)
    return facts.join(given)
