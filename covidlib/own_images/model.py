"""A trained model in one folder: the run, and what is needed to use it with care."""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from covidlib.data.cards import CARDS
from covidlib.data.decoding import read_uint8
from covidlib.data.preprocessing import prepare as decode
from covidlib.errors import CovidlibError, RunError
from covidlib.evaluation.calibration import Temperature, at_temperature, fit_temperature
from covidlib.evaluation.predictions import PREFIX, classes_of
from covidlib.explain import grad_cam, stretch
from covidlib.files import writable
from covidlib.runs.rebuilding import rebuilt
from covidlib.runs.record import PREDICTIONS, RECORD, WEIGHTS, Record
from covidlib.runs.spec import RunSpec
from covidlib.runs.store import Store, place
from covidlib.training.method import prepare
from covidlib.training.precision import autocast

FACTS, CARD = "model.json", "model_card.html"


@dataclass(frozen=True)
class Model:
    """A network that can be asked.

    Args:
        record: of its training.
        spec: of its training.
        network: in evaluation mode, on the CPU.
        classes: in the order of its outputs.
        positive: the class that is looked for when there are two.
        modality: "ct" or "cxr", None where nobody knows it.
        temperature: fitted on its validation images; None where there were none.
    """

    record: Record
    spec: RunSpec
    network: nn.Module
    classes: tuple[str, ...]
    positive: str | None
    modality: str | None
    temperature: Temperature | None

    def predict(self, paths: list[Path]) -> pd.DataFrame:
        """Return one row per image: path, ``p_<class>`` at the temperature, ``raw_<class>``.

        Raises:
            DataError: an image cannot be decoded.
        """
        raw = torch.cat([self._probabilities(self.inputs([path])) for path in paths]).numpy()
        columns = [PREFIX + name for name in self.classes]
        table = pd.DataFrame(raw, columns=columns)
        given = at_temperature(table, self.temperature.value if self.temperature else 1.0)
        table.columns = [f"raw_{name}" for name in self.classes]
        given.insert(0, "path", [str(path) for path in paths])
        return given.join(table)

    @torch.no_grad()
    def _probabilities(self, inputs: Tensor) -> Tensor:
        with autocast(inputs.device, self.spec.training.precision):
            return self.network(inputs).double().softmax(1)

    def inputs(self, paths: list[Path]) -> Tensor:
        """Return images as the network sees them. Shape: (N, 3, S, S)."""
        settings = self.spec.data.preprocessing
        decoded = [decode(read_uint8(path, settings.window), settings) for path in paths]
        return prepare(torch.from_numpy(np.stack(decoded))[:, None], self.spec.training).images

    def heatmaps(self, paths: list[Path], classes: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return what the network saw, and where the logit of a class comes from (Grad-CAM).

        Args:
            paths: images.
            classes: one per image, whose logit is explained.

        Returns:
            uint8 and non-negative floats. Shapes: (N, S, S), (N, S, S).

        Raises:
            TypeError: the network has no last convolution to look at.
        """
        inputs = self.inputs(paths)
        wanted = torch.tensor([self.classes.index(name) for name in classes])
        maps = stretch(grad_cam(self.network, inputs, wanted), tuple(inputs.shape[-2:])).numpy()
        grey = inputs.mean(1)
        low, high = grey.amin((1, 2), keepdim=True), grey.amax((1, 2), keepdim=True)
        shown = ((grey - low) / (high - low).clamp_min(1e-6) * 255).round().byte().numpy()
        return shown, maps


def open_model(name: str | Path, store: Store | None = None) -> Model:
    """Open a model by its folder, or by the key of a run in the store or a part of it.

    Raises:
        RunError: there is none, several fit, it has no weights, or it was made by another version.
    """
    folder = Path(name).expanduser()
    record = Record(folder) if (folder / RECORD).is_file() else _in_store(str(name), store)
    spec = rebuilt(record)
    return _assembled(record, spec, _facts(record, spec))


def _assembled(record: Record, spec: RunSpec, facts: dict) -> Model:
    classes = classes_of(record.predictions)
    if not classes:
        raise RunError(f"{record.key} predicts no classes; name a run that was trained with labels")
    network = spec.network.build(len(classes))
    if getattr(network, "needs_lungs", False) or spec.data.preprocessing.apply_lung_mask:
        raise RunError(f"{record.key} needs a lung mask for every image")
    network.load_state_dict(load_file(record.weights))
    return Model(record, spec, network.eval(), classes, **facts)


def _in_store(name: str, store: Store | None) -> Record:
    store = store or Store()
    found = store.named(name)
    if len(found) == 1:
        return found[0]
    if not found:
        raise RunError(f"no model: {name} is no folder of one, and no run in {store.root} fits")
    keys = "\n  ".join(record.key for record in found[:10])
    raise RunError(f"{len(found)} runs in {store.root} have {name!r} in their keys:\n  {keys}")


def _facts(record: Record, spec: RunSpec) -> dict:
    """Return positive, modality and temperature: as saved, else as far as the run tells."""
    path = record.folder / FACTS
    if path.is_file():
        body = json.loads(path.read_text("utf-8"))
        cooled = body["temperature"] and Temperature(**body["temperature"])
        return {k: body[k] for k in ("positive", "modality")} | {"temperature": cooled}
    card = CARDS.get(spec.data.dataset)
    modality = card.modality if card and card.modality in ("ct", "cxr") else None
    return {"positive": None, "modality": modality, "temperature": temperature_of(record)}


def temperature_of(record: Record) -> Temperature | None:
    """Return the temperature of a run's validation images, None where it has none."""
    seen = record.predictions
    if not ((seen["split"] == "val") & seen["label"].notna()).any():
        return None
    return fit_temperature(seen)


def save_model(
    target: Path, record: Record, *, positive: str | None, modality: str, card: str
) -> Path:
    """Write a folder that holds the run, the facts and the model card, whole or not at all.

    Raises:
        RunError: the folder exists.
    """
    cooled = temperature_of(record)
    facts = {
        "key": record.key,
        "positive": positive,
        "modality": modality,
        "temperature": asdict(cooled) if cooled else None,
    }

    def write(draft: Path) -> None:
        for name in (RECORD, PREDICTIONS, "curve.csv", WEIGHTS):
            shutil.copyfile(record.folder / name, draft / name)
        (draft / FACTS).write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
        (draft / CARD).write_text(card, "utf-8")

    place(target, write)
    return target


def free(target: Path) -> Path:
    """Return a target that nothing is in the way of.

    Raises:
        CovidlibError: it exists, or could not be written.
    """
    target = target.expanduser()
    if target.exists():
        raise CovidlibError(f"{target} exists; name another folder with --out, or remove it")
    writable(target.parent)
    return target
