"""From a spec to a record, on this machine."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import load_file, save_file

from covidlib.data.seeds import generator
from covidlib.errors import DatasetMissing, RunError
from covidlib.files import digest_file
from covidlib.paths import data_root
from covidlib.runs import provenance
from covidlib.runs.record import CURVE, PREDICTIONS, RECORD, WEIGHTS, Record
from covidlib.runs.spec import RunSpec, described
from covidlib.runs.store import Store
from covidlib.training.data import TrainingData, training_data
from covidlib.training.fit import Resources, Trained, fit
from covidlib.training.graft import Graft
from covidlib.training.lungs import seen, with_lungs
from covidlib.training.magsd import MAGSD
from covidlib.training.method import Method
from covidlib.training.moco import Moco
from covidlib.training.natural import Natural
from covidlib.training.protocol import Protocol, ProtocolMAGSD
from covidlib.training.segmentation import Segmentation
from covidlib.training.simclr import Simclr
from covidlib.training.sstlm import Sstlm
from covidlib.training.supervised import Supervised

METHODS = {
    "SupervisedSettings": Supervised,
    "StlnSettings": Natural,
    "StlmSettings": Supervised,
    "GraftSettings": Graft,
    "MAGSDSettings": MAGSD,
    "ProtocolSettings": Protocol,
    "ProtocolMAGSDSettings": ProtocolMAGSD,
    "CxrSettings": Supervised,
    "SegmentationSettings": Segmentation,
    "MocoSettings": Moco,
    "SimclrSettings": Simclr,
    "SstlmSettings": Sstlm,
}

Progress = Callable[[RunSpec, dict], None]


def run(
    spec: RunSpec,
    store: Store,
    root: str | Path | None = None,
    *,
    profile: str = "smoke",
    resources: Resources | None = None,
    progress: Progress | None = None,
) -> Record:
    """Return the record of a spec, training it and the stages it starts from where needed.

    Two processes may ask for one spec at once: one trains and the other waits for its record.
    A killed run leaves a state in the store, from which the next call goes on.

    Args:
        spec: what to run.
        store: where records live.
        root: the data root; phantoms need none.
        profile: written into the record.
        resources: devices and how often the state is written.
        progress: called with the spec and each epoch's row of the curve.

    Raises:
        DataError: images are missing or unreadable, before anything is trained.
        RunError: the data have changed since the record was made, or the loss is not finite.
    """
    data = training_data(spec.data, data_root(root))
    options = {"profile": profile, "resources": resources, "progress": progress}
    parents = {parent.key: _stage(parent, store, root, options) for parent in spec.parents}
    with store.lock(spec):
        found = store.get(spec)
        if found is not None and found.phantom and not saw(found, data):
            store.discard(spec)  # the generator draws otherwise now, and can always draw again
            found = None
        if found is not None:
            store.forget(spec)  # of a process that was killed between its record and this line
            return _same_data(found, data)
        resources = resources or Resources()
        data = _shown(spec, data, parents, root, resources.device)
        parent = None if spec.init is None else parents[spec.init.key]
        return _train(spec, store, data, parent, profile, resources, progress)


def _stage(spec: RunSpec, store: Store, root, options: dict) -> Record:
    """Return the run of a stage; a finished one serves where its images are not here."""
    try:
        return run(spec, store, root, **options)
    except DatasetMissing:
        if (found := store.get(spec)) is None:
            raise
        return found


def shown(
    spec: RunSpec,
    store: Store,
    root: str | Path | None = None,
    data: TrainingData | None = None,
) -> TrainingData:
    """Return images as the network of a run sees them, with the lungs found for it.

    Args:
        spec: of the run.
        store: where it is.
        root: the data root.
        data: the images, by default those of the run.

    Raises:
        RunError: the run that finds the lungs is not in the store.
    """
    data, parents = data or training_data(spec.data, data_root(root)), {}
    if (finder := spec.data.lungs) is not None:
        found = store.get(finder)
        if found is None:
            raise RunError(f"{finder.key} finds the lungs of {spec.key} and is not in the store")
        parents[finder.key] = found
    return _shown(spec, data, parents, root, Resources().device)


def _shown(spec, data, parents, root, device) -> TrainingData:
    finder = spec.data.lungs
    if finder is not None:
        record = parents[finder.key]
        segmenter = load(record, finder, training_data(finder.data, data_root(root))).network
        data = with_lungs(data, segmenter.to(device), spec.data, digest_file(record.weights))
    return seen(data, spec.data.view)


def saw(record: Record, data: TrainingData) -> bool:
    """Return whether a run learnt from these images, divided in the same way."""
    facts = record.provenance
    divided = facts.get("division", data.division)  # older records do not say
    return (facts["fingerprint"], divided) == (data.dataset.fingerprint, data.division)


def _same_data(record: Record, data: TrainingData) -> Record:
    if not saw(record, data):
        raise RunError(
            f"{record.key} was trained on other images of {data.dataset.name}, or on another split "
            f"of them, than now; use another store, or delete {record.folder} to train again"
        )
    return record


def _train(spec, store, data, parent, profile, resources, progress) -> Record:
    clock = time.perf_counter()
    software = provenance.software()
    session = {
        "commit": software["commit"],
        "dirty": software["dirty"],
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    method = build(spec, data)
    if parent is not None:
        transfer(method.network, load_file(parent.weights))
    told = None if progress is None else partial(progress, spec)
    identity = {
        "images": data.dataset.fingerprint,
        "split": data.division,
        "settings": _digest(described(spec)),
    }
    if method.one_device:
        resources = replace(resources, devices=1)
    device = resources.device
    with _isolated(device, resources.threads):
        taken = method.take() if isinstance(method, Graft) else None
        if taken is None:
            working = store.working(spec)
            trained = fit(method, working, resources, told, identity=identity, session=session)
        else:
            trained = Trained([], [])
        predictions = method.to(device).predictions(data.on(device))
        facts = software | provenance.hardware(device)
    facts |= {
        **session,
        "dirty": any(part["dirty"] for part in (*trained.earlier, session)),
        "earlier": trained.earlier,
        "seconds": round(
            time.perf_counter() - clock + sum(part["seconds"] for part in trained.earlier), 1
        ),
        "data": data.dataset.name,
        "fingerprint": data.dataset.fingerprint,
        "division": data.division,
        "phantom": data.dataset.phantom,
        "skipped": [problem.path.name for problem in data.cached.skipped],
        "profile": profile,
        "devices": resources.devices,
        **_origin(parent, taken),
    }
    body = {
        "key": spec.key,
        "spec": described(spec),
        "metrics": method.metrics(predictions),
        "provenance": facts,
    }

    def write(folder: Path) -> None:
        (folder / RECORD).write_text(json.dumps(body, indent=1, sort_keys=True) + "\n")
        predictions.to_parquet(folder / PREDICTIONS, index=False)
        pd.DataFrame(trained.curve or {"epoch": []}).to_csv(folder / CURVE, index=False)
        weights = {k: v.cpu().contiguous() for k, v in method.network.state_dict().items()}
        save_file(weights, folder / WEIGHTS)

    return store.add(spec, write)


def _origin(parent: Record | None, taken: dict[str, str] | None) -> dict:
    """Return the weights that a run took or began with: their name, file and SHA-256.

    Weights that somebody else trained are named in every record that descends from them.
    """
    if taken is None and parent is not None:
        taken = parent.provenance.get("weights")
    return {} if taken is None else {"weights": taken}


def _digest(body: dict) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


@contextmanager
def _isolated(device: torch.device, threads: int | None) -> Iterator[None]:
    """Leave torch's random state and threads to the caller as they were.

    Otherwise what a notebook draws afterwards would depend on whether a run was found or trained.
    """
    before = torch.get_num_threads()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.set_num_threads(threads or before)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def build(spec: RunSpec, data: TrainingData) -> Method:
    """Return the method of a spec around a network with the spec's own random weights."""
    method = METHODS[type(spec.training).__name__]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(generator("weights", spec.seed).initial_seed())
        network = spec.network.build(len(data.classes))
        return method(network, spec.training, data, spec.seed)


def transfer(network: torch.nn.Module, weights: dict[str, torch.Tensor]) -> list[str]:
    """Copy a stage's weights into the next stage's network, all but the classifier.

    Args:
        network: has a ``classifier`` attribute, which keeps its own random weights.
        weights: of the stage before.

    Returns:
        Names of the parameters that were copied.

    Raises:
        RunError: the two networks differ in more than their classifiers.
    """
    own = network.state_dict()
    head = {id(value) for value in network.classifier.state_dict(keep_vars=True).values()}
    kept = {k for k, v in network.state_dict(keep_vars=True).items() if id(v) in head}
    wanted = set(own) - kept
    given = set(weights) - kept
    differing = (wanted ^ given) | {k for k in wanted & given if own[k].shape != weights[k].shape}
    if differing:
        raise RunError(
            "the stage before has another network; it differs in "
            + ", ".join(sorted(differing)[:5])
        )
    network.load_state_dict({k: weights[k] for k in wanted}, strict=False)
    return sorted(wanted)


def load(record: Record, spec: RunSpec, data: TrainingData) -> Method:
    """Return the trained method of a record."""
    method = build(spec, data)
    method.network.load_state_dict(load_file(record.weights))
    return method
