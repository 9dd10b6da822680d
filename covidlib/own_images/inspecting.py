"""One quick look at every image before any long work, and what is refused because of it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from covidlib.data.decoding import Problem
from covidlib.errors import DataError
from covidlib.own_images.modality import KINDS, NAMES, look_at_all
from covidlib.own_images.opening import OwnImages, without

# Of images that no fit saw, at most 7.4% of any collection are taken for another kind
# (modality.json); a folder with more than a fifth of them holds something else.
FOREIGN = 0.2


@dataclass(frozen=True)
class Inspection:
    """What one look at every image found.

    Args:
        own: the readable images.
        modality: "ct" or "cxr".
        problems: files that cannot be decoded.
        looks: per readable image its sample, the most probable kind, the share of coloured pixels,
            and whether its modality is ruled out.
    """

    own: OwnImages
    modality: str
    problems: tuple[Problem, ...]
    looks: pd.DataFrame

    @property
    def strangers(self) -> pd.DataFrame:
        """Images that are certainly not of the modality."""
        return self.looks[self.looks["ruled_out"]]


def inspect(own: OwnImages, modality: str | None = None, workers: int | None = 1) -> Inspection:
    """Decode every image once, find the modality, refuse what does not belong.

    Args:
        own: the images.
        modality: "ct" or "cxr", what the images are meant to be. Without it, what the data set's
            card says, else what most of them look like.
        workers: processes that decode, None for one per core.

    Raises:
        DataError: no image can be decoded, most are photographs, or more than a fifth look like
            another kind than is meant.
    """
    table = own.dataset.table
    found = look_at_all(table["path"], workers)
    bad = [isinstance(look, Problem) for look in found]
    problems = tuple(look for look in found if isinstance(look, Problem))
    if all(bad):
        raise DataError(
            f"none of the {len(table)} files of {own.dataset.name} can be decoded; "
            f"the first is {problems[0].path.name}: {problems[0].reason}"
        )
    good = [look for look in found if not isinstance(look, Problem)]
    looks = pd.DataFrame(
        {
            "sample": table["sample"][~np.array(bad)].to_numpy(),
            "kind": [look.kind for look in good],
            "coloured": [look.coloured for look in good],
        }
    )
    modality = _meant(own, modality, looks)
    looks["ruled_out"] = [look.excludes(modality) for look in good]
    kept = without(own, set(table["sample"][np.array(bad)]))
    return Inspection(kept, modality, problems, looks)


def _meant(own: OwnImages, modality: str | None, looks: pd.DataFrame) -> str:
    """Return the modality, or refuse."""
    if modality not in (None, "ct", "cxr"):
        raise DataError(f"the modality is ct or cxr, not {modality!r}")
    shares = looks["kind"].value_counts(normalize=True).reindex(KINDS, fill_value=0.0)
    meant = modality or own.modality or str(shares[["ct", "cxr"]].idxmax())
    if shares["photo"] > FOREIGN:
        count = int((looks["kind"] == "photo").sum())
        some = _examples(looks, "photo")
        raise DataError(
            f"{count} of {len(looks)} images look like photographs, {some}. "
            "This library reads chest X-rays and CT slices; remove the other images"
        )
    other = "ct" if meant == "cxr" else "cxr"
    if shares[other] > FOREIGN:
        way = (
            f"Say --modality {other} if that is what they are, or remove them"
            if shares[other] > 1 - FOREIGN
            else "A model of both would learn the modality; make one folder of each"
        )
        raise DataError(
            f"{shares[other]:.0%} of {len(looks)} images look like a {NAMES[other]} where a "
            f"{NAMES[meant]} is meant, {_examples(looks, other)}. {way}"
        )
    return meant


def _examples(looks: pd.DataFrame, kind: str) -> str:
    names = looks.loc[looks["kind"] == kind, "sample"].head(3)
    return "such as " + ", ".join(Path(name).name for name in names)
