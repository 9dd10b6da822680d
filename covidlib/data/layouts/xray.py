"""The chest X-ray collections."""

import re
from pathlib import Path

import pandas as pd

from covidlib.data.layouts.common import images_in, make_table, need, one_row_per_file, read_csv

FRONTAL = frozenset({"PA", "AP", "AP Supine", "AP Erect", "AP erect", "AP semi erect"})

_BACTERIAL = (
    "Bacterial", "Streptococcus", "Klebsiella", "E.Coli", "Legionella", "Chlamydophila",
    "Mycoplasma Bacterial Pneumonia",
)  # fmt: skip

# Finding of the Cohen collection -> (label, cause). What is not here stays unknown: "todo",
# "Unknown", and ARDS alone, which is a syndrome that has many causes.
FINDINGS: dict[str, tuple[str, str | None]] = {
    "No Finding": ("normal", None),
    "COVID-19": ("COVID-19", "viral"),
    "COVID-19, ARDS": ("COVID-19", "viral"),
    "Pneumonia": ("pneumonia", None),
    **dict.fromkeys(("SARS", "MERS", "Influenza", "Varicella"), ("pneumonia", "viral")),
    **dict.fromkeys(_BACTERIAL, ("pneumonia", "bacterial")),
    "Pneumocystis": ("pneumonia", "fungal"),
    "Lipoid": ("pneumonia", "lipoid"),
}


def cohen(folder: Path) -> pd.DataFrame:
    """Read the frontal X-rays of the COVID-19 image data collection (Cohen et al. 2020).

    Args:
        folder: holds metadata.csv and images/.

    Returns:
        The table with finding, cause (viral, bacterial, fungal, lipoid), view, sex and age.
    """
    path = folder / "metadata.csv"
    meta = one_row_per_file(read_csv(path), "filename", path)
    images = {p.name: p for p in images_in(need(folder / "images"))}
    skipped = [(name, "not in metadata.csv") for name in sorted(set(images) - set(meta.index))]
    rows = []
    for name, row in meta.iterrows():
        if reason := _unfit(row, name in images):
            skipped.append((name, reason))
            continue
        finding = row["finding"]
        label, cause = (pd.NA, pd.NA) if pd.isna(finding) else FINDINGS.get(finding, (pd.NA,) * 2)
        rows.append(
            {"path": images[name], "label": label, "patient": row["patientid"]}
            | {"source": _first_known(row, "doi", "url", "location"), "finding": finding}
            | {"cause": cause, "view": row["view"], "sex": row["sex"], "age": row["age"]}
        )
    return make_table(folder, rows, skipped)


def _unfit(row: pd.Series, present: bool) -> str | None:
    """Say why a row of the Cohen collection is not taken; None when it is."""
    if pd.isna(row["modality"]) or row["modality"] != "X-ray":
        return f"modality is {row['modality']}"
    if pd.isna(row["view"]) or row["view"] not in FRONTAL:
        unknown = pd.isna(row["view"]) or row["view"] == "?"
        return "view is unknown" if unknown else f"view is {row['view']}"
    return None if present else "listed but absent"


def _first_known(row: pd.Series, *columns: str) -> object:
    return next((row[c] for c in columns if pd.notna(row[c])), pd.NA)


def cxnet(folder: Path) -> pd.DataFrame:
    """Read COVID-CXNet (Haghanifar et al. 2020).

    Images and metadata are matched by their number: extensions changed over time. A row of
    metadata without a label leaves the image unlabelled; an image without a row keeps the label
    of its folder. ``child`` and ``normal_looking`` are what the end of the name says.
    """
    home = folder / "covid19"
    home = home if home.is_dir() else need(folder / "chest_xray_images/covid19")
    path = folder / "metadata.csv"
    frame = read_csv(path)
    frame["number"] = frame["filename"].str.extract(r"^(\d+)")[0]
    meta = one_row_per_file(frame, "number", path)
    rows, seen, skipped = [], set(), []
    for image in images_in(home):
        if (name := re.fullmatch(r"(\d+)([p-]*)", image.stem)) is None:
            skipped.append((image.name, "its name is no number"))
            continue
        number, marks = name.groups()
        seen.add(number)
        row = {"path": image, "label": "COVID-19", "listed": number in meta.index}
        row |= {"child": "p" in marks, "normal_looking": "-" in marks}
        if number in meta.index:
            known = meta.loc[number]
            row |= {"label": known["label"], "patient": known["patient_id"]}
            row |= {"source": known["url"], "view": known["view"], "age": known["age"]}
        rows.append(row)
    skipped += [(meta.loc[n, "filename"], "listed but absent") for n in set(meta.index) - seen]
    return make_table(folder, rows, skipped)


