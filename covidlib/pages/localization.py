"""Does attention find the pneumonia? (``notebooks/magsd/localization.py``)."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from covidlib.book import Page
from covidlib.data import open_dataset
from covidlib.data.cache import Cached, build_cache
from covidlib.data.composing import DRAWN
from covidlib.data.preprocessing import Preprocessing
from covidlib.data_page import PlainTable
from covidlib.errors import CovidlibError
from covidlib.evaluation.localization import enclosing_box, iou, region
from covidlib.explain.checks import blob
from covidlib.figures import overlay
from covidlib.models.ma_net import MANetSettings
from covidlib.pages.results import NOT_YET
from covidlib.plans.magsd import CLAHE, PHANTOM, run_of
from covidlib.published import claims
from covidlib.runs.running import load, run
from covidlib.runs.spec import RunSpec
from covidlib.runs.store import Store
from covidlib.training.attention_augmentation import rescale, upsample
from covidlib.training.data import TrainingData, training_data
from covidlib.training.magsd import MAGSD
from covidlib.training.method import prepare

SIZE = 224  # magsd sec. 4.4.6: maps from 7x7 to 224x224
THRESHOLDS = (0.3, 0.5, 0.7)  # ours; the paper gives none
CLASSES = tuple(dict.fromkeys(DRAWN[k] for k in ("covid19", "bp")))
SOURCES = ("mean attention", "floor: lung mask", "floor: centre blob")
FILE = Path("magsd") / "localization" / "iou.csv"


def spec_of(profile: str, phantoms: bool) -> RunSpec:
    """Return MAG-SD on the first fold of data set B ("trained on the Dataset B")."""
    return run_of(MANetSettings(), "B", profile, phantoms, fold=0)


def trained(page: Page) -> tuple[MAGSD, TrainingData]:
    """Return that network, from the page's store or trained now, and what it was trained on."""
    spec = spec_of(page.profile, page.phantom)
    data = training_data(spec.data, page.root)
    record = run(spec, Store(page.store), page.root, profile=page.profile)
    return load(record, spec, data), data


def outlined(data: TrainingData, root: Path | None, phantom: bool) -> Cached:
    """Return the images with outlines that a network has not been trained on.

    Args:
        data: of the network. An image leaves where its file's stem, or its patient, is in the
            training or validation part.
        root: the data root.
        phantom: whether the images are drawn.
    """
    found = open_dataset("magsd-localization", root, phantom=PHANTOM if phantom else None)
    table = found.table[found.table["lesion_mask"].notna()]
    if not phantom:  # drawn images are of other patients than the network's
        seen = data.table[data.table["split"].isin(["train", "val"])]
        stems = {Path(sample).stem for sample in seen["sample"]}
        people = set(seen["patient"].dropna().str.split(":").str[1])
        own = table["patient"].str.split(":").str[1]
        met = [Path(s).stem in stems for s in table["sample"]] | own.isin(people).to_numpy(bool)
        table = table[~met]
    unseen = replace(found, table=table.reset_index(drop=True))
    return build_cache(unseen, Preprocessing(SIZE, clahe_clip=CLAHE), masks=True)


@torch.no_grad()
def mean_attention(method: MAGSD, cached: Cached) -> np.ndarray:
    """Return the mean over attention maps, in [0, 1], at the size of the images: (N, S, S)."""
    method.network.eval()
    settings, found = replace(method.settings, size=SIZE), []
    for image in cached.images:
        batch = torch.from_numpy(np.array(image))[None, None]
        _, maps = method.network.attend(prepare(batch, settings).images)
        found.append(upsample(rescale(maps.float().mean(1, keepdim=True)), SIZE)[0, 0].numpy())
    return np.stack(found)


def scores(heat: np.ndarray, cached: Cached) -> pd.DataFrame:
    """Return the overlap of every image's regions with its outline.

    Args:
        heat: of ``mean_attention``.
        cached: the images.

    Returns:
        Columns sample, label, source (one of ``SOURCES``), threshold (NaN for the lung mask), mask
        (IoU of region and outline) and box (IoU of the rectangles around them).
    """
    centre, lines = blob((SIZE, SIZE)).numpy(), []
    for place, row in enumerate(cached.table.itertuples()):
        truth = np.array(cached.lesions[place]) > 0
        if not truth.any():
            continue
        maps = {SOURCES[0]: heat[place], SOURCES[2]: centre}
        regions = [(s, t, region(m, t)) for s, m in maps.items() for t in THRESHOLDS]
        if cached.has_lung[place]:
            regions.append((SOURCES[1], float("nan"), np.array(cached.lungs[place]) > 0))
        for source, threshold, found in regions:
            lines.append(
                {
                    "sample": row.sample,
                    "label": row.label,
                    "source": source,
                    "threshold": threshold,
                    "mask": iou(found, truth),
                    "box": iou(enclosing_box(found), enclosing_box(truth)),
                }
            )
    return pd.DataFrame(lines)


