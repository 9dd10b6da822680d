"""Where the ResNet50s of manet look: Grad-CAM over the whole test set (sec. 4.3, Figure 9).

Maps need weights, which recorded results do not have. So their scores are computed where the
networks were trained and kept as numbers: ``python -m covidlib.lung_heat --help``. No map and no
pixel of a real image is kept.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy import ndimage
from torch import Tensor, nn

from covidlib.data.preprocessing import Preprocessing
from covidlib.explain import area, grad_cam, mass_inside, randomised, stretch
from covidlib.kept_scores import keep, kept, place, unkept
from covidlib.paths import RESULTS, data_root
from covidlib.plans import plan
from covidlib.runs.provenance import of_images
from covidlib.runs.running import load, shown
from covidlib.runs.spec import RunSpec
from covidlib.runs.store import Store
from covidlib.terminal import RealData, RealProfile, Results, Weights, run_alone
from covidlib.training.data import training_data
from covidlib.training.method import Inputs, prepare

PLAN = "manet/resnet50"
FOLDER = Path("manet") / "heatmaps"
# Side of the explained images: at 32 pixels a map has one cell, at 224 it has 7×7. Ours.
SIZE: Mapping[str, int] = {"smoke": 96, "laptop": 224, "paper": 512}
EDGE = 1 / 16  # of the side: half the width of the band around the lungs' outline; ours


@dataclass(frozen=True)
class Explained:
    """Test images at the size at which they are explained.

    Args:
        inputs: what the networks see, and lungs.
        table: sample, patient and label of each.
        targets: the true class of each, whose logit is explained.
        classes: in the order of the outputs.
        fingerprint, phantom: of the data.
    """

    inputs: Inputs
    table: pd.DataFrame
    targets: Tensor
    classes: tuple[str, ...]
    fingerprint: str
    phantom: bool

    def take(self, rows: Tensor) -> "Explained":
        """Return some of the images."""
        inputs = Inputs(self.inputs.images[rows], self.inputs.lungs[rows])
        table = self.table.iloc[rows.numpy()]
        return replace(self, inputs=inputs, table=table, targets=self.targets[rows])

    @property
    def lungs(self) -> Tensor:
        """Shape: (N, S, S), bool."""
        return self.inputs.lungs[:, 0].bool()


@dataclass(frozen=True)
class Heat:
    """Scores of one network's maps.

    Args:
        network: slug, "resnet50-mask".
        key: of its run.
        scores: a row per test image: sample, patient, label; ``inside``, share of the heat in the
            lungs, and ``area``, what an even map has there; ``edge`` and ``edge_area``, the same
            for the band around their outline; ``half``, the least share of the picture that holds
            half of the heat. NaN where a map has no heat.
        randomised: mean rank correlation with the trained network's map, by step.
        provenance: commit, fingerprint, phantom, profile, size.
    """

    network: str
    key: str
    scores: pd.DataFrame
    randomised: Mapping[str, float]
    provenance: Mapping[str, object]


def specs(profile: str, phantoms: bool, seeds: int | None = None) -> list[RunSpec]:
    """Return the runs of ResNet50 plain, with masks and with CBAM."""
    return plan(PLAN, profile, phantoms=phantoms, seeds=seeds).specs


def explained(spec: RunSpec, store: Store, profile: str, root: Path | None = None) -> Explained:
    """Return the test images of a run at ``SIZE``, with the lungs found for it."""
    size = SIZE[profile]
    data = replace(spec.data, preprocessing=Preprocessing(size=size))
    found = shown(replace(spec, data=data), store, root)
    rows = found.rows("test")
    (batch,) = found.on(torch.device("cpu")).iterate([rows])
    inputs = prepare(batch.image, replace(spec.training, size=size), lungs=batch.lung)
    table = found.table.iloc[rows.numpy()][["sample", "patient", "label"]].reset_index(drop=True)
    facts = found.dataset.fingerprint, found.dataset.phantom
    return Explained(inputs, table, batch.label, found.classes, *facts)


def network_of(spec: RunSpec, store: Store, root: Path | None = None) -> nn.Module:
    """Return the trained network of a run, in evaluation mode."""
    return load(store.get(spec), spec, training_data(spec.data, data_root(root))).network.eval()


def maps_of(network: nn.Module, images: Explained) -> Tensor:
    """Return Grad-CAM of the last block for the true class, (N, h, w) (manet sec. 4.3)."""
    return grad_cam(network, images.inputs.images, images.targets, images.inputs.lungs)


def scored(maps: Tensor, images: Explained) -> pd.DataFrame:
    """Return the scores of maps; see ``Heat``."""
    band = edges(images.lungs)
    return images.table.assign(
        inside=mass_inside(maps, images.lungs).numpy(),
        area=area(images.lungs).numpy(),
        edge=mass_inside(maps, band).numpy(),
        edge_area=area(band).numpy(),
        half=half_area(stretch(maps, tuple(images.lungs.shape[1:]))).numpy(),
    )


def edges(lungs: Tensor) -> Tensor:
    """Return the band around the outline of each mask, ``EDGE`` of the side to both sides."""
    reach = max(1, round(EDGE * lungs.shape[-1]))
    bands = []
    for mask in lungs.numpy():
        outside = ndimage.distance_transform_edt(~mask) if mask.any() else np.inf
        inside = ndimage.distance_transform_edt(mask) if not mask.all() else np.inf
        bands.append(np.broadcast_to(np.maximum(outside, inside) <= reach, mask.shape))
    return torch.from_numpy(np.stack(bands))


def half_area(maps: Tensor) -> Tensor:
    """Return the least share of each picture that holds half of its heat, (N,).

    >>> half_area(torch.tensor([[[1.0, 0.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 1.0]]])).tolist()
    [0.25, 0.5]
    """
    heat, _ = maps.flatten(1).double().sort(1, descending=True)
    total = heat.sum(1, keepdim=True)
    share = heat.cumsum(1) / total.where(total > 0, torch.nan)
    needed = (share < 0.5 - 1e-12).sum(1) + 1
    return torch.where(total[:, 0] > 0, needed / heat.shape[1], torch.nan)


def measure(
    spec: RunSpec, store: Store, profile: str, root: Path | None = None, check: int = 8
) -> Heat:
    """Score the maps of one trained network on all test images.

    Args:
        spec: of its run.
        store: where it is.
        profile: fixes the size.
        root: the data root.
        check: how many images serve the randomisation check.
    """
    images, network = explained(spec, store, profile, root), network_of(spec, store, root)
    few = images.take(torch.linspace(0, len(images.table) - 1, check).round().long().unique())
    calls = (few.inputs.lungs,) if getattr(network, "needs_lungs", False) else ()
    falls = randomised(network, lambda net: maps_of(net, few), few.inputs.images, *calls)
    return Heat(
        spec.network.slug,
        spec.key,
        scored(maps_of(network, images), images),
        falls.mean(axis=1).dropna().to_dict(),
        of_images(images, profile) | {"size": SIZE[profile]},
    )


def write(found: Heat, results: Path) -> Path | None:
    """Keep scores of real images under ``book/results``; what is there is left alone.

    Raises:
        DataError: the images were drawn, or the run was a small one.
    """
    scores = json.loads(found.scores.round(4).to_json(orient="split", index=False))
    body = {"network": found.network, "key": found.key, "scores": scores}
    body |= {"randomised": {step: round(value, 4) for step, value in found.randomised.items()}}
    body |= {"provenance": dict(found.provenance)}
    return keep(body, place(results / FOLDER, found.key))


def read(results: Path) -> list[Heat]:
    """Return what ``write`` kept; of several profiles, the larger one alone."""
    found = []
    for body in kept(results / FOLDER):
        scores = pd.DataFrame(**body.pop("scores"))
        found.append(Heat(scores=scores, **body))
    return found


def main(
    profile: RealProfile,
    data: RealData,
    store: Weights = None,
    results: Results = RESULTS,
) -> None:
    """Score the ResNet50s of PROFILE that are in the store on the images under DATA."""
    runs = Store(store)
    for spec, _ in unkept(specs(profile, phantoms=False), runs, results / FOLDER):
        write(measure(spec, runs, profile, data_root(data)), results)


if __name__ == "__main__":
    run_alone(main)