def chestxray8(folder: Path) -> pd.DataFrame:
    """Read ChestX-ray8 (Wang et al. 2017): patient = first part of the name.

    An image with several findings has no single label; ``findings`` keeps all of them.
    """
    path = next(iter(sorted(folder.glob("Data_Entry_2017*.csv"))), folder / "Data_Entry_2017.csv")
    meta = one_row_per_file(read_csv(path), "Image Index", path)
    lists = {"train": "train_val_list.txt", "test": "test_list.txt"}
    split = {n: s for s, f in lists.items() for n in need(folder / f).read_text().split()}
    rows, skipped = [], []
    for image in (p for home in sorted(folder.glob("images*")) for p in images_in_tree(home)):
        if image.name not in meta.index:
            skipped.append((image.name, f"not in {path.name}"))
            continue
        findings = meta.loc[image.name, "Finding Labels"]
        single = pd.notna(findings) and "|" not in findings
        row = {"path": image, "label": findings if single else pd.NA, "findings": findings}
        row |= {"patient": image.name.split("_")[0], "split": split.get(image.name, pd.NA)}
        rows.append(row | {"view": meta.loc[image.name, "View Position"], "source": "NIH"})
    present = {row["path"].name for row in rows}
    absent = [(name, "listed but absent") for name in meta.index if name not in present]
    return make_table(folder, rows, skipped + absent)


def images_in_tree(home: Path) -> list[Path]:
    """List images of a folder and of all below it."""
    return images_in(home, recursive=True) if home.is_dir() else []


def chestxray8_subset(folder: Path) -> pd.DataFrame:
    """Read the 2 x 500 images of Ozturk et al. 2020: class folders, name = patient_image."""
    return make_table(
        folder,
        [
            {"path": p, "label": label, "patient": p.stem.split("_")[0], "source": "NIH"}
            for label in ("No_findings", "Pneumonia")
            for p in images_in(need(folder / label))
        ],
    )


_PERSON = re.compile(r"(person\d+)_(bacteria|virus)_", re.IGNORECASE)
_RELEASE_3 = re.compile(r"(NORMAL|BACTERIA|VIRUS)-(\d+)-\d+$")
_STUDY = re.compile(r"((?:NORMAL2-)?IM-\d+)-")
_KERMANY_FOLDERS = {name: name for name in ("normal", "pneumonia_bac", "pneumonia_vir")}
_CAUSES = {"bacteria": "pneumonia_bac", "virus": "pneumonia_vir", "normal": "normal"}


def kermany(folder: Path) -> pd.DataFrame:
    """Read the paediatric set of Kermany et al. 2018, whole (two folders) or in three classes.

    The class comes from the folder, or from the name where the folder only says PNEUMONIA. The
    patient is ``person<N>``, or the number that the third release puts into each name; normal
    images of the second release have no patient, only a ``study``.
    """
    rows = []
    for split in ("train", "val", "test"):
        homes = sorted(p for p in (folder / split).glob("*") if p.is_dir())
        rows += [_kermany_row(p, split) for home in homes for p in images_in(home)]
    return make_table(folder, rows)


def _kermany_row(path: Path, split: str) -> dict:
    person, numbered = _PERSON.match(path.name), _RELEASE_3.match(path.stem)
    study = _STUDY.match(path.name)
    label = _KERMANY_FOLDERS.get(path.parent.name.lower(), pd.NA)
    if pd.isna(label) and person:
        label = _CAUSES[person[2].lower()]
    elif pd.isna(label) and numbered:
        label = _CAUSES[numbered[1].lower()]
    patient = person[1] if person else numbered[2] if numbered else pd.NA
    return {
        "path": path,
        "label": label,
        "patient": patient,
        "split": split,
        "source": "Guangzhou",
        "study": study[1] if study else pd.NA,
    }


def rsna(folder: Path) -> pd.DataFrame:
    """Read the RSNA pneumonia challenge (Shih et al. 2019): three classes, one image a patient."""
    path = folder / "stage_2_detailed_class_info.csv"
    classes = read_csv(path).drop_duplicates()
    classes = one_row_per_file(classes, "patientId", path)["class"]
    boxes = read_csv(folder / "stage_2_train_labels.csv").groupby("patientId")["x"].count()
    rows = [
        {"path": p, "label": classes.get(p.stem, pd.NA), "patient": p.stem, "source": "RSNA"}
        | {"boxes": int(boxes.get(p.stem, 0))}
        for p in images_in(need(folder / "stage_2_train_images"))
    ]
    present = {row["patient"] for row in rows}
    return make_table(
        folder, rows, [(n, "listed but absent") for n in classes.index if n not in present]
    )
