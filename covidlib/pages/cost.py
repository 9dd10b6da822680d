"""Counts and timings of manet's networks (``notebooks/manet/cost.py``)."""

from collections.abc import Mapping
from functools import cache

import pandas as pd
import torch

from covidlib.mask_findings import masked
from covidlib.models.cost import SIZE, Cost
from covidlib.models.cost import cost_of as count
from covidlib.models.cxr_classifiers import PAPER_MODELS, CxrClassifierSettings
from covidlib.models.mask_pooling import Path, pool
from covidlib.overheads import Overheads
from covidlib.published import PaperValue, paper_value
from covidlib.tables import ComparisonTable, Row, comparison_table, verdict_counts
from covidlib.verdicts import ABOVE, BELOW, NOT_TESTABLE, REPRODUCED, exact

SUFFIXES = {"none": "", "mask": "_ma", "cbam": "_cbam"}
TITLES = {
    "resnet34": "ResNet34",
    "resnet50": "ResNet50",
    "vgg16": "VGG16",
    "inceptionv3": "Inceptionv3",
}
MARKS = {"none": "", "mask": " (MA)", "cbam": " (CBAM)"}
# The reader's name of each number, and the paper's.
METRICS = {
    "parameters, M": "params", "FLOPs, M": "flops", "running time, min": "running_time",
    "time increase": "time_increase",
}  # fmt: skip
# Side of the images, images per step, rounds.
TIMING = {"smoke": (64, 4, 5), "laptop": (224, 16, 21), "paper": (512, 64, 31)}
NOTE = "Parameters and FLOPs in millions, counted in this run, exact; running time as printed."
Pair = tuple[str, str]


cost_of = cache(count)  # several tables ask for the same networks


def name_of(pair: Pair) -> str:
    """Return a network's name as the paper writes it: "ResNet50 (MA)"."""
    return TITLES[pair[0]] + MARKS[pair[1]]


def count_all() -> dict[Pair, Cost]:
    """Count the ten networks of Table 3, on images of 1×512×512."""
    return {pair: cost_of(CxrClassifierSettings(*pair)) for pair in PAPER_MODELS}


def printed(pair: Pair) -> dict[str, PaperValue]:
    """Return a row of manet Table 3; a plain network has no time increase."""
    metrics = dict(METRICS)
    if pair[1] == "none":
        del metrics["time increase"]
    model = pair[0] + SUFFIXES[pair[1]]
    return {name: paper_value("manet", 3, m, model=model) for name, m in metrics.items()}


def table_3(costs: Mapping[Pair, Cost]) -> ComparisonTable:
    """Return manet Table 3 with verdicts; counts are judged as they are, times are not."""
    rows = []
    for pair, found in costs.items():
        counted = {"parameters, M": found.parameters / 1e6, "FLOPs, M": found.operations / 1e6}
        rows.append(Row(name_of(pair), printed(pair), this_run=exact(counted)))
    table = comparison_table(rows, tuple(METRICS), note=NOTE)
    # A plain network has no time increase, in the paper or here.
    shown = table.frame["paper"].notna() | table.frame["this run"].notna()
    return ComparisonTable(table.frame[shown], table.note)


def verdicts(table: ComparisonTable) -> dict[str, int]:
    """Count the cells of Table 3 by verdict, and those that are counted here at all."""
    found = verdict_counts(table)
    return {
        "cells": int(found.sum()),
        "counts": int(table.frame["this run"].notna().sum()),
        "reproduced": int(found[REPRODUCED]),
        "below": int(found[BELOW]),
        "above": int(found[ABOVE]),
        "untested": int(found[NOT_TESTABLE]),
    }


