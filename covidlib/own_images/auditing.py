"""The audit of a person's images: what is wrong with them, and what a classifier could cheat by."""

import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from scipy.stats.contingency import association

from covidlib.data.findings import Findings, find
from covidlib.data.floors import FLOORS
from covidlib.evaluation import Interval, intervals
from covidlib.own_images.inspecting import Inspection, inspect
from covidlib.own_images.modality import COLOURED, NAMES
from covidlib.own_images.opening import FEW_PATIENTS, OwnImages, positive_last

UNEVEN = 3  # the largest class over the smallest
TELLING = 0.3  # Cramér's V of source and class
FLOOR_SEEDS = 3
HARMLESS = 0.75  # an AUC of a floor up to which its interval is no alarm
SIGHT = {
    "class frequencies": "how frequent each class is",
    "size and shape": "how wide and high the pictures are",
    "all file properties": "the size, shape and type of the files",
    "grey statistics": "16 grey values of each picture as a whole",
    "frame": "the border of the pictures, where there is hardly any lung,",
}


@dataclass(frozen=True)
class Remark:
    """One thing that the audit says.

    Args:
        kind: "stop" where nothing should be trained, "beware", or "fine".
        text: what it is, and what to do.
    """

    kind: str
    text: str


@dataclass(frozen=True)
class Audit:
    """Everything that was found.

    Args:
        inspection: one look at every image.
        findings: counts, leaks and floors of the readable images.
        floors: AUC of each floor with its interval.
        sources: images per source and class, None where no source is known.
        remarks: what to make of it, the gravest first.
        seconds: how long it took.
    """

    inspection: Inspection
    findings: Findings
    floors: dict[str, Interval]
    sources: pd.DataFrame | None
    remarks: tuple[Remark, ...]
    seconds: float

    @property
    def stops(self) -> tuple[Remark, ...]:
        """Remarks that forbid training."""
        return tuple(remark for remark in self.remarks if remark.kind == "stop")


def audit(own: OwnImages, modality: str | None = None, workers: int | None = 1) -> Audit:
    """Look for everything that would make a result worthless.

    Args:
        own: the images with the split that training will use.
        modality: see ``inspect``.
        workers: processes that decode, None for one per core.

    Raises:
        DataError: images of another kind, see ``inspect``.
    """
    start = time.monotonic()
    seen = inspect(own, modality, workers)
    findings = find(seen.own.dataset, "own", FLOOR_SEEDS, workers)
    floors = {
        name: intervals([positive_last(run, own.positive) for run in runs], ["auc"], resamples=500)[
            "auc"
        ]
        for name, runs in findings.runs.items()
    }
    sources = class_sources(seen.own.dataset.table)
    remarks = (
        *_of_files(seen),
        *_of_patients(seen.own),
        *_of_leaks(findings),
        *_of_balance(seen.own.dataset.table, sources),
        *floor_remarks(floors),
    )
    order = ("stop", "beware", "fine")
    return Audit(
        seen,
        findings,
        floors,
        sources,
        tuple(sorted(remarks, key=lambda remark: order.index(remark.kind))),
        time.monotonic() - start,
    )


def class_sources(table: pd.DataFrame) -> pd.DataFrame | None:
    """Count images per source (rows) and class (columns), None where no source is known."""
    known = table.dropna(subset=["source", "label"])
    if known.empty:
        return None
    return pd.crosstab(known["source"].to_numpy(str), known["label"].to_numpy(str)).rename_axis(
        index="source", columns="class"
    )


def _of_files(seen: Inspection) -> list[Remark]:
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


def _of_patients(own: OwnImages) -> list[Remark]:
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


def _of_leaks(findings: Findings) -> list[Remark]:
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


def _of_balance(table: pd.DataFrame, sources: pd.DataFrame | None) -> list[Remark]:
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


def floor_remarks(floors: dict[str, Interval]) -> list[Remark]:
    """Say what the best classifier without lungs is worth, of those that a network could equal.

    A wide interval shows no shortcut and excludes none, so it is no reason to be at ease.
    """
    usable = {name: found for name, found in floors.items() if FLOORS[name].exploitable != "no"}
    usable = {name: found for name, found in usable.items() if found.value == found.value}
    if not usable:
        return []
    shown = {name: found for name, found in usable.items() if found.low > 0.5}
    name, best = max((shown or usable).items(), key=lambda item: item[1].value)
    text = (
        f"A classifier that sees only {SIGHT.get(name, name)} reaches an AUC of {best.value:.2f} "
        f"[{best.low:.2f}, {best.high:.2f}]"
    )
    if shown:
        return [Remark("beware", text + ": a network has shown nothing until it is above that.")]
    if max(found.high for found in usable.values()) > HARMLESS:
        few = ": the test images are too few to say whether that is a shortcut or chance."
        return [Remark("beware", text + few)]
    return [Remark("fine", text + ": no shortcut is shown.")]
