"""Mean attention of one trained network over images with outlines, and two floors."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from covidlib.data import Dataset, open_dataset
from covidlib.data.cache import Cached, build_cache
from covidlib.data.composing import DRAWN
from covidlib.data.preprocessing import Preprocessing
from covidlib.evaluation.localization import enclosing_box, region
from covidlib.evaluation.overlap import counts, iou
from covidlib.explain.checks import blob
from covidlib.models.ma_net import MANetSettings
from covidlib.plans.magsd_runs import CLAHE, FOLDS, PHANTOM, SIZES, run_of
from covidlib.runs.folds import fold_of
from covidlib.runs.provenance import of_images
from covidlib.runs.record import Record
from covidlib.runs.running import load
from covidlib.runs.spec import RunSpec
from covidlib.training.attention_augmentation import rescale, upsample
from covidlib.training.data import TrainingData
from covidlib.training.magsd import MAGSD
from covidlib.training.method import prepare

SIZE = 224  # magsd sec. 4.4.6: maps from 7x7 to 224x224
COHEN = "covid-chestxray-dataset:"  # begins the names of the patients that have outlines
THRESHOLDS = (0.3, 0.5, 0.7)  # ours; the paper gives none
MIDDLE = 0.5  # the threshold of tables and claims; figures have all
CLASSES = tuple(dict.fromkeys(DRAWN[k] for k in ("covid19", "bp")))
LETTERS = ("B", "A")  # "trained on the Dataset B"; A, which costs least, until B is recorded
MEAN, COARSE = "mean attention", "mean attention, training's size"
LUNGS, BLOB = "floor: lung mask", "floor: centre blob"
MEASURES = ("mask", "box")


@dataclass(frozen=True)
class Overlaps:
    """What one network's attention has in common with outlines.

    Args:
        key: of the run.
        letter: data set that it was trained on.
        fold: its number.
        table: of ``scores``.
        provenance: commit, fingerprint, phantom, profile.
    """

    key: str
    letter: str
    fold: int
    table: pd.DataFrame
    provenance: Mapping[str, object]


def specs(profile: str, letter: str, phantoms: bool = False) -> list[RunSpec]:
    """Return MAG-SD on every fold of a data set that a profile trains."""
    count = min(FOLDS, SIZES[profile].folds)
    return [run_of(MANetSettings(), letter, profile, phantoms, fold) for fold in range(count)]


def outlined(data: TrainingData, root: Path | None, phantom: bool) -> Dataset:
    """Return the images with outlines that a network has not been trained on.

    Args:
        data: of the network. An image leaves where its file's stem, or its patient, is in the
            training or validation part. The outlines are of Cohen's patients, whose numbers
            other data sets use for people of their own; see ``names_of``.
        root: the data root.
        phantom: whether the images are drawn.
    """
    found = open_dataset("magsd-localization", root, phantom=PHANTOM if phantom else None)
    table = found.table[found.table["lesion_mask"].notna()]
    if not phantom:  # drawn images are of other patients than the network's
        seen = data.table[data.table["split"].isin(["train", "val"])]
        stems, people = {Path(s).stem for s in seen["sample"]}, set(seen["patient"].dropna())
        names = names_of(table, data.table)
        met = [
            Path(sample).stem in stems or not people.isdisjoint(names.get(patient, ()))
            for sample, patient in zip(table["sample"], table["patient"], strict=True)
        ]
        table = table[~np.array(met, dtype=bool)]
    return replace(found, table=table.reset_index(drop=True))


def names_of(outlines: pd.DataFrame, network: pd.DataFrame) -> dict[str, set[str]]:
    """Return what a network's data set calls each patient who has outlines.

    That is Cohen's number, and the name under which people who share a picture were joined there
    (see ``covidlib.data.same_pictures.people``): that of each of the patient's images, by stem.

    Args:
        outlines: sample, patient.
        network: sample, patient of the network's data set, tested images too.
    """
    given: dict[str, set[str]] = {}
    for sample, patient in network[["sample", "patient"]].dropna().itertuples(index=False):
        given.setdefault(Path(sample).stem, set()).add(patient)
    names: dict[str, set[str]] = {}
    for sample, patient in outlines[["sample", "patient"]].dropna().itertuples(index=False):
        own = names.setdefault(patient, {COHEN + patient.split(":")[1]})
        own.update(given.get(Path(sample).stem, ()))
    return names


def decoded(dataset: Dataset, size: int) -> Cached:
    """Return images and outlines at a size, preprocessed as in magsd sec. 4.2."""
    return build_cache(dataset, Preprocessing(size, clahe_clip=CLAHE), masks=True)


@torch.no_grad()
def mean_attention(method: MAGSD, cached: Cached) -> np.ndarray:
    """Return the mean over attention maps, in [0, 1], as wide as ``SIZE``: (N, SIZE, SIZE).

    Args:
        method: trained; its network sees the images at the size that they have.
        cached: the images.
    """
    method.network.eval()
    settings, found = replace(method.settings, size=cached.images.shape[-1]), []
    for image in cached.images:
        batch = torch.from_numpy(np.array(image))[None, None]
        _, maps = method.network.attend(prepare(batch, settings).images)
        found.append(upsample(rescale(maps.float().mean(1, keepdim=True)), SIZE)[0, 0].numpy())
    return np.stack(found)


def scores(heats: Mapping[str, np.ndarray], cached: Cached) -> pd.DataFrame:
    """Return the overlap of every image's regions with its outline.

    Args:
        heats: maps by source, each of (N, SIZE, SIZE); the floors are added.
        cached: the images, at ``SIZE``.

    Returns:
        Columns sample, patient (the sample where nobody knows), label, source, threshold (NaN for
        the lung mask), mask (IoU of region and outline) and box (IoU of the rectangles around
        them).
    """
    centre, lines = blob((SIZE, SIZE)).numpy(), []
    people = cached.table["patient"].fillna(cached.table["sample"])
    for place, row in enumerate(cached.table.itertuples()):
        truth = np.array(cached.lesions[place]) > 0
        if not truth.any():
            continue
        maps = {source: heat[place] for source, heat in heats.items()} | {BLOB: centre}
        regions = [(s, t, region(m, t)) for s, m in maps.items() for t in THRESHOLDS]
        if cached.has_lung[place]:
            regions.append((LUNGS, float("nan"), np.array(cached.lungs[place]) > 0))
        around = enclosing_box(truth)
        lines += [
            {
                "sample": row.sample,
                "patient": people.iloc[place],
                "label": row.label,
                "source": source,
                "threshold": threshold,
                "mask": iou(*counts(found, truth)),
                "box": iou(*counts(enclosing_box(found), around)),
            }
            for source, threshold, found in regions
        ]
    return pd.DataFrame(lines)


def score_run(
    record: Record, spec: RunSpec, data: TrainingData, profile: str, root: Path | None = None
) -> Overlaps:
    """Score the attention of a finished run.

    The maps are those of images of 224 pixels, 7×7 as in the paper, whatever the size of training;
    where that was another, those of images of its size are scored too.

    Args:
        record: the run, with weights.
        spec: its settings.
        data: what it was trained on; none of these images is scored.
        profile: written into the provenance.
        root: the data root.
    """
    method = load(record, spec, data)
    dataset = outlined(data, root, data.dataset.phantom)
    cached = decoded(dataset, SIZE)
    heats = {MEAN: mean_attention(method, cached)}
    if spec.training.size != SIZE:
        heats[COARSE] = mean_attention(method, decoded(dataset, spec.training.size))
    return Overlaps(
        key=spec.key,
        letter=spec.data.dataset[-1].upper(),
        fold=fold_of(record),
        table=scores(heats, cached),
        provenance=of_images(dataset, profile),
    )
