"""Runs behind the benchmark over all three papers: one protocol, many sources (ours)."""

from dataclasses import dataclass

from covidlib.data.compositions import XRAY_SOURCES
from covidlib.data.phantoms import PhantomSettings
from covidlib.data.preprocessing import Preprocessing
from covidlib.models.attention_resnet import AttentionResNetSettings
from covidlib.models.cxr_classifiers import CxrClassifierSettings
from covidlib.models.ma_net import MANetSettings
from covidlib.models.plain_classifiers import PlainSettings
from covidlib.plans.manet import segmenter
from covidlib.plans.plan import Plan, Row
from covidlib.runs.spec import RunSpec
from covidlib.settings import (
    DataSettings,
    NetworkSettings,
    ProtocolMAGSDSettings,
    ProtocolSettings,
)

NAME = "across/benchmark"
CT = "covid-ct"
XRAYS = ("cohen", "cxnet-nih", "cohen-kermany")  # training sets, each with a test set of its own
HELD_OUT = tuple(f"all-but-{source}" for source in ("cohen", "cxnet", "nih", "kermany"))
FOLDS = 3  # a third of all images is for tests: Cohen et al. have few without COVID-19

# R-50 without attention is also what magsd and manet call ResNet50: under one protocol they are
# one network, which is trained once.
NETWORKS: dict[str, NetworkSettings] = {
    "r50": AttentionResNetSettings(50, "baseline"),
    "attn1": AttentionResNetSettings(50, "attn1"),
    "attn5": AttentionResNetSettings(50, "attn5"),
    "magsd": MANetSettings(),
    "ma": CxrClassifierSettings("resnet50", "mask", channels=3),
    "convnext": PlainSettings("convnext_tiny"),
}
TITLES = {
    "r50": "R-50",
    "attn1": "R-50, 1 ATTN",
    "attn5": "R-50, 5 ATTN",
    "magsd": "MAG-SD",
    "ma": "ResNet50 (MA)",
    "convnext": "ConvNeXt-T",
}
LEARNT = {
    CT: "COVID19-CT",
    "cohen": "Cohen",
    "cxnet-nih": "CXNet + ChestX-ray8",
    "cohen-kermany": "Cohen COVID + Kermany",
    "all-but-cohen": "all but Cohen",
    "all-but-cxnet": "all but CXNet",
    "all-but-nih": "all but ChestX-ray8",
    "all-but-kermany": "all but Kermany",
}
VIEWS = {"image": "", "lungs": "", "frame": ", frame only", "outside": ", lungs blacked out"}


@dataclass(frozen=True)
class Sizes:
    """What a profile changes.

    Args:
        size: side of the images, pixels.
        epochs: by training set; None takes ``default``.
        default: epochs of every other training set.
        batch: images per step.
        folds: how many of the three are trained.
    """

    size: int
    epochs: dict[str, int]
    default: int
    batch: int = 32
    folds: int = 1


# About 7,500 images shown in "laptop" whatever the set's size, so that no set has more steps.
SHOWN_ALIKE = {
    CT: 18, "cohen": 24, "cxnet-nih": 10, "cohen-kermany": 16, "all-but-cohen": 8,
    "all-but-cxnet": 8, "all-but-nih": 8, "all-but-kermany": 7,
}  # fmt: skip
SIZES = {
    "smoke": Sizes(40, {}, default=1, batch=8),  # MAG-SD's maps of 32 pixels have one place
    "laptop": Sizes(64, SHOWN_ALIKE, default=10),
    "paper": Sizes(224, {n: 8 * e for n, e in SHOWN_ALIKE.items()}, default=80, folds=FOLDS),
}
DRAWN = PhantomSettings(images=60, size=48)


def images(
    learnt: str, profile: str, phantoms: bool, view: str = "image", fold: int = 0
) -> DataSettings:
    """Return what a network learns from and is tested on.

    Args:
        learnt: "covid-ct", or a subset of the X-ray sources; X-ray networks are tested on all.
        profile, phantoms: as for ``covidlib.plans.plan``.
        view: what is shown of each image; all but "image" and "frame" need lungs.
        fold: of the X-ray sources; COVID19-CT has its official split.
    """
    shared = {
        "preprocessing": Preprocessing(size=SIZES[profile].size),
        "phantom": DRAWN if phantoms else None,
        "view": view,
        "lungs": segmenter(profile, phantoms) if view in ("lungs", "outside") else None,
    }
    if learnt == CT:
        return DataSettings(CT, **shared)
    return DataSettings(XRAY_SOURCES.name, "kfold", fold, FOLDS, learn_from=learnt, **shared)


def training(network: str, learnt: str, profile: str) -> ProtocolSettings | ProtocolMAGSDSettings:
    """Return the protocol; MAG-SD keeps its own views and loss, which are its method."""
    sizes = SIZES[profile]
    epochs = sizes.epochs.get(learnt, sizes.default)
    kind = ProtocolMAGSDSettings if network == "magsd" else ProtocolSettings
    return kind(
        size=sizes.size, epochs=epochs, batch=sizes.batch, validate_every=max(1, epochs // 5)
    )


def run_of(
    network: str, learnt: str, profile: str, phantoms: bool, view: str = "", fold: int = 0
) -> RunSpec:
    """Return one training; ``view`` "" is the network's own, which for mask attention is lungs."""
    own = "lungs" if network == "ma" else "image"
    data = images(learnt, profile, phantoms, view or own, fold)
    return RunSpec(NETWORKS[network], data, training(network, learnt, profile))


def label(network: str, learnt: str, view: str = "") -> str:
    """Return a row's name: "R-50 from Cohen"."""
    return f"{TITLES[network]}{VIEWS[view or 'image']} from {LEARNT[learnt]}"


def lines() -> list[tuple[str, str, str, int]]:
    """Return network, training set, view and rank of every row.

    Mask attention has no row on CT: no network here segments lungs in CT slices, and none of the
    CT images has lungs drawn.
    """
    sets = (CT, *XRAYS)
    rows = [("r50", learnt, "", 0) for learnt in sets]
    for network in ("magsd", "convnext", "ma"):
        rows += [(network, n, "", 1) for n in (XRAYS if network == "ma" else sets)]
    rows += [("r50", learnt, "frame", 2) for learnt in sets]
    rows += [("r50", learnt, "", 2) for learnt in HELD_OUT]
    rows += [(network, learnt, "", 3) for network in ("attn1", "attn5") for learnt in sets]
    rows += [("r50", learnt, "outside", 4) for learnt in XRAYS]
    return rows + [("ma", learnt, "", 4) for learnt in HELD_OUT]


def benchmark(profile: str, *, phantoms: bool, seeds: int | None = None) -> Plan:
    """Return every training of the benchmark, the most valuable rows first.

    ``seeds`` counts folds of the X-ray sources, as runs that test on other images; on COVID19-CT,
    whose split is fixed, it counts seeds.
    """
    count = min(seeds or FOLDS, SIZES[profile].folds)
    rows = []
    for network, learnt, view, rank in lines():
        first = run_of(network, learnt, profile, phantoms, view)
        specs = [first]
        for number in range(1, count):
            again = run_of(network, learnt, profile, phantoms, view, number)
            if learnt == CT:
                again = RunSpec(first.network, first.data, first.training, seed=number)
            specs.append(again)
        cell = {"network": network, "learnt": learnt, "view": view or "own"}
        rows.append(Row(label(network, learnt, view), tuple(cell.items()), tuple(specs), rank))
    return Plan(NAME, "", tuple(rows))


PLANS = {NAME: benchmark}
