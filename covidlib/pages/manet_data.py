"""Five classes of X-rays, and what is done to them (``notebooks/manet/data.py``)."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from covidlib.book import Page
from covidlib.data.compositions import COMPOSITIONS
from covidlib.data_page import SETS, PlainTable
from covidlib.files import save
from covidlib.paths import RESULTS
from covidlib.plans.manet import CLASSES as NAME
from covidlib.plans.manet import classifier, segmenter
from covidlib.postprocessing import clean
from covidlib.published import published
from covidlib.runs.running import load, run
from covidlib.runs.store import Store
from covidlib.terminal import RealData, Results, run_alone, say
from covidlib.training.data import TrainingData, training_data
from covidlib.training.lungs import predicted_lungs
from covidlib.verdicts import ABOVE, BELOW, NOT_TESTABLE, REPRODUCED

CLASSES = COMPOSITIONS[NAME].classes
PRINTED = dict(zip(CLASSES, ("normal", "covid19", "tb", "bp", "vp"), strict=True))
FILE = Path("manet") / "data" / "counts.json"
TOTAL, ALL = "total", "all"
STEPS = ("image", "predicted lungs", "post-processed", "segmentation")


def images(page: Page) -> TrainingData:
    """Return the five classes with the split of the classifiers, at the segmentation's size."""
    spec = classifier(page.profile, page.phantom, "resnet50")
    size = segmenter(page.profile, page.phantom).data.preprocessing
    return training_data(
        replace(spec.data, lungs=None, view="image", preprocessing=size), page.root
    )


def counts(data: TrainingData) -> pd.DataFrame:
    """Return images of each class and of all, by set and in total, and their patients."""
    lines = {}
    for name in (*CLASSES, ALL):
        mine = data.table if name == ALL else data.table[data.table["label"] == name]
        sets = {split: int((mine["split"] == split).sum()) for split in SETS}
        patients = int(mine["patient"].nunique())
        lines[name] = {**sets, TOTAL: len(mine), "patients": patients}
    return pd.DataFrame.from_dict(lines, orient="index")


def counts_table(data: TrainingData, phantom: bool, recorded: Path) -> PlainTable:
    """Return Table 1: paper, recorded, this run, verdict, images per class and set.

    A count is not a sample: the verdict is whether the recorded number is the printed one.

    Args:
        data: the page's images.
        phantom: whether they were drawn.
        recorded: ``book/results``.
    """
    here, known, lines = counts(data), read(recorded), {}
    printed = published("manet", 1)
    for name in (*CLASSES, ALL):
        theirs = printed if name == ALL else printed[printed["class"] == PRINTED[name]]
        for split, title in {**SETS, TOTAL: TOTAL}.items():
            paper = int(theirs.loc[theirs["split"] == split, "number"].sum())
            ours = None if known is None else int(known.loc[name, split])
            now = int(here.loc[name, split])
            lines[name, title] = {
                "paper": paper,
                "recorded": ours,
                "this run": f"phantoms: {now}" if phantom else now,
                "verdict": _verdict(paper, ours),
            }
    frame = pd.DataFrame.from_dict(lines, orient="index")
    frame.index = pd.MultiIndex.from_tuples(frame.index)
    caption = (
        "Images. Recorded: the sets at hand, whole patients in each. A class without any image "
        "belongs to a collection that is not there, and is not testable here."
    )
    return PlainTable(frame, caption)


def _verdict(paper: int, recorded: int | None) -> str:
    if not recorded:
        return NOT_TESTABLE
    return REPRODUCED if recorded == paper else BELOW if recorded < paper else ABOVE


def read(recorded: Path) -> pd.DataFrame | None:
    """Return the recorded ``counts``; None where none are."""
    path = recorded / FILE
    if not path.is_file():
        return None
    return pd.DataFrame.from_dict(json.loads(path.read_text("utf-8")), orient="index")


def write(root: Path, recorded: Path) -> Path:
    """Record the counts behind the recorded classifiers.

    Args:
        root: holds real images.
        recorded: ``book/results``.
    """
    spec = classifier("laptop", False, "resnet50")
    found = counts(training_data(replace(spec.data, lungs=None, view="image"), root))
    return save(recorded / FILE, json.dumps(found.T.to_dict(), indent=1) + "\n")


