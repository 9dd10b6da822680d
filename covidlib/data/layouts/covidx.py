"""COVIDx: label files over five collections."""

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from covidlib.data.layouts.common import make_table, need
from covidlib.errors import DataError

_RSNA_NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# Where each collection keeps its images beside the label files' folder, in order of preference.
COLLECTIONS = {
    "cohen": ("covid-chestxray-dataset/images",),
    "fig1": ("Figure1-COVID-chestxray-dataset/images",),
    "actmed": ("Actualmed-COVID-chestxray-dataset/images",),
    "sirm": ("COVID-19-Radiography-Database/COVID-19", "COVID-19_Radiography_Dataset/COVID/images"),
    "rsna": (
        "rsna/stage_2_train_images",
        "rsna-pneumonia-detection-challenge/stage_2_train_images",
    ),
}


def labels(folder: Path) -> pd.DataFrame:
    """Read the two official label files (Wang et al. 2020): every line, image present or not.

    Returns:
        patient, file, label, source, split. The test file names no collection for 197 images:
        196 have names of RSNA's form, which no other collection uses, and so their source is
        RSNA; the source of the other one is unknown until its image is found in a collection.

    Raises:
        DataError: a line has neither three nor four fields.
    """
    rows = []
    for split in ("train", "test"):
        path = need(folder / f"{split}_COVIDx4.txt")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            fields = line.split()
            if len(fields) not in (3, 4):
                raise DataError(f"{path}, line {number}: expected 3 or 4 fields, got {line!r}")
            source = fields[3] if len(fields) == 4 else _source_of(fields[0])
            rows.append((*fields[:3], source, split))
    names = ["patient", "file", "label", "source", "split"]
    return pd.DataFrame(rows, columns=names, dtype="string")


def covidx(folder: Path) -> pd.DataFrame:
    """Read COVIDx: the lines whose images are present, from the built set or its collections.

    A sample is ``<split>/<file>``, its place in the built set. A file that is listed for two
    patients is taken once, for the patient listed last, whom the Cohen metadata name.
    """
    listed = labels(folder)
    again = listed["file"].duplicated(keep="last")
    skipped = [(f, "listed twice") for f in listed.loc[again, "file"]]
    rows = []
    for row in listed[~again].itertuples(index=False):
        if found := _find(folder, row):
            path, source = found
            facts = {"label": row.label, "patient": row.patient, "split": row.split}
            sample = f"{row.split}/{row.file}"
            rows.append({"path": path, "sample": sample, "source": source, **facts})
        else:
            source = "unknown source" if pd.isna(row.source) else row.source
            skipped.append((row.file, f"no image ({source})"))
    return make_table(folder, rows, skipped)


def _source_of(patient: str) -> object:
    return "rsna" if _RSNA_NAME.fullmatch(patient) else pd.NA


def _find(folder: Path, row) -> tuple[Path, object] | None:
    """Return the image of one line and its source, from the built set or a collection."""
    for home, source in _homes(folder, row):
        names = [row.file]
        if pd.notna(source) and source == "sirm":  # the collection writes "COVID-19 (69).png"
            names.append(row.file.replace("(", " ("))
        if pd.notna(source) and source == "rsna":
            names.append(f"{row.patient}.dcm")
        if path := next((home / n for n in names if (home / n).is_file()), None):
            return path, source
    return None


def _homes(folder: Path, row) -> Iterator[tuple[Path, object]]:
    """Yield the folders that may hold an image: all collections when its line names none."""
    yield folder / row.split, row.source
    for source in COLLECTIONS if pd.isna(row.source) else (row.source,):
        for place in COLLECTIONS.get(source, ()):
            yield folder.parent / place, source
