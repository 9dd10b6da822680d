"""Which finished run to start from: a transferability score on the training images alone.

Every run of the store whose network can look at plain images is a candidate, and so are random
weights. The score is N-LEEP (Li et al. 2021): unlike LEEP it has the same number of components for
every source, so that a source with many classes gains nothing by that (see the page on
transferability); unlike LogME it does not depend on the features' scale.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from covidlib.data.augmentation import MSATL_CT, MSATL_CXR, Augmentation
from covidlib.data.batches import DeviceImages
from covidlib.data.cache import build_cache
from covidlib.data.seeds import generator
from covidlib.errors import RunError
from covidlib.own_images.opening import OwnImages
from covidlib.runs.rebuilding import rebuilt
from covidlib.runs.record import WEIGHTS, Record
from covidlib.runs.running import transfer
from covidlib.runs.spec import RunSpec
from covidlib.runs.store import Store
from covidlib.settings import TrainingSettings
from covidlib.training.method import prepare
from covidlib.transferability import logme, n_leep, neighbour_accuracy

SCRATCH = "random weights"
MOST_IMAGES, MOST_SOURCES = 300, 8
SCORES = {"N-LEEP": n_leep, "LogME": logme, "5 neighbours": neighbour_accuracy}
AUGMENTATIONS: dict[str, Augmentation] = {"ct": MSATL_CT, "cxr": MSATL_CXR}


@dataclass(frozen=True)
class Choice:
    """The chosen start.

    Args:
        spec: of the run to start from, None for random weights.
        scores: one row per candidate, the best first; columns ``SCORES`` and "drawn", whether the
            source saw phantoms.
        images: how many training images were scored.
    """

    spec: RunSpec | None
    scores: pd.DataFrame
    images: int

    @property
    def name(self) -> str:
        """What was chosen, for people."""
        return SCRATCH if self.spec is None else self.spec.key


def candidates(
    store: Store, *, phantoms: bool = False, beside: str = "", only: Collection[str] | None = None
) -> dict[str, tuple[Record, RunSpec]]:
    """Return the runs of a store that one could start from, by key.

    Of runs that differ only in the seed one counts, and at most eight are taken: the longest chains
    of stages first.

    Args:
        store: where runs live.
        phantoms: whether runs on drawn images count.
        beside: name of the data set that is to be learnt, whose own runs do not count.
        only: keys of the runs to look at; None looks at all.
    """
    found: dict[str, tuple[Record, RunSpec]] = {}
    seen: set[tuple] = set()
    for record in store.records():
        if only is not None and record.key not in only:
            continue
        try:
            spec = rebuilt(record)
        except RunError:  # of another version of the library
            continue
        kind = (spec.network, spec.data, spec.training, spec.chain)
        if kind not in seen and _fits(record, spec, phantoms, beside):
            seen.add(kind)
            found[record.key] = (record, spec)
    order = sorted(found, key=lambda key: (-len(found[key][1].chain), key))
    return {key: found[key] for key in order[:MOST_SOURCES]}


def _fits(record: Record, spec: RunSpec, phantoms: bool, beside: str) -> bool:
    """Return whether a network has weights here and can look at whole images of its own kind."""
    if not (record.folder / WEIGHTS).is_file() or (record.phantom and not phantoms):
        return False
    if spec.data.dataset == beside or spec.data.lungs or spec.data.view != "image":
        return False
    if spec.data.masks or spec.data.preprocessing.apply_lung_mask or spec.training.channels != 3:
        return False
    with torch.device("meta"):
        network = spec.network.build(2)
    return hasattr(network, "classifier") and not getattr(network, "needs_lungs", False)


def choose(
    own: OwnImages,
    store: Store,
    scratch: RunSpec,
    *,
    phantoms: bool = False,
    only: Collection[str] | None = None,
) -> Choice:
    """Score every candidate on the training images, never on validation or test images.

    Args:
        own: the images.
        store: where the candidates are.
        scratch: the run that would start from random weights; its settings prepare the images.
        phantoms: whether runs on drawn images are candidates.
        only: keys of the runs to look at; None looks at all.
    """
    runs = candidates(store, phantoms=phantoms, beside=own.dataset.name, only=only)
    rows = scored_rows(own)
    labels = own.dataset.table["label"].iloc[rows].to_numpy(str)
    scores = {SCRATCH: _score(own, rows, labels, scratch, None) | {"drawn": False}}
    for key, (record, spec) in runs.items():
        scores[key] = _score(own, rows, labels, spec, record.weights) | {"drawn": record.phantom}
    table = pd.DataFrame.from_dict(scores, orient="index").rename_axis("start from")
    table = table.sort_values("N-LEEP", ascending=False, kind="stable")
    best = str(table.index[0])
    return Choice(None if best == SCRATCH else runs[best][1], table, len(rows))


def scored_rows(own: OwnImages) -> np.ndarray:
    """Return the training images that are scored: at most 300, classes in their own shares."""
    table = own.dataset.table
    rows = np.flatnonzero(((table["split"] == "train") & table["label"].notna()).fillna(False))
    if len(rows) <= MOST_IMAGES:
        return rows
    order = torch.randperm(len(rows), generator=generator("transferability", 0)).numpy()
    return np.sort(rows[order[:MOST_IMAGES]])


def _score(
    own: OwnImages, rows: np.ndarray, labels: np.ndarray, spec: RunSpec, weights: Path | None
) -> dict[str, float]:
    values = features(own, rows, spec, weights)
    return {name: float(score(values, labels)) for name, score in SCORES.items()}


@torch.no_grad()
def features(own: OwnImages, rows: np.ndarray, spec: RunSpec, weights: Path | None) -> np.ndarray:
    """Return what the classifier of a network would be given. Shape: (N, D).

    Args:
        own: the images.
        rows: which of them.
        spec: of the network; its preprocessing and normalisation prepare the images.
        weights: of the network; None leaves the random ones of the spec's seed.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(generator("weights", spec.seed).initial_seed())
        network = spec.network.build(len(own.dataset.classes)).eval()
    if weights is not None:
        transfer(network, load_file(weights))
    cached = build_cache(own.dataset, spec.data.preprocessing)
    images = DeviceImages(cached, own.dataset.classes)
    parts = []
    for batch in images.iterate(list(torch.from_numpy(rows).split(32))):
        parts.append(_before_classifier(network, batch.image, spec.training))
    return torch.cat(parts).double().numpy()


def _before_classifier(network: nn.Module, images: Tensor, settings: TrainingSettings) -> Tensor:
    kept: list[Tensor] = []
    hook = network.classifier.register_forward_pre_hook(
        lambda module, inputs: kept.append(inputs[0].flatten(1).float())
    )
    try:
        network(prepare(images, settings).images)
    finally:
        hook.remove()
    return kept[0]
