"""LEEP and its relatives of trained source stages (msatl sec. 6.7)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from covidlib.evaluation import Interval
from covidlib.plans import plan
from covidlib.runs.provenance import of_images
from covidlib.runs.running import build, load
from covidlib.runs.spec import RunSpec
from covidlib.runs.store import Store
from covidlib.settings import DataSettings
from covidlib.training.data import TrainingData, training_data
from covidlib.training.method import prepare
from covidlib.transferability import (
    FROM_FEATURES,
    bootstrap,
    bounds,
    information_gain,
    leep,
    nce,
    parameter_count,
    permuted,
    predictor,
)

PLAN, TARGET_PLAN = "msatl/leep_scores", "msatl/overall"
UNTRAINED = "none"
FOLDS = 5  # of the linear probe; as many as a class has patients where these are fewer


@dataclass(frozen=True)
class StageScores:
    """The scores of one source stage on the target's training images.

    Args:
        key: of the stage's run; of an untrained network, of the run it would have begun.
        cell: model, variant and stages, as published tables name them.
        seed: of the stage.
        classes: of the source, Z.
        images: of the target, N.
        scores: with 95% intervals over target images for LEEP and NCE (in nats), else without.
        bounds: -H(Y | Z~) and -H(Y), in nats.
        shuffled: LEEP with labels shuffled by patient, mean: what knowing nothing gains.
        likelihoods: log p(y | x) of every image, whose mean is LEEP. Shape: (N,).
        provenance: commit, versions, data, phantom, profile.
        patients: whose the images are; empty in scores that were kept without.
    """

    key: str
    cell: Mapping[str, str]
    seed: int
    classes: int
    images: int
    scores: Mapping[str, Interval]
    bounds: Mapping[str, float]
    shuffled: float
    likelihoods: np.ndarray
    provenance: Mapping[str, object]
    patients: tuple[str, ...] = ()

    @property
    def network(self) -> tuple[str, str]:
        """Model and variant."""
        return self.cell["model"], self.cell["variant"]

    @property
    def stages(self) -> str:
        """The stages, "none", "stl_n" or "stl_n+stl_m"."""
        return self.cell["stages"]


@torch.no_grad()
def outputs(
    network: nn.Module, stage: RunSpec, target: TrainingData
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what a source network makes of the target's training images.

    The images enter as the source's own images did: its size, its normalisation, no augmentation.

    Returns:
        Posteriors of the source classes, pooled features, labels. Shapes: (N, Z), (N, D), (N,).
    """
    network.eval()
    images, rows = target.on(next(network.parameters()).device), target.rows("train")
    seen, chances = [], []
    for batch in images.iterate(list(rows.split(64))):
        features = network.embed(prepare(batch.image, stage.training).images)
        seen.append(features.float().cpu())
        chances.append(network.classifier(features).double().softmax(1).cpu())
    labels = images.labels[rows.to(images.labels.device)].cpu().numpy()
    return torch.cat(chances).numpy(), torch.cat(seen).numpy(), labels


def score_stage(
    network: nn.Module,
    stage: RunSpec,
    cell: Mapping[str, str],
    target: TrainingData,
    profile: str,
    resamples: int = 500,
) -> StageScores:
    """Compute every score of one source network.

    Args:
        network: the stage's, with its classifier; has ``embed``.
        stage: of which run.
        cell: model, variant, stages.
        target: images and labels; only the training split is used.
        profile: written into the provenance.
        resamples: of the bootstrap, and a fifth as many label shuffles.
    """
    theta, features, labels = outputs(network, stage, target)
    names = target.table.iloc[target.rows("train").numpy()]
    groups = names["patient"].fillna(names["sample"]).to_numpy(str)
    found = bounds(theta, labels)
    hard = theta.argmax(axis=1)
    drawn = partial(bootstrap, targets=labels, groups=groups, resamples=resamples)
    scores = {"LEEP": drawn(leep, theta), "NCE": drawn(nce, hard)}
    fewest = min(len(set(groups[labels == label])) for label in set(labels))
    apart = {
        "5 neighbours": {"groups": groups},
        "linear probe": {"groups": groups, "folds": min(FOLDS, fewest)},
    }
    plain = {
        name: float(score(features, labels, **apart.get(name, {})))
        for name, score in FROM_FEATURES.items()
    }
    plain |= {"parameters": float(parameter_count(network)), "predictor": found.accuracy}
    for name, value in plain.items():
        scores[name] = Interval(value, np.nan, np.nan, 1, len(labels))
    chance = predictor(theta, labels)[np.arange(len(labels)), labels]
    shuffles = max(1, resamples // 5)
    gains = permuted(information_gain, theta, labels, groups=groups, permutations=shuffles)
    return StageScores(
        key=stage.key,
        cell=dict(cell),
        seed=stage.seed,
        classes=theta.shape[1],
        images=len(labels),
        scores=scores,
        bounds={"-H(Y | Z)": found.soft, "-H(Y)": found.prior},
        shuffled=float(gains.mean()) + found.prior,
        likelihoods=np.log(np.minimum(chance, 1.0)),
        provenance=of_images(target.dataset, profile, versions=True)
        | {"data": target.dataset.name},
        patients=tuple(groups),
    )


def stages_of(
    name: str, profile: str, phantoms: bool, seeds: int | None = None
) -> list[tuple[dict[str, str], RunSpec]]:
    """Return cell and stage of every row and seed; an untrained network before its first stage.

    A network that has learnt nothing has no source classes. Its row is read as that of the first
    stage's network before its first step, random classifier included (ours; msatl says nothing).
    """
    found = []
    for row in plan(name, profile, phantoms=phantoms, seeds=seeds).rows:
        cell = {k: v for k, v in row.cell if k in ("model", "variant", "stages")}
        if cell["stages"] != UNTRAINED:
            found += [(cell, spec) for spec in row.specs]
        if cell["stages"] == "stl_n":
            found += [(cell | {"stages": UNTRAINED}, spec) for spec in row.specs]
    return found


def target_of(profile: str, phantoms: bool) -> DataSettings:
    """Return the images that the stages are scored on: those of the runs of Table 2."""
    return plan(TARGET_PLAN, profile, phantoms=phantoms).specs[0].data


def score_plan(
    store: Store,
    target: DataSettings,
    profile: str,
    root: Path | None = None,
    *,
    name: str = PLAN,
    keep: Callable[[Mapping[str, str], RunSpec], bool] = lambda cell, spec: True,
    **options: int,
) -> Iterator[StageScores]:
    """Yield the scores of every stage of a plan whose weights are in a store, one by one.

    Args:
        store: of finished runs.
        target: whose training images are scored.
        profile: of the plan.
        root: the data root; phantoms need none.
        name: of the plan.
        keep: which of them, by cell and run.
        **options: ``resamples``; ``seeds`` of the plan.
    """
    seeds = options.pop("seeds", None)
    data = training_data(target, root)
    for cell, spec in stages_of(name, profile, target.phantom is not None, seeds):
        record = store.get(spec) if keep(cell, spec) else None
        if record is None:
            continue
        source = training_data(spec.data, root)
        trained = cell["stages"] != UNTRAINED
        method = load(record, spec, source) if trained else build(spec, source)
        yield score_stage(method.network, spec, cell, data, profile, **options)
