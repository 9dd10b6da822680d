"""Claims of manet that counting decides, the time of a step, and the classes by size."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from covidlib import elsewhere, mask_findings, overheads
from covidlib.claims.claim import Counted, Partly
from covidlib.claims.experiments import NOT_RECORDED
from covidlib.claims.rows import kept_of, names_of
from covidlib.errors import DataError
from covidlib.evaluation.bootstrap import blocks_of
from covidlib.evaluation.contrasts import Effect, over_draws, over_runs, weakest
from covidlib.evaluation.predictions import scored
from covidlib.evaluation.resampling import draw, f1_by_class
from covidlib.models.cost import SIZE, Cost, cost, cost_of
from covidlib.models.cxr_classifiers import BACKBONES, CxrClassifierSettings
from covidlib.models.res_unet import ResUNetSettings
from covidlib.plans.manet import label
from covidlib.published import paper_value, published
from covidlib.runs.record import Record
from covidlib.runs.recorded import recorded

RESNETS = ("resnet34", "resnet50")
TRIVIAL = 0.01  # of a network's operations; ours
SLIGHT = 0.05  # of the whole range of a map; ours
MILLION = 1e6
COST, MAPS = Path("manet") / "cost", Path("manet") / "mask_attention"


@cache
def _cost(backbone: str, attention: str) -> Cost:
    return cost_of(CxrClassifierSettings(backbone, attention))


@cache
def segmentation_operations() -> int:
    """Return the operations of our ResUNet for one image, counted as manet Table 3 counts."""
    with torch.device("meta"):
        return cost(ResUNetSettings().build(2), torch.empty(1, 1, SIZE, SIZE)).operations


def parameters(results: Path) -> Counted:
    """Say whether mask attention adds no parameter to any of the four networks."""
    added = [_cost(b, "mask").parameters - _cost(b, "none").parameters for b in BACKBONES]
    return Counted(not any(added), f"counted: {max(added)} more at most, in four networks")


def light(results: Path) -> Effect | Counted | str:
    """Return how much longer a step is with CBAM than with masks, if the operations are few.

    The logarithm of the ratio of seconds in rounds in which the networks took turns; the weaker of
    the two ResNets speaks.
    """
    shares = []
    for backbone in BACKBONES:
        mask, plain = _cost(backbone, "mask"), _cost(backbone, "none")
        shares.append((mask.operations + mask.products) / plain.operations - 1)
    if max(shares) >= TRIVIAL:
        return Counted(False, f"counted: {max(shares):.1%} more operations in one network")
    try:
        found = overheads.read(results / COST).seconds
    except DataError:
        return "no time of a training step is recorded"
    ratios = [np.log(np.divide(found[f"{b}/cbam"], found[f"{b}/mask"])) for b in RESNETS]
    effect = weakest([over_runs(ratio[:, None]) for ratio in ratios])
    test = effect.test.replace("trainings", "rounds")
    return replace(effect, test=test, records=((COST / overheads.FILE).as_posix(),))


def light_in_print() -> float:
    """Return the same logarithm in the paper's own running times, the smaller one."""
    logs = []
    for backbone in RESNETS:
        cbam, mask = (
            paper_value("manet", 3, "running_time", model=f"{backbone}_{kind}").value
            for kind in ("cbam", "ma")
        )
        logs.append(float(np.log(cbam / mask)))
    return min(logs)


def trainable(results: Path) -> Counted:
    """Say whether CBAM adds more parameters and operations than mask attention does."""
    told, holds = [], True
    for backbone in RESNETS:
        plain, mask, cbam = (_cost(backbone, kind) for kind in ("none", "mask", "cbam"))
        weights = (cbam.parameters - plain.parameters, mask.parameters - plain.parameters)
        steps = (cbam.operations - plain.operations, mask.operations - plain.operations)
        holds &= weights[0] > weights[1] and steps[0] > steps[1]
        told.append(
            f"{weights[0] / MILLION:.2f} against {weights[1] / MILLION:.0f} M parameters and "
            f"{steps[0] / MILLION:.1f} against {steps[1] / MILLION:.1f} M FLOPs"
        )
    masks = segmentation_operations() / MILLION
    return Counted(
        holds,
        f"counted: {' and '.join(told)}; but finding a mask takes {masks:,.0f} M FLOPs, once for "
        "each image",
    )