def recorded(folder: Path) -> pd.DataFrame | None:
    """Return the recorded overlaps, None where there are none."""
    path = folder / FILE
    return pd.read_csv(path) if path.is_file() else None


def table(found: pd.DataFrame, folder: Path, phantom: bool) -> PlainTable:
    """Return mean overlaps by class and source, recorded and of this run.

    The paper compares masks for COVID-19 and boxes for other pneumonia; both are shown for both.
    """
    known = recorded(folder)
    this_run = "this run (phantoms)" if phantom else "this run"
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for label in CLASSES:
        for source in SOURCES:
            for threshold in (None,) if "lung" in source else THRESHOLDS:
                name = source if threshold is None else f"{source}, above {threshold:g}"
                lines[label, name] = {
                    f"{measure}, {side}": _mean(frame, label, source, threshold, measure)
                    for side, frame in (("recorded", known), (this_run, found))
                    for measure in ("mask", "box")
                }
    frame = pd.DataFrame.from_dict(lines, orient="index")
    frame.index = pd.MultiIndex.from_tuples(frame.index)
    note = "Mean IoU over images, with 95% intervals (bootstrap over images) and their number."
    return PlainTable(frame, note)


def _mean(frame: pd.DataFrame | None, label, source, threshold, measure: str) -> str:
    if frame is None:
        return NOT_YET
    own = frame[(frame["label"] == label) & (frame["source"] == source)]
    if threshold is not None:
        own = own[own["threshold"] == threshold]
    values = own[measure].to_numpy(float)
    if not len(values):
        return "no image"
    drawn = np.random.default_rng(0).choice(values, (2000, len(values))).mean(1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{values.mean():.2f} [{low:.2f}, {high:.2f}] ({len(values)})"


def draw(axes: Sequence[Axes], heat: np.ndarray, cached: Cached, threshold: float = 0.5) -> None:
    """Draw images under their mean attention: the outline, and the box around the region."""
    order = cached.table.groupby("label", sort=False).cumcount().argsort(kind="stable")
    for ax, place in zip(axes, order, strict=False):
        row = cached.table.iloc[place]
        outline = np.array(cached.lesions[place]) > 0
        overlay(ax, np.array(cached.images[place]), heat[place], outline=outline)
        found = region(heat[place], threshold)
        value = iou(found, outline)
        rows, columns = np.flatnonzero(found.any(1)), np.flatnonzero(found.any(0))
        if len(rows):
            wide, high = np.ptp(columns) + 1, np.ptp(rows) + 1
            look = {"fill": False, "edgecolor": "white", "linewidth": 1.6}
            ax.add_patch(Rectangle((columns[0], rows[0]), wide, high, **look))
        ax.set_title(f"{row['label']}\nIoU {value:.2f}", fontsize="small")


def sentences(found: pd.DataFrame, folder: Path) -> dict[str, str | float]:
    """Return the numbers of the page's first box."""
    known = recorded(folder)
    told: dict[str, str | float] = {
        "claimed": float(claims("magsd").set_index("id").loc["magsd-P15", "value"]),
        "images": int(found["sample"].nunique()),
    }
    for label, measure, name in ((CLASSES[0], "mask", "covid"), (CLASSES[1], "box", "pneumonia")):
        told[name] = _mean(known, label, SOURCES[0], 0.5, measure)
        told[f"{name}_lungs"] = _mean(known, label, SOURCES[1], None, measure)
    return told


def main() -> None:
    """Record the overlaps of a finished run on real images."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--store", type=Path, required=True, help="folder of runs")
    parser.add_argument("--profile", default="laptop", choices=("laptop", "paper"))
    parser.add_argument("--results", type=Path, default=Path("book/results"))
    given = parser.parse_args()
    spec = spec_of(given.profile, phantoms=False)
    record = Store(given.store).get(spec)
    if record is None:
        raise CovidlibError(f"{spec.key} is not in {given.store}: run magsd/architectures first")
    data = training_data(spec.data, given.data)
    cached = outlined(data, given.data, phantom=False)
    found = scores(mean_attention(load(record, spec, data), cached), cached)
    path = given.results / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    found.round(5).to_csv(path, index=False)


if __name__ == "__main__":
    main()
