"""Overlaps under ``book/results``: one small file per run."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from covidlib import kept_scores
from covidlib.localization_scores.scoring import LETTERS, MEASURES, Overlaps

FOLDER = Path("magsd") / "localization"
FEWEST = 3  # networks that decide a claim; see covidlib.claims.claim
IMAGE = ["sample", "patient", "label"]
MAP = ["source", "threshold"]


def place(key: str, results: Path) -> Path:
    """Return the file that keeps the overlaps of a run."""
    return kept_scores.place(results / FOLDER, key)


def write(found: Overlaps, results: Path) -> Path | None:
    """Keep overlaps on real images; those that are there already are left alone.

    Raises:
        DataError: the images were drawn, or the run was a small one.
    """
    images = found.table[IMAGE].drop_duplicates()
    overlaps = []
    for (source, threshold), part in found.table.groupby(MAP, dropna=False, sort=False):
        values = part.set_index("sample")[list(MEASURES)].reindex(images["sample"]).round(4)
        overlaps.append(
            {"source": source, "threshold": _plain(threshold)}
            | {name: [_plain(value) for value in values[name]] for name in MEASURES}
        )
    body = {"key": found.key, "letter": found.letter, "fold": found.fold}
    body |= {"images": images.astype(str).to_numpy().tolist(), "overlaps": overlaps}
    body |= {"provenance": dict(found.provenance)}
    return kept_scores.keep(body, place(found.key, results))


def _plain(value: float) -> float | None:
    return None if value != value else float(value)


def read(results: Path) -> list[Overlaps]:
    """Return what ``write`` kept; of several profiles, the larger one alone."""
    found = []
    for body in kept_scores.kept(results / FOLDER):
        images = pd.DataFrame(body.pop("images"), columns=IMAGE)
        parts = [images.assign(**part) for part in body.pop("overlaps")]
        table = pd.concat(parts, ignore_index=True).dropna(subset=["mask"])
        table = table.astype({"threshold": float, "mask": float, "box": float})
        found.append(Overlaps(table=table.reset_index(drop=True), **body))
    return found


def recorded(results: Path) -> list[Overlaps]:
    """Return the kept overlaps of the networks that speak; see ``speaking``."""
    return speaking(read(results))


def speaking(found: Sequence[Overlaps]) -> list[Overlaps]:
    """Choose the networks of one data set among several; see ``LETTERS``.

    B's where there are as many of them as of A, and not fewer than ``FEWEST``; else A's, and B's
    again where A has none.
    """
    first, second = ([one for one in found if one.letter == letter] for letter in LETTERS)
    enough = len(first) >= max(FEWEST, len(second))
    return first if enough or not second else second