def slight(results: Path) -> Counted | str:
    """Say whether the maps that meet at the sums of ResNets differ by less than ``SLIGHT``.

    Everywhere: the claim holds. Not even on average, in some block: it does not. Else undecided.
    """
    try:
        skips = mask_findings.read(results / MAPS, SIZE).skips
    except DataError:
        return "no maps of real lungs are recorded"
    mean, largest = skips["mean"].max(), skips["maximum"].max()
    holds = True if largest < SLIGHT else False if mean >= SLIGHT else None
    return Counted(
        holds,
        f"on real lungs they differ by up to {mean:.3f} on average, {largest:.2f} at most",
        ((MAPS / f"maps-{SIZE}.json").as_posix(),),
    )


def by_size(results: Path) -> Effect | str:
    """Return by how much the F1 of the classes with most images exceeds that of the others."""
    records = recorded("manet/classification", results)[label("resnet50", "mask")]
    return replace(larger_classes(records), records=names_of(records)) if records else NOT_RECORDED


def dealt_anew(results: Path) -> Effect | Partly | str:
    """Return what mask attention adds on images whose class and collection are dealt anew.

    Networks that never name a pneumonia cannot be compared by it.
    """
    more, less = "resnet50-mask", "resnet50"
    known = elsewhere.read(results)
    found = elsewhere.gain(known, more, less)
    if found is None:
        return "its predictions of other collections are not recorded yet"
    asked = [one for one in known if one.network in (more, less)]
    files = kept_of(results, elsewhere.FOLDER, (one.key for one in asked))
    named = pd.concat([elsewhere.answers(one.predictions) for one in asked])
    if not named.isin(elsewhere.PNEUMONIAS).any():
        return Partly(
            "neither network names a pneumonia on any of these images, so only their COVID-19 can "
            f"be compared, by which MA changes the balanced accuracy by {found.value:+.3f}",
            files,
            needs="networks that know the pneumonias: more training, or larger images",
        )
    return replace(found, records=files)


def larger_classes(records: list[Record], resamples: int = 2000) -> Effect:
    """Return mean F1 of the larger half of the classes minus that of the others.

    Args:
        records: trials of one network.
        resamples: how often patients are drawn anew.

    Raises:
        DataError: trials were tested on other images.
    """
    sides = [scored(record.predictions).sorted() for record in records]
    first = sides[0]
    if len(blocks_of(sides)) > 1:
        raise DataError("these trials were not tested on the same images")
    images = records[0].predictions["label"].value_counts()
    order = np.argsort([-images.get(name, 0) for name in first.classes], kind="stable")
    half = len(order) // 2
    rng = np.random.default_rng([0, resamples])
    times = draw(first.clusters, first.truth, resamples, rng).astype(float)
    weights = np.vstack([np.ones(len(first)), times])
    values = [f1_by_class(side, weights)[:, order] for side in sides]
    gaps = [v[:, :half].mean(axis=1) - v[:, half:].mean(axis=1) for v in values]
    return over_draws(np.column_stack(gaps), len(first))


def by_size_in_print() -> float:
    """Return the same in manet Tables 1 and 4, which are of one trial."""
    totals = published("manet", 1).query("split == 'total'").set_index("class")["number"]
    scores = published("manet", 4).query("metric == 'f1'").set_index("class")["number"]
    order = totals[scores.index.intersection(totals.index)].sort_values(ascending=False).index
    half = len(order) // 2
    return float(scores[order[:half]].mean() - scores[order[half:]].mean())
