"""Experiments on curves, masks and heat (manet)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from covidlib import lung_heat
from covidlib.claims.experiments import NOT_RECORDED
from covidlib.claims.rows import Asked, kept_of, names_of
from covidlib.evaluation.contrasts import Effect, over_runs, paired
from covidlib.evaluation.convergence import fluctuation, rise
from covidlib.lung_heat import Heat
from covidlib.models.cxr_classifiers import PAPER_MODELS
from covidlib.plans.manet import BACKBONES, label
from covidlib.runs.record import Record
from covidlib.runs.recorded import by_profile
from covidlib.runs.spec import seed_of

NAME = "manet/classification"
Curve = Callable[[pd.DataFrame], float]
Trial = tuple[float, tuple[Record, Record]]  # a difference, and the runs behind it


@dataclass(frozen=True)
class CurveExperiment:
    """How much larger a number of the curves is with one attention than with another.

    Units are the networks that have both; a t test over differences of trials of one seed, of each
    network the first ones, as many as the network with the fewest has.

    Args:
        number: of one training's curve.
        more, less: attentions whose difference is expected above 0.
    """

    number: Curve
    more: str
    less: str

    def __call__(self, results: Path) -> Effect | str:
        """Return the effect from the first profile that has both sides of a network."""
        for _, known in by_profile(NAME, results):
            found = {backbone: self._unit(known, backbone) for backbone in BACKBONES}
            if units := {backbone: trials for backbone, trials in found.items() if trials}:
                least = min(map(len, units.values()))
                if least * len(units) < 2:
                    return "one training per side is recorded: no test"
                chosen = [trials[:least] for trials in units.values()]
                effect = over_runs(np.array([[gap for gap, _ in trials] for trials in chosen]).T)
                used = (record for trials in chosen for _, pair in trials for record in pair)
                return replace(effect, records=names_of(used))
        return NOT_RECORDED

    def _rows(self, backbones: Iterable[str]) -> list[str]:
        return [label(b, attention) for b in backbones for attention in (self.more, self.less)]

    @property
    def asked(self) -> Asked:
        """The rows of the networks that have both sides."""
        both = [b for b in BACKBONES if {(b, self.more), (b, self.less)} <= set(PAPER_MODELS)]
        return tuple((NAME, {"label": name}) for name in self._rows(both))

    def _unit(self, known: dict[str, list[Record]], backbone: str) -> list[Trial]:
        """Return the trials of a network that have both sides and a number on each."""
        more, less = (
            {seed_of(record.key): record for record in known.get(name, [])}
            for name in self._rows([backbone])
        )
        pairs = [(more[seed], less[seed]) for seed in more if seed in less]
        found = [
            (self.number(one.curve) - self.number(two.curve), (one, two)) for one, two in pairs
        ]
        return [trial for trial in found if not np.isnan(trial[0])]


def accuracy_jumps(curve: pd.DataFrame) -> float:
    """Return the fluctuation of validation accuracy late in training."""
    return fluctuation(curve, "val_accuracy")


def loss_jumps(curve: pd.DataFrame) -> float:
    """Return the fluctuation of validation loss late in training."""
    return fluctuation(curve, "val_loss")


def slowness(curve: pd.DataFrame) -> float:
    """Return after which share of training validation accuracy has risen."""
    return rise(curve, "val_accuracy")


@dataclass(frozen=True)
class HeatExperiment:
    """A difference of heat scores, image by image; units are trials.

    Args:
        difference: from the scores of the networks of one trial, by slug, to one number per image.
        networks: that it needs.
    """

    difference: Callable[[dict[str, pd.DataFrame]], pd.Series]
    networks: tuple[str, ...]

    def __call__(self, results: Path) -> Effect | str:
        """Return the effect over all trials whose networks are scored."""
        trials: dict[str, dict[str, Heat]] = {}
        for heat in lung_heat.read(results):
            trials.setdefault(seed_of(heat.key), {})[heat.network] = heat
        scored = [
            {name: trial[name].scores.set_index("sample") for name in self.networks}
            for trial in trials.values()
            if set(self.networks) <= set(trial)
        ]
        if not scored:
            return "its heatmaps are not scored yet"
        whole = pd.concat([self.difference(trial) for trial in scored], axis=1).dropna()
        if whole.empty:
            return "no image has heat in all networks"
        patients = scored[0][self.networks[0]]["patient"]
        effect = paired(list(whole.to_numpy(float).T), groups=_owners(patients.loc[whole.index]))
        keys = (trial[n].key for trial in trials.values() for n in self.networks if n in trial)
        return replace(effect, records=kept_of(results, lung_heat.FOLDER, keys))


def _owners(patients: pd.Series) -> np.ndarray:
    """Return who is drawn: the patient, or the image (its index) where he is not known."""
    known = patients.astype("string")
    return known.fillna(known.index.to_series().astype("string")).to_numpy(str)


def cleaning(results: Path) -> Effect | str:
    """Return what post-processing adds to the IoU of every test image of the segmentation."""
    for _, known in by_profile("manet/segmentation", results):
        records = [record for found in known.values() for record in found]
        if records:
            tests = pd.concat([record.test for record in records])
            gain = tests.groupby("sample")[["iou_clean", "iou"]].mean()
            owners = tests.drop_duplicates("sample").set_index("sample")["patient"]
            differences = (gain["iou_clean"] - gain["iou"]).to_numpy(float)
            one = paired([differences], groups=_owners(owners.loc[gain.index]))
            return replace(one, runs=len(records), records=names_of(records))
    return NOT_RECORDED