def parts(costs: Mapping[Pair, Cost]) -> pd.DataFrame:
    """Return what the FLOPs of every network consist of, in millions."""
    rows = {
        name_of(pair): {
            "convolutions, linear": c.multiply_adds, "convolution biases": c.biases,
            "batch norm": c.norms, "global pool": c.global_pools, "map pools": c.map_pools,
            "sum": c.operations,
        }
        for pair, c in costs.items()
    }  # fmt: skip
    return pd.DataFrame(rows).T / 1e6


def other_inputs() -> pd.DataFrame:
    """Return FLOPs and parameters of plain ResNet50 for other images, in millions."""
    rows = {}
    for channels in (1, 3):
        for size in (224, 256, SIZE):
            found = cost_of(CxrClassifierSettings("resnet50", channels=channels), size)
            rows[f"{channels}×{size}×{size}"] = _beside_paper(found, ("resnet50", "none"))
    return pd.DataFrame(rows).T


def other_reductions() -> pd.DataFrame:
    """Return FLOPs and parameters of ResNet50 with CBAM of other widths, in millions."""
    rows = {}
    for reduction in (8, 16, 32):
        found = cost_of(CxrClassifierSettings("resnet50", "cbam", reduction=reduction))
        rows[f"reduction {reduction}"] = _beside_paper(found, ("resnet50", "cbam"))
    return pd.DataFrame(rows).T


def _beside_paper(found: Cost, pair: Pair) -> dict[str, object]:
    paper = printed(pair)
    ours = {"parameters, M": found.parameters / 1e6, "FLOPs, M": found.operations / 1e6}
    fits = all(f"{value:.2f}" == paper[name].printed for name, value in ours.items())
    shown = {name: f"{value:.2f}" for name, value in ours.items()}
    return shown | {"fits the paper": "yes" if fits else "no"}


def other_maps() -> pd.DataFrame:
    """Return FLOPs of three other readings of mask attention, in millions."""
    resnet, inception = masked("resnet50"), masked("inceptionv3")
    paths = inception.products.values()
    needed = {path[:length] for path in paths for length in range(1, len(path) + 1)}
    shortcuts = [p for name, p in resnet.paths.items() if name.endswith("downsample.0")]
    readings = {
        "shortcuts pooled as well": ("resnet50", [p for p in shortcuts if not p[-1].grows], 1),
        "1×7 and 7×1 pooled apart": (
            "inceptionv3", [p for p in needed if p[-1].kernel == (7, 7)], 1
        ),
        "5×5 instead of two 3×3": (
            "inceptionv3", [inception.paths[f"Mixed_5{name}.cat"] for name in "bcd"], -1
        ),
    }  # fmt: skip
    rows = {}
    for reading, (backbone, more, sign) in readings.items():
        ours = cost_of(CxrClassifierSettings(backbone, "mask")).operations
        paper = printed((backbone, "mask"))["FLOPs, M"].printed
        other = ours + sign * sum(_elements(path) for path in more)
        rows[f"{TITLES[backbone]}, {reading}"] = {
            "paper": paper, "this reading": f"{other / 1e6:.2f}", "ours": f"{ours / 1e6:.2f}"
        }  # fmt: skip
    return pd.DataFrame(rows).T


def _elements(path: Path) -> int:
    return pool(torch.empty(1, 1, SIZE, SIZE, device="meta"), path, "zeros").numel()


def overhead_table(recorded: Overheads, found: Overheads) -> pd.DataFrame:
    """Return the increase of a training step's time by attention: paper, record, this run."""
    rows = {}
    for pair in PAPER_MODELS:
        if pair[1] == "none":
            continue
        cells = {"paper": f"{100 * printed(pair)['time increase'].value:+.1f} %"}
        for name, source in (("recorded", recorded), ("this run", found)):
            low, middle, high = source.increase(pair) if pair in source.pairs else (None,) * 3
            shown = middle is not None
            cells[name] = f"{middle:+.1f} % [{low:+.1f}, {high:+.1f}]" if shown else "–"
        rows[name_of(pair)] = cells
    return pd.DataFrame(rows).T
