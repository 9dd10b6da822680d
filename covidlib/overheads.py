"""How much longer a training step takes with attention (manet Table 3, "time increase")."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from covidlib.clock import own_clock, wait
from covidlib.errors import DataError
from covidlib.files import save
from covidlib.models.cxr_classifiers import ATTENTIONS, PAPER_MODELS, CxrClassifierSettings
from covidlib.training.fit import Resources
from covidlib.training.precision import autocast

FILE = "overheads.json"
WARM = 2  # rounds that choose kernels and fill caches
Pair = tuple[str, str]  # backbone, attention


@dataclass(frozen=True)
class Overheads:
    """Times of training steps that took turns.

    Turns see the same load of a machine, so every round gives one ratio.

    Args:
        seconds: of each round, by "backbone/attention".
        size: side of the images, pixels.
        batch: images per step.
        provenance: commit, versions, hardware.
    """

    seconds: Mapping[str, Sequence[float]]
    size: int
    batch: int
    provenance: Mapping[str, object]

    @property
    def pairs(self) -> list[Pair]:
        """What was timed."""
        return [tuple(name.split("/")) for name in self.seconds]

    def increase(self, pair: Pair) -> tuple[float, float, float]:
        """Return lower quartile, median and upper quartile of the increase, percent."""
        plain = np.asarray(self.seconds[f"{pair[0]}/none"])
        ratios = np.asarray(self.seconds["/".join(pair)]) / plain
        low, middle, high = 100 * (np.quantile(ratios, (0.25, 0.5, 0.75)) - 1)
        return float(low), float(middle), float(high)


def measure(
    size: int, batch: int, rounds: int, backbones: Sequence[str] = ("resnet34", "resnet50")
) -> Overheads:
    """Time steps of each backbone, plain and with the attentions that the paper gives it.

    On the GPU if there is one; batch norm, loss, backward pass and optimiser are included, reading
    images is not.
    """
    from covidlib.runs.provenance import hardware, software

    device = Resources().device
    seconds: dict[str, list[float]] = {}
    for backbone in backbones:
        kinds = [kind for kind in ATTENTIONS if (backbone, kind) in PAPER_MODELS]
        steps = {kind: training_step(backbone, kind, size, batch, device) for kind in kinds}
        taken = []
        for turn in range(rounds + WARM):
            # Another one begins each round: a step also pays for what the one before left behind.
            first = turn % len(kinds)
            taken.append({kind: steps[kind]() for kind in kinds[first:] + kinds[:first]})
        for kind in kinds:
            seconds[f"{backbone}/{kind}"] = [round(times[kind], 5) for times in taken[WARM:]]
    return Overheads(seconds, size, batch, software() | hardware(device))


def training_step(
    backbone: str, attention: str, size: int, batch: int, device: torch.device
) -> Callable[[], float]:
    """Return a function that makes one training step and says how many seconds it took.

    On a CPU these are seconds of all its threads together.
    """
    network = CxrClassifierSettings(backbone, attention).build(5).to(device)
    network = network.to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)
    images = torch.randn(batch, 1, size, size, device=device)
    masks = torch.ones(batch, size, size, dtype=torch.bool, device=device)
    labels = torch.arange(batch, device=device) % 5
    clock = own_clock(device)

    def step() -> float:
        start = clock()
        with autocast(device, "bf16-mixed"):
            loss = F.cross_entropy(network(images, masks).float(), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        wait(device)
        return clock() - start

    return step


def write(found: Overheads, folder: str | Path) -> Path:
    """Keep a measurement under ``book/results``, over an earlier one."""
    body = {"seconds": dict(found.seconds), "size": found.size, "batch": found.batch}
    body["provenance"] = dict(found.provenance)
    return save(Path(folder) / FILE, json.dumps(body) + "\n")


def read(folder: str | Path) -> Overheads:
    """Read what ``write`` kept.

    Raises:
        DataError: there is nothing.
    """
    source = Path(folder) / FILE
    if not source.is_file():
        raise DataError(f"{source} is missing")
    return Overheads(**json.loads(source.read_text(encoding="utf-8")))


def main(folder: Path, size: int = 512, batch: int = 64, rounds: int = 31) -> None:
    """Time all ten networks of manet Table 3 and keep the times in FOLDER."""
    backbones = list(dict.fromkeys(backbone for backbone, _ in PAPER_MODELS))
    write(measure(size, batch, rounds, backbones), folder)


if __name__ == "__main__":
    from covidlib.terminal import run_alone

    run_alone(main)
