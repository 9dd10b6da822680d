"""Runs on magsd's data set A that none of its tables has: weights, folds, released code, rates."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from covidlib.models.ma_net import MANetSettings
from covidlib.models.plain_classifiers import PlainSettings
from covidlib.plans.magsd import OWN_RATES, PROPOSED, RIVALS
from covidlib.plans.magsd_runs import FOLDS, PAPER, SIZES, Change, run_of, same, trained
from covidlib.plans.plan import Plan, Row
from covidlib.runs.spec import RunSpec
from covidlib.settings import MAGSDSettings, NetworkSettings

LETTER = "A"
NETWORKS: dict[str, tuple[str, NetworkSettings]] = {
    PROPOSED: ("magsd", MANetSettings()),
    "ResNet50": ("resnet50", PlainSettings("resnet50")),
}
WEIGHTED, BY_IMAGE, OWN_RATE = "classes weighted", "folds of images", "own rate"
AS_WRITTEN, RELEASED = "as in the paper", "all of the released code"
# One line of a plan: label, model, variant, network, what is changed, rank.
Line = tuple[str, str, str, NetworkSettings, Change, int]


def by_image(spec: RunSpec) -> RunSpec:
    """Return the same run on folds that do not keep patients together, as in the released code.

    That code draws its folds anew in every process; these are drawn once, and stratified.
    """
    return replace(spec, data=replace(spec.data, split="kfold-images"))


def authors(*names: str) -> Change:
    """Return what makes some of the released code's differences, as far as they train otherwise.

    Args:
        *names: of ``AUTHORS`` of the method or the network. "length" is relative: half as much
            longer than the profile, with half its batch.
    """

    def change(spec: RunSpec) -> RunSpec:
        training, network = spec.training, spec.network
        for name in names:
            if name == "length":
                more = {
                    "epochs": max(1, round(1.5 * training.epochs)),  # 150 of 100
                    "batch": max(2, training.batch // 2),  # 16 of 32
                }
            else:
                more = MAGSDSettings.AUTHORS.get(name, {})
            training = replace(training, **more)
            network = replace(network, **MANetSettings.AUTHORS.get(name, {}))
        return replace(spec, training=training, network=network)

    return change


DIFFERENCES = tuple(dict.fromkeys((*MAGSDSettings.AUTHORS, *MANetSettings.AUTHORS)))


def _pairs(name: str, variant: str, change: Change) -> list[Line]:
    """Return each network as it is in Table 3, and changed."""
    found: list[Line] = []
    for label, (model, network) in NETWORKS.items():
        found.append((label, model, "plain", network, same, 0))
        found.append((f"{label}, {name}", model, variant, network, change, 2))
    return found


def _released() -> list[Line]:
    network = MANetSettings()
    lines: list[Line] = [
        (AS_WRITTEN, "magsd", "paper", network, same, 0),
        (RELEASED, "magsd", "authors", network, authors(*DIFFERENCES), 2),
    ]
    return lines + [(name, "magsd", name, network, authors(name), 2) for name in DIFFERENCES]


def at(rate: float) -> Change:
    """Return what trains at another rate than the paper's, in the profile's proportion."""

    def change(spec: RunSpec) -> RunSpec:
        faster = spec.training.lr * (rate / PAPER.lr)
        return replace(spec, training=replace(spec.training, lr=faster))

    return change


def _own_rates() -> list[Line]:
    """Return MAG-SD and ResNet50 as in Table 3, and the rivals it left guessing at their rates."""
    lines: list[Line] = [
        (label, model, "plain", network, same, 0) for label, (model, network) in NETWORKS.items()
    ]
    for label, model, network in RIVALS:
        if model in OWN_RATES:
            change = at(OWN_RATES[model])
            lines.append((f"{label}, {OWN_RATE}", model, "own_rate", network, change, 5))
    return lines


def _plan(topic: str, lines: Sequence[Line]) -> Callable[..., Plan]:
    def made(profile: str, *, phantoms: bool, seeds: int | None = None) -> Plan:
        count = min(seeds or FOLDS, SIZES[profile].folds)
        rows = []
        for label, model, variant, network, change, rank in lines:
            cell = {"model": model, "variant": variant, "dataset": LETTER}
            specs = [run_of(network, LETTER, profile, phantoms, fold) for fold in range(count)]
            changed = tuple(change(spec) for spec in specs)
            rows.append(Row(f"{LETTER}: {label}", tuple(cell.items()), changed, rank=rank))
        return Plan(f"magsd/{topic}", "", tuple(rows))

    return made


PLANS: dict[str, Callable[..., Plan]] = {
    "magsd/imbalance": _plan(
        "imbalance", _pairs(WEIGHTED, "weighted", trained(class_weights="balanced"))
    ),
    "magsd/image_folds": _plan("image_folds", _pairs(BY_IMAGE, "by_image", by_image)),
    "magsd/released_code": _plan("released_code", _released()),
    "magsd/own_rate": _plan("own_rate", _own_rates()),
}
