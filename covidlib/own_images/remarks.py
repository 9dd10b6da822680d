"""What the audit says of files, patients, leaks and balance."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from scipy.stats.contingency import association

from covidlib.data.findings import Findings
from covidlib.own_images.inspecting import Inspection
from covidlib.own_images.modality import COLOURED, NAMES
from covidlib.own_images.opening import FEW_PATIENTS, OwnImages

UNEVEN = 3  # the largest class over the smallest
TELLING = 0.3  # Cramér's V of source and class


@dataclass(frozen=True)
class Remark:
    """One thing that the audit says.

    Args:
        kind: "stop" where nothing should be trained, "beware", or "fine".
        text: what it is, and what to do.
    """

    kind: str
    text: str


def of_files(seen: Inspection) -> list[Remark]:
    """Name files that cannot be decoded, photographs, and what looks like another kind."""
    remarks = []
    if seen.problems:
        first = seen.problems[0]
        remarks.append(
            Remark(
                "stop",
                f"{len(seen.problems)} files cannot be decoded, the first is {first.path.name} "
                f"({first.reason}). Remove or replace them; the report lists them.",
            )
        )
    name = NAMES[seen.modality]
    strange = seen.strangers
    photos = strange[strange["coloured"] > COLOURED]
    others = strange.drop(photos.index)
    if len(photos):
        remarks.append(
            Remark(
                "stop",
                f"Colour photographs and not a {name}: {len(photos)}. Remove {_some(photos)}.",
            )
        )
    if len(others):
        remarks.append(
            Remark(
                "beware",
                f"{len(others)} of {len(seen.looks)} images do not look like a {name}; "
                f"look at {_some(others)}.",
            )
        )
    elif not len(strange):
        remarks.append(Remark("fine", f"All readable images may be a {name}."))
    return remarks


def brief(sample: str) -> str:
    """Return the last folder and the name of a file; the rest of its path says little."""
    return "/".join(Path(sample).parts[-2:])


def _some(images: pd.DataFrame) -> str:
    names = [brief(sample) for sample in images["sample"]]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def of_patients(own: OwnImages) -> list[Remark]:
    """Say how many patients are unknown, and how few a test set has."""
    table, remarks = own.dataset.table, []
    if unknown := int(table["patient"].isna().sum()):
        remarks.append(
            Remark(
                "beware",
                f"The patient of {unknown} of {len(table)} images is unknown; each is taken for a "
                "patient of its own. Where a patient has several images, they may be trained and "
                "tested on: give patients in a CSV (covidlib list).",
            )
        )
    tested = table[table["split"] == "test"]
    people = tested["patient"].fillna(tested["sample"]).groupby(tested["label"]).nunique()
    if (few := people[people < FEW_PATIENTS]).size:
        worst, count = few.idxmin(), int(few.min())
        remarks.append(
            Remark(
                "beware",
                f"The test set has {count} patients of {worst!r}: if 80% of them were found, the "
                f"true share could be {196 * (0.16 / count) ** 0.5:.0f} points away.",
            )
        )
    return remarks


def of_leaks(findings: Findings) -> list[Remark]:
    """Name patients, sources and pictures that are in more than one set."""
    remarks = []
    if len(findings.patients):
        remarks.append(
            Remark(
                "stop",
                f"{len(findings.patients)} patients have images in more than one set. "
                "Give each patient one set, or leave the split out and it is drawn by patient.",
            )
        )
    if len(findings.sources):
        remarks.append(
            Remark(
                "beware",
                f"Sources with images in more than one set: {len(findings.sources)}. The test says "
                "nothing about a source that was not trained on.",
            )
        )
    pairs = findings.pairs
    if across := int(pairs["across"].sum()):
        remarks.append(
            Remark(
                "beware",
                f"Pairs of images that look the same and are in different sets: {across}. "
                "Give both one patient in a CSV, or keep one of them.",
            )
        )
    if opposite := int(pairs["opposite"].sum()):
        remarks.append(
            Remark(
                "beware",
                f"Pairs of images that look the same and have different labels: {opposite}. "
                "Where they are one picture, one label is wrong.",
            )
        )
    if not len(pairs):
        remarks.append(Remark("fine", "No two images are the same picture."))
    return remarks


def of_balance(table: pd.DataFrame, sources: pd.DataFrame | None) -> list[Remark]:
    """Say how uneven the classes are, and how far the source tells the class."""
    remarks, counts = [], table["label"].value_counts()
    if counts.max() > UNEVEN * counts.min():
        remarks.append(
            Remark(
                "beware",
                f"{counts.idxmax()!r} has {counts.max() / counts.min():.1f} times the images of "
                f"{counts.idxmin()!r}: accuracy will flatter; look at AUC and sensitivity.",
            )
        )
    if sources is None:
        remarks.append(
            Remark(
                "beware",
                "No source (hospital, scanner, collection) is known, so nobody can tell whether "
                "the class is the source. Give it in a CSV.",
            )
        )
    elif min(sources.shape) > 1:
        strength = association(sources.to_numpy(), method="cramer")
        told = sources.max(axis=1).sum() / sources.to_numpy().sum()
        text = (
            f"The source alone names the class of {told:.0%} of the images "
            f"(Cramér's V {strength:.2f})"
        )
        better = strength > TELLING
        advice = ": a network may learn to recognise the source." if better else "."
        remarks.append(Remark("beware" if better else "fine", text + advice))
    else:
        remarks.append(Remark("fine", "All images come from one source."))
    return remarks
