"""The table of predictions, checked and turned into arrays."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from covidlib.errors import DataError

PREFIX = "p_"


@dataclass(frozen=True)
class Scored:
    """What every metric needs: truth, probabilities and who belongs together.

    Args:
        samples: name of each image. Shape: (N,).
        clusters: the patient where known, else the image itself. Shape: (N,).
        truth: class numbers. Shape: (N,).
        probabilities: rows sum to 1. Shape: (N, K).
        classes: fixed order; the last one is positive when there are two.
    """

    samples: np.ndarray
    clusters: np.ndarray
    truth: np.ndarray
    probabilities: np.ndarray
    classes: tuple[str, ...]

    @cached_property
    def predicted(self) -> np.ndarray:
        """Number of the most probable class, the first one on a tie. Shape: (N,)."""
        return self.probabilities.argmax(axis=1)

    @cached_property
    def absent(self) -> tuple[str, ...]:
        """Classes that no image has."""
        present = set(self.truth.tolist())
        return tuple(name for k, name in enumerate(self.classes) if k not in present)

    @property
    def binary(self) -> bool:
        """Whether there are two classes."""
        return len(self.classes) == 2

    def sorted(self) -> "Scored":
        """Return the same images by name."""
        order = np.argsort(self.samples.astype(str), kind="stable")
        arrays = (self.samples, self.clusters, self.truth, self.probabilities)
        return Scored(*(array[order] for array in arrays), self.classes)

    def __len__(self) -> int:
        return len(self.truth)


def classes_of(predictions: pd.DataFrame) -> tuple[str, ...]:
    """Return the class names, in the order of the columns ``p_<class>``.

    >>> classes_of(pd.DataFrame(columns=["sample", "label", "p_normal", "p_covid"]))
    ('normal', 'covid')
    """
    return tuple(c.removeprefix(PREFIX) for c in predictions.columns if c.startswith(PREFIX))


def scored(predictions: pd.DataFrame, split: str | None = "test") -> Scored:
    """Check predictions and take those of one split.

    Images with an unknown label cannot be scored and are left out: unknown is never a class.

    Args:
        predictions: one row per image: sample, patient, split, label, then ``p_<class>`` floats.
        split: the split to keep; None keeps every row.

    Raises:
        DataError: a column is missing, the split is empty, a sample is named twice, a label has no
            probability, a probability is not finite or outside [0, 1], or a row does not sum to 1.
    """
    classes = classes_of(predictions)
    needed = ["sample", "label", *(["split"] if split else [])]
    if missing := [column for column in needed if column not in predictions]:
        raise DataError(f"predictions lack the columns {missing}")
    if len(classes) < 2:
        raise DataError("predictions need a column p_<class> for each of two or more classes")
    rows = predictions if split is None else predictions[predictions["split"] == split]
    rows = rows[rows["label"].notna()]
    if rows.empty:
        raise DataError(f"no labelled image of split {split!r} among {len(predictions)} rows")
    if rows["sample"].duplicated().any():
        twice = rows.loc[rows["sample"].duplicated(), "sample"].iloc[0]
        raise DataError(f"sample {twice!r} is predicted twice")
    if strangers := set(rows["label"]) - set(classes):
        raise DataError(f"labels {sorted(strangers)} have no probability column among {classes}")
    return Scored(
        samples=rows["sample"].to_numpy(dtype=object),
        clusters=_clusters(rows),
        truth=rows["label"].map({name: k for k, name in enumerate(classes)}).to_numpy(dtype=int),
        probabilities=_probabilities(rows, classes),
        classes=classes,
    )


def against_rest(predictions: pd.DataFrame, positive: str) -> pd.DataFrame:
    """Return predictions of one class against all others together, "rest".

    >>> three = pd.DataFrame({"sample": ["a"], "label": ["b"], "p_b": [0.2], "p_c": [0.3]})
    >>> against_rest(three.assign(p_d=0.5), "c").to_dict("records")
    [{'sample': 'a', 'label': 'rest', 'p_rest': 0.7, 'p_c': 0.3}]
    """
    label, own = predictions["label"], predictions[PREFIX + positive]
    kept = predictions[[c for c in predictions.columns if not c.startswith(PREFIX)]]
    return kept.assign(
        label=label.where(label.isna() | (label == positive), "rest"),
        **{PREFIX + "rest": 1 - own, PREFIX + positive: own},
    )


def _probabilities(rows: pd.DataFrame, classes: tuple[str, ...]) -> np.ndarray:
    values = rows[[PREFIX + name for name in classes]].to_numpy(dtype=float)
    if not np.isfinite(values).all():
        first = rows["sample"].iloc[int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])]
        raise DataError(f"the probabilities of sample {first!r} are not finite")
    if values.min() < -1e-6 or values.max() > 1 + 1e-6:
        raise DataError(f"probabilities are in [{values.min():g}, {values.max():g}], not in [0, 1]")
    sums = values.sum(axis=1)
    # bfloat16 keeps three digits; a softmax rounded to it may miss 1 by a few thousandths.
    if np.abs(sums - 1).max() > 0.01:
        raise DataError(f"probabilities of a row sum to {sums[np.abs(sums - 1).argmax()]:g}, not 1")
    return values / sums[:, None]


def _clusters(rows: pd.DataFrame) -> np.ndarray:
    """Name who belongs together; the prefix keeps a patient from being taken for a sample."""
    if "patient" not in rows:
        return rows["sample"].to_numpy(dtype=object)
    named = [
        f"image {sample}" if pd.isna(patient) else f"patient {patient}"
        for sample, patient in zip(rows["sample"], rows["patient"], strict=True)
    ]
    return np.array(named, dtype=object)
