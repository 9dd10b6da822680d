"""What a data set turned out to be, kept: counts, file properties, leaks and floors.

A page made from phantoms has nothing to say about the real images. It shows these instead,
measured once on the real ones; they hold names and numbers, never pixels.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pandas as pd

from covidlib.data.floors import floor_runs
from covidlib.data.leaks import audit
from covidlib.data.properties import file_properties
from covidlib.data.splits import split_counts
from covidlib.data.table import Dataset
from covidlib.errors import DataError
from covidlib.evaluation import intervals
from covidlib.files import save
from covidlib.verdicts import Measured

FACTS, RUNS = "findings.json", "floors.parquet"
FRAMES = ("counts", "classes", "leaks", "patients", "sources", "pairs")
PATHS = ["path_a", "path_b"]


@dataclass(frozen=True)
class Findings:
    """The facts of one data set.

    Args:
        name: of the data set.
        fingerprint: of its files and split.
        sides: the shortest and the longest side of any image, pixels.
        counts: images per class and set, see ``split_counts``.
        classes: properties of the files per class, see ``class_properties``.
        leaks: the audit's summary.
        patients: patients of more than one set.
        sources: sources of more than one set.
        pairs: images that are, or look like, the same picture.
        runs: the predictions of each floor, see ``floor_runs``.
        provenance: commit, versions, seconds, phantom, profile.
    """

    name: str
    fingerprint: str
    sides: tuple[int, int]
    counts: pd.DataFrame
    classes: pd.DataFrame
    leaks: pd.DataFrame
    patients: pd.DataFrame
    sources: pd.DataFrame
    pairs: pd.DataFrame
    runs: Mapping[str, Sequence[pd.DataFrame]]
    provenance: Mapping[str, object]

    def measured(self, floor: str, resamples: int = 2000) -> Measured:
        """Return one floor's accuracy, F1 and AUC as a row of a table takes them."""
        found = intervals(self.runs[floor], resamples=resamples)
        return Measured(found, (self.provenance,) * len(self.runs[floor]))


def find(dataset: Dataset, profile: str, seeds: int = 5, workers: int | None = 1) -> Findings:
    """Measure everything that is kept.

    Args:
        dataset: with a split.
        profile: of the provenance; nothing is made smaller by it.
        seeds: forests per floor.
        workers: processes that decode, None for one per core.
    """
    from covidlib.runs.provenance import software

    start = time.monotonic()
    report = audit(dataset, workers=workers)
    runs = floor_runs(dataset, seeds, workers=workers)
    sides = file_properties(dataset.table)[["width", "height"]].to_numpy(int)
    return Findings(
        name=dataset.name,
        fingerprint=dataset.fingerprint,
        sides=(int(sides.min()), int(sides.max())),
        counts=split_counts(dataset.table, dataset.classes),
        classes=class_properties(dataset),
        leaks=report.summary(),
        patients=report.patients,
        sources=report.sources,
        pairs=report.pairs,
        runs=runs,
        provenance=software()
        | {
            "phantom": dataset.phantom,
            "profile": profile,
            "seconds": round(time.monotonic() - start, 1),
        },
    )


def class_properties(dataset: Dataset) -> pd.DataFrame:
    """Describe the files of each class: a row per property, a column per class.

    Ranges are written "low–high (median)", shares as percent; patients and sources that nobody
    knows are not counted.
    """
    table = dataset.table[dataset.table["label"].notna()]
    files = file_properties(table)
    columns = {}
    for label in dataset.classes:
        rows, own = table[table["label"] == label], files[table["label"] == label]
        column = {"images": f"{len(rows)}"}
        column |= {f"{c}s": f"{rows[c].nunique()}" for c in ("patient", "source")}
        for side in ("width", "height"):
            low, high, middle = own[side].min(), own[side].max(), own[side].median()
            column[f"{side}, pixels"] = f"{low:.0f}–{high:.0f} ({middle:.0f})"
        low, high, middle = own["aspect"].min(), own["aspect"].max(), own["aspect"].median()
        column["width : height"] = f"{low:.2f}–{high:.2f} ({middle:.2f})"
        for name, kind in (("suffix", "file type"), ("mode", "colour mode")):
            for value in sorted(files[name].unique()):
                column[f"{kind} {value}"] = f"{(own[name] == value).mean():.0%}"
        columns[label] = column
    return pd.DataFrame(columns)


def write(findings: Findings, folder: str | Path) -> Path:
    """Keep findings of real images under ``book/results``.

    Raises:
        DataError: the images were drawn, or the folder holds findings already.
    """
    if findings.provenance.get("phantom") is not False:
        raise DataError(f"{findings.name}: only findings of real images are kept")
    folder = Path(folder)
    if (folder / FACTS).exists():
        raise DataError(f"{folder} holds findings; remove them to measure again")
    folder.mkdir(parents=True, exist_ok=True)
    frames = {name: getattr(findings, name).drop(columns=PATHS, errors="ignore") for name in FRAMES}
    body = {"name": findings.name, "fingerprint": findings.fingerprint, "sides": findings.sides}
    body |= {name: json.loads(f.to_json(orient="table", index=True)) for name, f in frames.items()}
    body["provenance"] = dict(findings.provenance)
    parts = [
        run.assign(floor=floor, number=number)
        for floor, runs in findings.runs.items()
        for number, run in enumerate(runs)
    ]
    pd.concat(parts, ignore_index=True).to_parquet(folder / RUNS, compression="zstd")
    save(folder / FACTS, json.dumps(body, indent=1) + "\n")  # last: with it, findings are there
    return folder


def read(folder: str | Path) -> Findings:
    """Read what ``write`` kept.

    Raises:
        DataError: there are no findings.
    """
    folder = Path(folder)
    if missing := [name for name in (FACTS, RUNS) if not (folder / name).is_file()]:
        raise DataError(f"{folder} has no findings: it lacks {missing}")
    body = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    frames = {
        name: pd.read_json(StringIO(json.dumps(body[name])), orient="table") for name in FRAMES
    }
    table = pd.read_parquet(folder / RUNS)
    runs = {
        floor: [run.drop(columns=["floor", "number"]) for _, run in rows.groupby("number")]
        for floor, rows in table.groupby("floor", sort=False)
    }
    facts = {name: body[name] for name in ("name", "fingerprint", "provenance")}
    return Findings(**facts, sides=tuple(body["sides"]), **frames, runs=runs)


def main(name: str, data: Path, folder: Path, profile: str = "paper") -> None:
    """Measure the data set NAME under the data root DATA and keep the findings in FOLDER."""
    from covidlib.data.opening import open_dataset

    write(find(open_dataset(name, data), profile, workers=None), folder)


if __name__ == "__main__":
    from covidlib.terminal import run_alone

    run_alone(main)
