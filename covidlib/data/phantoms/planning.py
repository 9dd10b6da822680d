"""Helpers of the plans: how many images where, whose they are, how a table is written."""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from itertools import count
from typing import TypeVar

import numpy as np
import pandas as pd

Key = TypeVar("Key", bound=Hashable)


def share_out(total: int, weights: Mapping[Key, float]) -> dict[Key, int]:
    """Split a total in proportion to weights, at least 2 each, summing exactly.

    >>> share_out(20, {"train": 7, "val": 1, "test": 2})
    {'train': 14, 'val': 2, 'test': 4}
    """
    scale = total / sum(weights.values())
    counts = {key: max(2, int(weight * scale)) for key, weight in weights.items()}
    while (gap := total - sum(counts.values())) != 0:
        step = 1 if gap > 0 else -1
        movable = [key for key in counts if step > 0 or counts[key] > 2]
        worst = max(movable, key=lambda key: step * (weights[key] * scale - counts[key]))
        counts[worst] += step
    return counts


def people(
    rng: np.random.Generator, images: int, numbers: Iterator[int], most: int = 4
) -> list[tuple[int, int]]:
    """Give images to new patients: (patient, number of the image within the patient)."""
    out: list[tuple[int, int]] = []
    while len(out) < images:
        patient, several = next(numbers), int(rng.integers(1, most + 1))
        out += [(patient, k) for k in range(min(several, images - len(out)))]
    return out


def new_numbers() -> Iterator[int]:
    """Count patients from 1."""
    return count(1)


def csv(rows: Iterable[Mapping[str, object]], columns: list[str] | None = None, **how) -> str:
    """Return a table as CSV text; columns that no row has stay empty."""
    return (
        pd.DataFrame(list(rows))
        .reindex(columns=columns)
        .to_csv(index=how.pop("index", False), lineterminator="\n", **how)
    )
