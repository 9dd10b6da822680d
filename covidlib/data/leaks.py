"""What the training set tells about the test set: shared patients, sources and pictures."""

from dataclasses import dataclass

import pandas as pd

from covidlib.data.lookalikes import KINDS, identical_pairs, look_at, near_pairs
from covidlib.data.table import SPLITS, Dataset
from covidlib.errors import DataError

SPLIT_PAIRS = (("train", "val"), ("train", "test"), ("val", "test"))


@dataclass(frozen=True)
class LeakReport:
    """What the audit of one data set found.

    Args:
        table: the audited rows.
        patients: one row per patient of more than one set: the images in each set, the labels.
        sources: the same for sources, such as the publication an image was cut from.
        identical: pairs of images of the same bytes, or of the same decoded pixels.
        near: pairs that look alike, with ``distance`` (differing bits of the 64-bit dHash) and
            ``correlation`` (of 32×32 thumbnails).
    """

    table: pd.DataFrame
    patients: pd.DataFrame
    sources: pd.DataFrame
    identical: pd.DataFrame
    near: pd.DataFrame

    @property
    def pairs(self) -> pd.DataFrame:
        """All pairs, see ``described``."""
        return described(pd.concat([self.identical, self.near], ignore_index=True), self.table)

    def summary(self) -> pd.DataFrame:
        """Count the findings, a row per kind.

        Columns "train-val", "train-test", "val-test": patients, sources or pairs of images in
        both sets; "same set": pairs inside one set, or of images in none; "test images": test
        images with a counterpart in the training or validation set; "opposite labels": pairs;
        "not checked": images whose patient or source is unknown. <NA> where it has no meaning.
        """
        rows = {
            "patients": self._count_shared(self.patients, "patient"),
            "sources": self._count_shared(self.sources, "source"),
        }
        pairs = self.pairs
        rows |= {kind: _count_pairs(pairs[pairs["kind"] == kind]) for kind in KINDS}
        return pd.DataFrame.from_dict(rows, orient="index").astype("Int64")

    def _count_shared(self, shared: pd.DataFrame, column: str) -> dict[str, object]:
        counts = {f"{a}-{b}": ((shared[a] > 0) & (shared[b] > 0)).sum() for a, b in SPLIT_PAIRS}
        unknown = int(self.table[column].isna().sum())
        return counts | {
            "same set": pd.NA,
            "test images": shared["test"].sum(),
            "opposite labels": pd.NA,
            "not checked": unknown,
        }


def audit(
    dataset: Dataset, *, distance: int = 10, correlation: float = 0.95, workers: int | None = 1
) -> LeakReport:
    """Look for everything that two sets of one data set share.

    Two images are near-duplicates when their difference hashes (dHash, 64 bits) differ in at most
    ``distance`` bits and their thumbnails correlate. Neither changes with brightness, contrast or
    size; mirrored, turned and strongly cropped copies are not found. On COVID19-CT the correlation
    alone finds no pair that the hash misses; on chest X-rays, which resemble each other more, the
    hash removes the false ones.

    Args:
        dataset: images without a set are compared too, and counted as "same set".
        distance: of the hashes, 0 to 64.
        correlation: normalised cross-correlation of the thumbnails, above 0 and at most 1.
        workers: processes that decode, None for one per core.

    Raises:
        DataError: a threshold outside its range.
        UnreadableImages: all images that cannot be decoded.
    """
    if not (0 <= distance <= 64 and 0 < correlation <= 1):
        raise DataError(
            f"distance is 0 to 64 and correlation in (0, 1], got {distance} and {correlation}"
        )
    table = dataset.table.reset_index(drop=True)
    looks = look_at(table["sample"], table["path"], workers)
    identical = identical_pairs(looks)
    near = near_pairs(looks, distance, correlation)
    known = set(zip(identical["sample_a"], identical["sample_b"], strict=True))
    fresh = [pair not in known for pair in zip(near["sample_a"], near["sample_b"], strict=True)]
    return LeakReport(
        table=table,
        patients=_shared(table, "patient"),
        sources=_shared(table, "source"),
        identical=identical,
        near=near[fresh].reset_index(drop=True),
    )


def described(pairs: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Add path, label, patient and set of both images to pairs; those across sets come first.

    ``across`` is true where the two images are in different sets. ``opposite`` is true where they
    carry different labels: if they are one picture, one of the labels is wrong.

    Args:
        pairs: sample_a, sample_b, correlation; see ``covidlib.data.lookalikes``.
        table: the rows of the images.
    """
    facts = table.set_index("sample")[["path", "label", "patient", "split"]]
    for side in "ab":
        pairs = pairs.join(facts.add_suffix(f"_{side}"), on=f"sample_{side}")
    pairs["across"] = _differ(pairs["split_a"], pairs["split_b"])
    pairs["opposite"] = _differ(pairs["label_a"], pairs["label_b"])
    order = ["across", "opposite", "correlation"]
    return pairs.sort_values(order, ascending=False, kind="stable", ignore_index=True)


def _shared(table: pd.DataFrame, column: str) -> pd.DataFrame:
    known = table.dropna(subset=[column, "split"])
    counts = pd.crosstab(known[column].to_numpy(str), known["split"].to_numpy(str))
    counts = counts.reindex(columns=list(SPLITS), fill_value=0)
    labels = known.groupby(known[column].to_numpy(str))["label"]
    counts["labels"] = labels.agg(lambda group: ", ".join(sorted(group.dropna().unique())))
    counts = counts[(counts[list(SPLITS)] > 0).sum(axis=1) > 1]
    return counts.rename_axis(index=column, columns=None).reset_index()


def _differ(a: pd.Series, b: pd.Series) -> pd.Series:
    return (a != b).fillna(False).astype(bool)


def _count_pairs(pairs: pd.DataFrame) -> dict[str, object]:
    sets = [frozenset(pair) for pair in zip(pairs["split_a"], pairs["split_b"], strict=True)]
    counts = {f"{a}-{b}": sets.count(frozenset((a, b))) for a, b in SPLIT_PAIRS}
    across = pairs[pairs["across"]]
    touched = {
        sample
        for side in "ab"
        for sample in across.loc[across[f"split_{side}"] == "test", f"sample_{side}"]
    }
    return counts | {
        "same set": int((~pairs["across"]).sum()),
        "test images": len(touched),
        "opposite labels": int(pairs["opposite"].sum()),
        "not checked": pd.NA,
    }
