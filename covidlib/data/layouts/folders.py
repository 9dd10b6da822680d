"""Any folder of class folders."""

from pathlib import Path

import pandas as pd

from covidlib.data.layouts.common import images_in, make_table
from covidlib.data.table import SPLITS
from covidlib.errors import DataError

# Other words for a split: beside split folders they would be left out, alone taken for classes.
SYNONYMS = {"training": "train", "valid": "val", "validation": "val", "testing": "test"}


def image_folder(folder: Path) -> pd.DataFrame:
    """Read ``[train|val|test/]<class>/…/<image>``: the class is the folder's name.

    Without split folders the split is unknown. A split that is flat and has Tiny ImageNet's
    ``<split>_annotations.txt`` takes its classes from there; one without stays out.

    Raises:
        DataError: a folder is called "Train", "validation" or another word for a split.
    """
    _refuse_synonyms(folder)
    splits = [s for s in SPLITS if (folder / s).is_dir()]
    if not splits:
        return make_table(folder, _class_folders(folder, pd.NA))
    rows, skipped = [], []
    for split in splits:
        home = folder / split
        if (home / f"{split}_annotations.txt").is_file():
            rows += _annotated(home, split)
        elif _is_flat(home):
            skipped += [(f"{split}/{p.name}", "no label") for p in images_in(home, recursive=True)]
        else:
            rows += _class_folders(home, split)
    return make_table(folder, rows, skipped)


def _refuse_synonyms(folder: Path) -> None:
    for home in sorted(p for p in folder.iterdir() if p.is_dir()):
        word = home.name.lower()
        meant = SYNONYMS.get(word, word)
        if meant in SPLITS and home.name != meant:
            raise DataError(f"{home} looks like a split under another name: call it {meant!r}")


def _is_flat(home: Path) -> bool:
    """Whether a split has its images in itself or in one folder called images."""
    return {p.name for p in home.iterdir() if p.is_dir()} <= {"images"}


def _class_folders(home: Path, split: object) -> list[dict]:
    classes = sorted(p for p in home.iterdir() if p.is_dir() and not p.name.startswith((".", "__")))
    return [
        {"path": image, "label": label.name, "split": split}
        for label in classes
        if label.name != "phantom_masks"
        for image in images_in(label, recursive=True)
    ]


def _annotated(home: Path, split: str) -> list[dict]:
    lines = (home / f"{split}_annotations.txt").read_text("utf-8").splitlines()
    labels = dict(line.split("\t")[:2] for line in lines if line)
    return [
        {"path": p, "label": labels.get(p.name, pd.NA), "split": split}
        for p in images_in(home / "images")
    ]
