"""How MAG-SD, its variants and its backbone start under one rate (``notebooks/magsd``)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd
import torch
from matplotlib.axes import Axes

from covidlib import figures
from covidlib.book import Page
from covidlib.data_page import PlainTable
from covidlib.models.backbones import SIZE, plan
from covidlib.models.bilinear import BilinearSettings
from covidlib.models.ma_net import MANetSettings
from covidlib.models.plain_classifiers import PlainSettings
from covidlib.pages.results import NOT_YET, Results
from covidlib.pages.soft_distance import released_tests
from covidlib.plans.magsd import PLAIN, PROPOSED
from covidlib.plans.magsd_runs import PAPER, SIZES, run_of
from covidlib.runs.record import Record
from covidlib.runs.recorded import recorded
from covidlib.settings import NetworkSettings
from covidlib.tables import PHANTOM_NOTE
from covidlib.training.data import training_data
from covidlib.training.method import prepare
from covidlib.training.stability import largest_rate, sharpness

COMPARED = ("magsd", "magsd_0aug", "resnet50")
SCALED = "features"  # the row of the plan of the released code
BACKBONE, RELEASED, BILINEAR = "ResNet50", f"{PROPOSED}, features as in the released code", "BCNN"
NETWORKS: dict[str, NetworkSettings] = {
    BACKBONE: PlainSettings("resnet50"),
    PROPOSED: MANetSettings(),
    RELEASED: replace(MANetSettings(), **MANetSettings.AUTHORS[SCALED]),
    BILINEAR: BilinearSettings(),
}


@torch.no_grad()
def classified(network: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Return what the classifier of a network sees in training, (N, D)."""
    seen: list[torch.Tensor] = []
    hook = network.classifier.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    network.train()(images)
    hook.remove()
    return seen[0]


def networks_of(runs: Results, prefix: str = "") -> dict[str, NetworkSettings]:
    """Return the networks of a plan's rows on A, by prefix and label."""
    rows = [row for row in runs.chosen.rows if dict(row.cell)["dataset"] == "A"]
    return {prefix + row.label.removeprefix("A: "): row.specs[0].network for row in rows}


def rates(page: Page, networks: Mapping[str, NetworkSettings]) -> pd.DataFrame:
    """Measure what classifiers see before the first step, on the first images of set A."""
    spec = run_of(MANetSettings(), "A", page.profile, page.phantom, 0)
    data = training_data(spec.data, page.root)
    rows = data.rows("train")[: SIZES[page.profile].batch]
    (batch,) = data.on(torch.device("cpu")).iterate([rows])
    inputs = prepare(batch.image, spec.training).images
    return measured(networks, inputs, len(data.classes), spec.training.momentum, page.seed)


def measured(
    networks: Mapping[str, NetworkSettings],
    inputs: torch.Tensor,
    classes: int,
    momentum: float,
    seed: int = 0,
) -> pd.DataFrame:
    """Measure what the classifiers of networks see of images before the first step.

    Args:
        networks: by name.
        inputs: one batch. Shape: (N, 3, S, S).
        classes: K.
        momentum: β.
        seed: of the weights.

    Returns:
        A row per network: features, mean squared length of an image's features, largest stable
        rate, the paper's rate, and how many times the largest it is.
    """
    lines = {}
    for name, settings in networks.items():
        torch.manual_seed(seed)
        network = settings.build(classes)
        features = classified(network, inputs)
        curved = sharpness(features, classes, network.classifier.bias is not None)
        largest = largest_rate(curved, momentum)
        lines[name] = {
            "features": features.shape[1],
            "squared length": float(features.square().sum(1).mean()),
            "largest stable rate": largest,
            "rate": PAPER.lr,
            "times": PAPER.lr / largest,
        }
    return pd.DataFrame.from_dict(lines, orient="index")


def table(found: pd.DataFrame, phantom: bool) -> PlainTable:
    """Return the rates that were measured on a page's images as text."""
    shown = pd.DataFrame(
        {
            "features": found["features"].map("{:,.0f}".format),
            "squared length": found["squared length"].map("{:,.0f}".format),
            "largest stable rate": found["largest stable rate"].map("{:.2g}".format),
            "paper's rate, times that": found["times"].map("{:.2g}".format),
        }
    )
    note = (
        "This run, before the first step: mean over one batch of set A; the largest "
        "learning rate at which the classifier alone, on these features, does not diverge. The "
        "paper's rate is "
        f"{found['rate'].iloc[0]:g}."
    )
    return PlainTable(shown, note + PHANTOM_NOTE * phantom)


def draw(ax: Axes, runs: Results) -> bool:
    """Draw the loss of MAG-SD and its backbone on A, recorded where there are runs.

    Returns:
        Whether the curves are those of this run.
    """
    compared = _compared(runs)
    own = {row.label: compared.done.get(row.label, ()) for row in compared.chosen.rows}
    shown = compared.shown or {label: records for label, records in own.items() if records}
    curves = {
        label.removeprefix("A: "): [record.curve for record in records]
        for label, records in shown.items()
    }
    figures.training_curves(ax, curves, "loss")
    ax.set_yscale("log")
    ax.axhline(math.log(2), color="0.5", linewidth=1, linestyle=":")
    ax.set_title("recorded" if compared.shown else "this run")
    return not compared.shown


def _compared(runs: Results) -> Results:
    return runs.only(lambda cell: cell["dataset"] == "A" and cell["model"] in COMPARED)


def sentences(runs: Results, found: pd.DataFrame) -> Mapping[str, float | int | str]:
    """Return the numbers of the section."""
    known = _compared(runs).shown
    told: dict[str, float | int | str] = {
        "guess": math.log(2),
        "features_ratio": int(found.loc[PROPOSED, "features"] / found.loc[BACKBONE, "features"]),
        "times_magsd": float(found.loc[PROPOSED, "times"]),
        "times_resnet50": float(found.loc[BACKBONE, "times"]),
        "times_released": float(found.loc[RELEASED, "times"]),
        "times_bcnn": float(found.loc[BILINEAR, "times"]),
    }
    for name, row in (("magsd", PROPOSED), ("plain", PLAIN), ("resnet50", BACKBONE)):
        told[f"first_{name}"] = _first(known.get(f"A: {row}", ()))
    return told | grid(known.get(f"A: {PROPOSED}", ()))


def scaled(page: Page) -> dict[str, str]:
    """Return what the recorded scaling of features changes: the first loss, and the accuracy."""
    row = f"A: {SCALED}"
    known = recorded("magsd/released_code", page.recorded)[row]
    return {
        "first_scaled": _first(known),
        "scaled": released_tests(page).frame.loc[row, "accuracy"],
    }


def _first(records: Sequence[Record]) -> str:
    """Return the mean loss of the first epoch: smallest and largest over folds."""
    if not records:
        return NOT_YET
    losses = [float(record.curve["loss"].iloc[0]) for record in records]
    low, high = (f"{pick(losses):.2g}" for pick in (min, max))
    return low if low == high else f"{low} to {high}"


def grid(records: Sequence[Record]) -> dict[str, str]:
    """Return the sizes of the images of recorded runs, and of the attention maps that they give."""
    if not records:
        return {"recorded_size": NOT_YET, "recorded_grid": NOT_YET}
    sizes = sorted({int(record.body["spec"]["training"]["size"]) for record in records})
    last = plan("resnet50").sides[-1]
    sides = [math.ceil(size * last / SIZE) for size in sizes]  # every halving rounds up
    return {
        "recorded_size": " and ".join(map(str, sizes)) + " pixels",
        "recorded_grid": " and ".join(f"{side}×{side}" for side in sides),
    }
