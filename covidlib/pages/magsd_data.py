"""Data sets A, B, C and Localization (``notebooks/magsd/data.py``, ``preprocessing.py``)."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from covidlib.book import Page
from covidlib.data import Dataset, open_dataset
from covidlib.data.composition_report import classes_table
from covidlib.data.compositions import COMPOSITIONS
from covidlib.data.decoding import read_uint8
from covidlib.data.phantoms import PhantomSettings
from covidlib.data.preprocessing import Preprocessing, prepare
from covidlib.data.splits import split_counts, split_table
from covidlib.data_page import PlainTable
from covidlib.figures import image_grid
from covidlib.files import save
from covidlib.pages import magsd_collections
from covidlib.paths import RESULTS
from covidlib.plans.magsd_runs import CLAHE, FOLDS
from covidlib.tables import PHANTOM_NOTE
from covidlib.terminal import RealData, Results, run_alone, say
from covidlib.verdicts import ABOVE, BELOW, REPRODUCED

NAMES = ("magsd-a", "magsd-b", "magsd-c", "magsd-localization")
FILE = Path("magsd") / "data" / "classes.json"
PHANTOM = PhantomSettings(images=64, size=64)
SIZE = 160  # of the pictures on the page, pixels


def datasets(page: Page) -> dict[str, Dataset]:
    """Open the four sets of the page's images."""
    phantom = PHANTOM if page.phantom else None
    return {name: open_dataset(name, page.root, phantom=phantom) for name in NAMES}


def counts(dataset: Dataset) -> pd.DataFrame:
    """Return images per class, "total" last, beside the paper's; see ``classes_table``."""
    return classes_table(dataset, COMPOSITIONS[dataset.name])


def classes(found: dict[str, Dataset], recorded: Path) -> PlainTable:
    """Return Table 1: paper, recorded, missing, this run, verdict.

    Args:
        found: the page's data sets.
        recorded: ``book/results``.
    """
    known, kept = read(recorded), magsd_collections.read(recorded)
    lines = {}
    for name, dataset in found.items():
        own = counts(dataset)
        lacking = kept[name]["classes"] if name in kept else {}
        for label, row in own.iterrows():
            told, paper = known.get(name, {}).get(label), int(row["paper"])
            lines[name, label] = {
                "paper": paper,
                "recorded": None if told is None else int(told),
                "missing": lacking.get(label, {}).get("missing"),
                "this run": f"phantoms: {row['here']}" if dataset.phantom else int(row["here"]),
                "verdict": verdict_of(paper, told),
            }
    frame = pd.DataFrame.from_dict(lines, orient="index")
    frame.index = pd.MultiIndex.from_tuples(frame.index)
    note = (
        "Images per class. Paper: magsd Table 1. Recorded: the sets at hand; missing: images that "
        "the paper's set has and the recorded one lacks, class by class. The verdict is about the "
        "number alone: the images are others."
    )
    return PlainTable(frame, note)


def verdict_of(paper: int, recorded: int | None) -> str:
    """Return whether a recorded number is the paper's, below it or above it."""
    if recorded is None:
        return "not recorded yet"
    return REPRODUCED if recorded == paper else BELOW if recorded < paper else ABOVE


def read(recorded: Path) -> dict[str, dict[str, int]]:
    """Return the recorded class sizes by data set; empty where none are."""
    path = recorded / FILE
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


def write(root: Path, recorded: Path) -> Path:
    """Record the class sizes of the sets under a data root, and the collections behind them.

    Args:
        root: holds real images.
        recorded: ``book/results``.
    """
    found = {name: open_dataset(name, root) for name in NAMES}
    body = {
        name: {label: int(n) for label, n in counts(dataset)["here"].items()}
        for name, dataset in found.items()
    }
    magsd_collections.write(found, recorded)
    return save(recorded / FILE, json.dumps(body, indent=1) + "\n")


def folds(dataset: Dataset) -> PlainTable:
    """Return images per class in the parts of every fold."""
    frames = {}
    for fold in range(FOLDS):
        split = split_table(dataset.table, "kfold", seed=0, fold=fold, folds=FOLDS)
        whole = split_counts(split, dataset.classes).drop(index="unknown", columns="none")
        frames[f"fold {fold}"] = whole.T
    note = "Images of this run. Patients are whole: none is on two sides of a fold."
    return PlainTable(pd.concat(frames), note + PHANTOM_NOTE * dataset.phantom)


def sentences(found: dict[str, Dataset], recorded: Path) -> dict[str, int | str]:
    """Return the numbers of the page's sentences, from the recorded sets."""
    known = read(recorded)
    told: dict[str, int | str] = {}
    for name in NAMES:
        short, sizes = name.removeprefix("magsd-"), COMPOSITIONS[name].sizes
        told[f"{short}_paper"] = sum(sizes.values())
        told[f"{short}_here"] = known[name]["total"] if name in known else "not recorded"
    left = found["magsd-b"].table.attrs["left_out"]
    return told | {"copies": len(left), "absent": magsd_collections.absent(recorded)}


def draw_classes(ax: Axes, dataset: Dataset, seed: int = 0) -> Axes:
    """Draw two images of every class, each of another patient where known."""
    columns = []
    for label in dataset.classes:
        rows = dataset.table[dataset.table["label"] == label].sort_values("sample")
        rows = rows.sample(frac=1, random_state=seed).drop_duplicates("patient").head(2)
        columns.append([square(path) for path in rows["path"]])
    images = [image for line in zip(*columns, strict=True) for image in line]
    return image_grid(ax, images, [*dataset.classes] * 2, columns=len(columns))


def square(path: str, clahe: float | None = None) -> np.ndarray:
    """Return an image as the page shows it, uint8, (SIZE, SIZE)."""
    return prepare(read_uint8(path, "minmax"), Preprocessing(SIZE, clahe_clip=clahe))


def draw_clahe(ax: Axes, page: Page) -> Axes:
    """Draw one image of each class of C without CLAHE (above) and with it (below)."""
    phantom = PHANTOM if page.phantom else None
    dataset = open_dataset("magsd-c", page.root, phantom=phantom)
    chosen = [
        dataset.table[dataset.table["label"] == label].sort_values("sample")["path"].iloc[0]
        for label in dataset.classes
    ]
    images = [square(path, clip) for clip in (None, CLAHE) for path in chosen]
    titles = [f"{label}{how}" for how in ("", ", CLAHE") for label in dataset.classes]
    return image_grid(ax, images, titles, columns=len(chosen))


def main(data: RealData, results: Results = RESULTS) -> None:
    """Record the sizes and sources of the data sets under the data root."""
    say(str(write(data, results)))


if __name__ == "__main__":
    run_alone(main)
