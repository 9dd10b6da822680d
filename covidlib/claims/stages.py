"""Experiments on what was measured on trained stages: LEEP scores and heatmaps (msatl)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from covidlib.claims.experiments import worst
from covidlib.claims.rows import kept_of
from covidlib.errors import DataError
from covidlib.evaluation.contrasts import Effect, paired
from covidlib.published import published
from covidlib.stage_scores import StageScores, by_network, read
from covidlib.stage_scores.keeping import FOLDER
from covidlib.transferability.leep import BASES

STEPS = (("none", "stl_n"), ("stl_n", "stl_n+stl_m"))


@dataclass(frozen=True)
class LeepExperiment:
    """A statement about the steps of LEEP; the weaker of the two steps speaks.

    Args:
        units: from the step of every network, by model and variant, to one number (or one array
            over images) per unit; networks that are missing are left out.
    """

    units: Callable[[dict[tuple[str, str], np.ndarray]], list[np.ndarray]]

    def __call__(self, results: Path) -> Effect | str:
        """Return the weaker step's effect in bits, or why there is none.

        Raises:
            DataError: the scores are of several sets of target images.
        """
        scores = read(results)
        if len({one.provenance["fingerprint"] for one in scores}) > 1:
            raise DataError("LEEP scores of other images cannot be compared")
        table = by_network(scores)
        effects = []
        for before, after in STEPS:
            steps = {
                network: _mean(stages[after]) - _mean(stages[before])
                for network, stages in table.items()
                if before in stages and after in stages
            }
            units = self.units(steps)
            if not units:
                return "its LEEP scores are not recorded yet"
            effect = paired(units, groups=_patients(table))
            effects.append(replace(effect, printed=self._printed(before, after, steps)))
        files = kept_of(results, FOLDER, (one.key for one in scores))
        return replace(worst(effects), records=files)

    @property
    def printed(self) -> float:
        """The smaller of the two steps in the paper's Table 6, its numbers read as bits."""
        rows = published("msatl", 6)[["model", "variant"]].drop_duplicates()
        networks = list(rows.itertuples(index=False, name=None))
        return min(self._printed(before, after, networks) for before, after in STEPS)

    def _printed(self, before: str, after: str, networks: Iterable[tuple[str, str]]) -> float:
        """Return a step of some networks in the paper's Table 6."""
        frame = published("msatl", 6).set_index(["model", "variant", "stages"])["number"]
        steps = {(m, v): frame[m, v, after] - frame[m, v, before] for m, v in networks}
        return float(np.mean(self.units(steps)))


def _mean(seeds: Sequence[StageScores]) -> np.ndarray:
    """Return the mean log-likelihood of every image over seeds, in bits. Shape: (N,)."""
    return np.mean([one.likelihoods for one in seeds], axis=0) / np.log(BASES["bits"])


def _patients(table: Mapping[tuple[str, str], Mapping[str, list[StageScores]]]) -> list[str] | None:
    """Return whose the scored images are; None where the scores do not say."""
    first = next(one for stages in table.values() for seeds in stages.values() for one in seeds)
    return list(first.patients) or None


def _networks(steps: dict[tuple[str, str], np.ndarray]) -> list[np.ndarray]:
    return list(steps.values())


def _attention(steps: dict[tuple[str, str], np.ndarray]) -> list[np.ndarray]:
    """Return what attention adds to the step, a unit per backbone."""
    units = []
    for model in ("r50", "r101"):
        own = [steps.get((model, variant)) for variant in ("attn1", "attn5", "baseline")]
        if all(step is not None for step in own):
            units.append((own[0] + own[1]) / 2 - own[2])
    return units


rising = LeepExperiment(_networks)
attention_gains = LeepExperiment(_attention)


def heat_in_lungs(results: Path) -> Effect | str:
    """Return how much more of its heat the attention map has inside the lungs than Grad-CAM."""
    from covidlib.heat_scores import ATTENTION, GRAD_CAM, networks, read
    from covidlib.heat_scores.keeping import FOLDER, name_of

    found = read(results)
    if not found:
        return "its heatmaps are not recorded yet"
    units, names = [], []
    pairs = networks(str(found[0].provenance["profile"]), phantoms=False)
    starts = {spec.key: spec.init.key for pair in pairs for spec in pair.values()}
    trained: dict[str, set[str]] = {ATTENTION: set(), GRAD_CAM: set()}
    for seed in sorted({one.seed for one in found}):
        maps = {one.kind: one for one in found if one.seed == seed}
        if ATTENTION in maps and GRAD_CAM in maps:
            units.append(maps[ATTENTION].inside - maps[GRAD_CAM].inside)
            for kind, origins in trained.items():
                key = maps[kind].key
                names.append(name_of(kind, key))
                origins.add(starts.get(key, key))
    if not units:
        return "its heatmaps are not recorded yet"
    whole = np.isfinite(units).all(axis=0)  # Grad-CAM has no heat on some slices
    if not whole.any():
        return "no slice has heat in both maps"
    patients = np.array(found[0].patients)[whole]
    effect = paired([unit[whole] for unit in units], groups=patients)
    runs = min(map(len, trained.values()))
    return replace(effect, runs=runs, records=kept_of(results, FOLDER, names))