def sources_table(data: TrainingData) -> PlainTable:
    """Return which collection gives how many images of which class."""
    part = data.table["sample"].str.split("/").str[0]
    counts = pd.crosstab(part, data.table["label"])
    counts = counts.reindex(columns=[c for c in CLASSES if c in counts]).rename_axis(None)
    return PlainTable(counts.rename_axis(None, axis=1), "Images by collection and class.")


def one_collection(data: TrainingData) -> float:
    """Return the accuracy of naming the commonest class of an image's collection."""
    part = data.table["sample"].str.split("/").str[0]
    return float(pd.crosstab(part, data.table["label"]).max(axis=1).sum() / len(data.table))


def examples(data: TrainingData, each: int = 3) -> dict[str, np.ndarray]:
    """Return training images of every class, (each, S, S)."""
    found = {}
    for name in data.classes:
        chosen = (data.table["label"] == name) & (data.table["split"] == "train")
        rows = np.flatnonzero(chosen.to_numpy(bool))
        found[name] = np.asarray(data.cached.images[rows[:each]])
    return found


def draw_examples(axes: np.ndarray, found: dict[str, np.ndarray]) -> None:
    """Draw a column per class (manet figure 1)."""
    for column, (name, pictures) in zip(axes.T, found.items(), strict=True):
        column[0].set_title(name, fontsize=9)
        for number, ax in enumerate(column):
            ax.set_axis_off()
            if number < len(pictures):
                ax.imshow(pictures[number], cmap="gray", vmin=0, vmax=255)


def processed(page: Page, data: TrainingData) -> dict[str, tuple[np.ndarray, ...]]:
    """Return, for one test image per class, the four pictures of ``STEPS``."""
    spec = segmenter(page.profile, page.phantom)
    store = Store(page.store)
    record = run(spec, store, page.root, profile=page.profile)
    network = load(record, spec, training_data(spec.data, page.root)).network
    rows = [int(data.table.index[_first(data, name)][0]) for name in data.classes]
    few = replace(
        data.cached,
        images=np.asarray(data.cached.images[rows]),
        table=data.cached.table.iloc[rows].reset_index(drop=True),
        has_lung=np.zeros(len(rows), bool),
    )
    with torch.no_grad():
        masks = predicted_lungs(few, data.classes, network, spec.training, cleaned=False)
    found = {}
    for name, image, mask in zip(data.classes, few.images, masks, strict=True):
        cleaned = clean(mask, spec.training.cleaning)
        found[name] = (image, mask, cleaned, image * cleaned)
    return found


def _first(data: TrainingData, name: str) -> np.ndarray:
    return ((data.table["label"] == name) & (data.table["split"] == "test")).to_numpy(bool)


def draw_processed(axes: np.ndarray, found: dict[str, tuple[np.ndarray, ...]]) -> None:
    """Draw a column per class, a row per step (manet figure 3)."""
    for column, (name, pictures) in zip(axes.T, found.items(), strict=True):
        column[0].set_title(name, fontsize=9)
        for ax, picture in zip(column, pictures, strict=True):
            ax.imshow(picture, cmap="gray", vmin=0, vmax=255 if picture.dtype == np.uint8 else 1)
            ax.set_axis_off()
    for ax, step in zip(axes[:, 0], STEPS, strict=True):
        ax.text(-0.05, 0.5, step, rotation=90, ha="right", va="center", transform=ax.transAxes,
                fontsize=9)  # fmt: skip


def sentences(data: TrainingData, found: PlainTable) -> dict[str, float | int | str]:
    """Return the numbers of the page's sentences; verdicts are those of Table 1."""
    absent = [name for name in CLASSES if name not in data.classes]
    verdicts = found.frame["verdict"].value_counts()
    return {
        "cells": len(found.frame),
        "reproduced": int(verdicts.get(REPRODUCED, 0)),
        "below": int(verdicts.get(BELOW, 0)),
        "above": int(verdicts.get(ABOVE, 0)),
        "untested": int(verdicts.get(NOT_TESTABLE, 0)),
        "paper_images": int(found.frame.loc[(ALL, TOTAL), "paper"]),
        "images": len(data.table),
        "classes": len(data.classes),
        "absent": ", ".join(absent) if absent else "none",
        "by_collection": one_collection(data),
    }


def main(data: RealData, results: Results = RESULTS) -> None:
    """Record the counts behind the recorded classifiers, from the images under the data root."""
    say(str(write(data, results)))


if __name__ == "__main__":
    run_alone(main)
