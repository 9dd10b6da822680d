"""The audit of a person's images: all that is looked at, and what a classifier could cheat by."""

import time
from dataclasses import dataclass

import pandas as pd

from covidlib.data.findings import Findings, find
from covidlib.data.floors import FLOORS
from covidlib.evaluation import Interval, intervals
from covidlib.own_images.inspecting import Inspection, inspect
from covidlib.own_images.opening import OwnImages, positive_last
from covidlib.own_images.remarks import Remark, of_balance, of_files, of_leaks, of_patients

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
        *of_files(seen),
        *of_patients(seen.own),
        *of_leaks(findings),
        *of_balance(seen.own.dataset.table, sources),
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
