"""Does attention transfer better? (``notebooks/msatl/attention_benefit.py``)."""

from collections.abc import Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from covidlib import figures
from covidlib.claims.msatl import ATTENTIVE, MODELS, VARIANTS
from covidlib.data_page import PlainTable
from covidlib.evaluation import Interval
from covidlib.pages.overall import attention_units, backbones, printed_auc, told
from covidlib.pages.results import Results, paired_table
from covidlib.plans.msatl_target import NAMES
from covidlib.published import paper_value
from covidlib.tables import ComparisonTable

NAME = "msatl/attention_benefit"
STAGES = {"none": "w/o TL", "full": "w TL"}


def gain(
    runs: Results, model: str, variant: str, stages: Sequence[str] = ("none", "full")
) -> list[tuple[float, str]]:
    """Return the last stages minus the first, of one network."""
    first, last = (
        runs.labels(model=model, variant=variant, stages=s)[0] for s in (stages[0], stages[-1])
    )
    return [(1.0, last), (-1.0, first)]


def gains(runs: Results, stages: Sequence[str] = ("none", "full")) -> PlainTable:
    """Return what transfer adds to each network, and what attention adds to that.

    The second kind are differences of differences: four models, the same test images.
    """
    lines = {}
    for model in MODELS:
        depth = model.upper().replace("R", "R-")
        own = {v: gain(runs, model, v, stages) for v in VARIANTS}
        lines |= {f"{depth} {NAMES[v]}: gain": [own[v]] for v in VARIANTS}
        plain = [(-weight, label) for weight, label in own["baseline"]]
        for variant in ATTENTIVE:
            lines[f"{depth} {NAMES[variant]}: gain beyond baseline"] = [[*own[variant], *plain]]
    if both := attention_units(runs, (stages[0], stages[-1])):
        lines[f"{backbones(both)}, mean of both variants: gain beyond baseline"] = both
    return paired_table(runs.known, lines)


def draw_gains(axes: Sequence[Axes], runs: Results, table: ComparisonTable) -> None:
    """Draw the AUC without and with transfer, one panel per backbone and source of numbers."""
    for ax, model in zip(axes, MODELS, strict=True):
        depth = model.upper().replace("R", "R-")
        lines = {}
        for variant in VARIANTS:
            labels = [runs.labels(model=model, variant=variant, stages=s)[0] for s in STAGES]
            values = [table.frame.loc[(label, "AUC"), "recorded"] for label in labels]
            lines[NAMES[variant]] = [unknown() if v is None else v for v in values]
        figures.steps(ax, lines, list(STAGES.values()), "AUC, recorded")
        for variant, colour in zip(VARIANTS, figures.PALETTE, strict=False):
            printed = [
                paper_value("msatl", 4, "auc", model=model, variant=variant, stages=s).value
                for s in STAGES
            ]
            look = {"marker": "D", "linewidth": 0.8, "markersize": 5, "color": colour}
            ax.plot(range(len(STAGES)), printed, alpha=0.8, **look)
        ax.set_title(f"{depth} (diamonds: paper)", pad=42, fontsize=12)


def unknown() -> Interval:
    """Return the interval of what is not recorded."""
    return Interval(np.nan, np.nan, np.nan, 0, 0)


def panels() -> tuple[Figure, np.ndarray]:
    """Return a figure with one panel per backbone."""
    return plt.subplots(1, 2, figsize=(10, 5.4), sharey=True)


def sentences(runs: Results) -> dict[str, float | str]:
    """Return the numbers of the page's sentences."""
    whole = attention_units(runs, ("none", "full"))
    return {
        "benefit": told(runs, whole),
        "benefit_printed": printed_auc(runs, whole, "msatl-Q01"),
        "backbones": backbones(whole),
    }
