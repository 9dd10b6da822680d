"""The networks of manet on images of other collections than those their classes came from.

In "manet-classes" nearly every class has a collection of its own, so a network that names the
collection is right. Here class and collection are dealt anew: bacterial and viral pneumonia come
from the collection that gave the COVID-19 images, COVID-19 comes from another one. Nobody who was
learnt from or tested on is among them.

Predictions need weights, which recorded results do not have. So they are made where the networks
were trained: ``python -m covidlib.elsewhere --help``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from covidlib.data import Dataset, open_dataset
from covidlib.data.cache import build_cache
from covidlib.data.composing import compose
from covidlib.data.compositions import Composition, Part
from covidlib.errors import RunError
from covidlib.evaluation.contrasts import Effect, over_draws
from covidlib.evaluation.predictions import PREFIX, classes_of
from covidlib.evaluation.resampling import draw, recall_by_class
from covidlib.kept_scores import keep, kept, place, unkept
from covidlib.lung_heat import PLAN
from covidlib.paths import RESULTS, data_root
from covidlib.plans import plan
from covidlib.runs import running
from covidlib.runs.provenance import of_images
from covidlib.runs.running import load
from covidlib.runs.spec import RunSpec, seed_of
from covidlib.runs.store import Store
from covidlib.terminal import RealData, RealProfile, Results, Weights, run_alone
from covidlib.training.data import TrainingData, training_data
from covidlib.training.supervised import probabilities

FOLDER = Path("manet") / "elsewhere"
_COHEN = ("covid-chestxray-dataset",)
_CAUSES = {"bacterial": "bacterial pneumonia", "viral": "viral pneumonia"}
PNEUMONIAS = ("bacterial pneumonia", "viral pneumonia")
CLASSES = (*PNEUMONIAS, "COVID-19")
DEALT = Composition(
    name="manet-elsewhere",
    title="Three classes of manet from collections that gave other classes",
    source="ours",
    classes=CLASSES,
    parts=(
        Part(_COHEN, {"COVID-19": "COVID-19"}),  # only so that copies of them are found and go
        Part(_COHEN, _CAUSES, column="cause", where={"label": ("pneumonia",)}),
        Part(("covid-cxnet",), {"COVID-19": "COVID-19"}),
    ),
    sizes=dict.fromkeys(CLASSES, 0),
    capped=False,
)


@dataclass(frozen=True)
class Elsewhere:
    """What one network says of the images.

    Args:
        network: slug, "resnet50-mask".
        key: of its run.
        predictions: sample, patient, label, ``p_<class>`` for every class that it knows.
        provenance: commit, fingerprint, phantom, profile.
    """

    network: str
    key: str
    predictions: pd.DataFrame
    provenance: Mapping[str, object]

    @property
    def seed(self) -> str:
        """Of the run, "s0"."""
        return seed_of(self.key)


def images(spec: RunSpec, root: Path | None = None) -> Dataset:
    """Return the images, without those and the patients that the run's data set has.

    Phantoms are drawn with another seed, so they are other patients.
    """
    phantom = spec.data.phantom
    if phantom is not None:
        return compose(DEALT, phantom=replace(phantom, seed=phantom.seed + 1))
    whole, known = compose(DEALT, root), open_dataset(spec.data.dataset, root).table
    table = whole.table
    gone = table["sample"].isin(known["sample"])
    gone |= table["patient"].isin(known["patient"].dropna())
    first = table["part"].isin(_COHEN) & (table["label"] == "COVID-19")
    return replace(whole, table=table[~(gone | first)].reset_index(drop=True))


def shown(
    spec: RunSpec, store: Store, root: Path | None = None, dataset: Dataset | None = None
) -> TrainingData:
    """Return images as the network of a run sees images, all of them for testing.

    Args:
        spec: of the run.
        store: where it is.
        root: the data root.
        dataset: what ``images`` returns, if it is at hand.
    """
    dataset = dataset or images(spec, root)
    cached = build_cache(dataset, spec.data.preprocessing)
    data = TrainingData(dataset, cached, cached.table.assign(split="test"))
    return running.shown(spec, store, root, data)


def measure(
    spec: RunSpec,
    store: Store,
    profile: str,
    root: Path | None = None,
    dataset: Dataset | None = None,
) -> Elsewhere:
    """Ask the trained network of a run about every image; see ``shown``.

    Raises:
        RunError: the run, or the one that finds its lungs, is not in the store.
    """
    record = store.get(spec)
    if record is None:
        raise RunError(f"{spec.key} is not in the store")
    data, own = shown(spec, store, root, dataset), training_data(spec.data, root)
    network, rows = load(record, spec, own).network, torch.arange(len(data.table))
    values = probabilities(network, spec.training, rows, data.on(torch.device("cpu")))
    table = data.table[["sample", "patient", "label"]].reset_index(drop=True)
    columns = [PREFIX + name for name in own.classes]
    return Elsewhere(
        spec.network.slug,
        spec.key,
        pd.concat([table, pd.DataFrame(values.numpy(), columns=columns)], axis=1),
        of_images(data.dataset, profile),
    )


def write(found: Elsewhere, results: Path) -> Path | None:
    """Keep predictions of real images under ``book/results``; what is there is left alone.

    Raises:
        DataError: the images were drawn, or the run was a small one.
    """
    table = json.loads(found.predictions.round(4).to_json(orient="split", index=False))
    body = {"network": found.network, "key": found.key, "predictions": table}
    body["provenance"] = dict(found.provenance)
    return keep(body, place(results / FOLDER, found.key))


def read(results: Path) -> list[Elsewhere]:
    """Return what ``write`` kept; of several profiles, the larger one alone."""
    found = []
    for body in kept(results / FOLDER):
        table = pd.DataFrame(**body.pop("predictions"))
        found.append(Elsewhere(predictions=table, **body))
    return found


def answers(table: pd.DataFrame) -> pd.Series:
    """Return the class that a network names for each image, one of all that it knows."""
    columns = [PREFIX + name for name in classes_of(table)]
    return table[columns].idxmax(axis=1).str.removeprefix(PREFIX)


def recalls(table: pd.DataFrame, resamples: int = 2000) -> pd.DataFrame:
    """Return the share of each class that is named rightly, as it is and for drawn patients.

    Returns:
        A row per draw, the first of the images as they are; a column per class.
    """
    named = answers(table).to_numpy(str)
    labels, owners = table["label"].to_numpy(str), table["patient"].fillna(table["sample"])
    rng = np.random.default_rng([0, resamples])
    times = draw(owners.to_numpy(str), labels, resamples, rng).astype(float)
    weights = np.vstack([np.ones(len(table)), times])
    shares = pd.DataFrame(recall_by_class(labels, named, weights), columns=np.unique(labels))
    return shares[[name for name in CLASSES if name in shares]]


def gain(found: Sequence[Elsewhere], more: str, less: str) -> Effect | None:
    """Return balanced accuracy of one network minus another's, trial by trial.

    Args:
        found: predictions of several networks.
        more, less: slugs.

    Returns:
        None where no trial has both.
    """
    trials: dict[str, dict[str, Elsewhere]] = {}
    for one in found:
        trials.setdefault(one.seed, {})[one.network] = one
    gaps, count = [], 0
    for trial in trials.values():
        if {more, less} <= set(trial):
            sides = [trial[name].predictions.sort_values("sample") for name in (more, less)]
            first, second = (recalls(side).mean(axis=1).to_numpy() for side in sides)
            gaps.append(first - second)
            count = len(sides[0])
    return over_draws(np.column_stack(gaps), count) if gaps else None


def main(
    profile: RealProfile,
    data: RealData,
    store: Weights = None,
    results: Results = RESULTS,
) -> None:
    """Ask the ResNet50s of PROFILE that are in the store about the images under DATA."""
    runs, root = Store(store), data_root(data)
    specs = plan(PLAN, profile, phantoms=False).specs
    asked = [spec for spec, _ in unkept(specs, runs, results / FOLDER)]
    dataset = images(specs[0], root)
    for spec in asked:
        write(measure(spec, runs, profile, root, dataset), results)


if __name__ == "__main__":
    run_alone(main)
