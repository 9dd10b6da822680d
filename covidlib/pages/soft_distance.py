"""What the soft distance does to predictions (``notebooks/magsd/soft_distance.py``)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from ipywidgets import VBox
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from torch import Tensor

from covidlib.book import Page
from covidlib.data_page import PlainTable
from covidlib.evaluation.predictions import scored
from covidlib.figures import legend_below, looks
from covidlib.models.ma_net import MANetSettings
from covidlib.pages.magsd_fold_tests import fold_tests
from covidlib.pages.results import NOT_YET, Results, phantom_note
from covidlib.plans import plan
from covidlib.plans.magsd_ours import AS_WRITTEN
from covidlib.runs.record import Record
from covidlib.runs.recorded import recorded
from covidlib.settings import MAGSDSettings
from covidlib.training.magsd import view_losses
from covidlib.widgets import browser

PAPER = MAGSDSettings()
VARIANTS = {
    "soft distance": PAPER,
    "authors' code": MAGSDSettings(**MAGSDSettings.AUTHORS["soft label"]),
    "L2": MAGSDSettings(regularisation="l2"),
}
SIDE = 201  # points of a curve and of a side of a surface
GRID = np.linspace(0.001, 0.999, SIDE)
CONFIDENCES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.99)
WHAT = {
    "optimiser": "weight decay 10⁻⁶ → 5·10⁻⁴, with Nesterov's momentum",
    "length": "100 epochs of 32 images a step → 150 of 16",
    "dimming": "factor 0.1 → 0.001",
    "soft label": "a confident prediction must also be right; else a label smoothed by 0.01",
    "reduction": "mean over the views → sum",
    "normalisation": "z-score of the image → of each of its columns",
    "channels": "three equal channels → one, with a new first convolution",
    "features": "averages → signed roots of length 100, and no bias",
}


def logits(probability: np.ndarray | Tensor) -> Tensor:
    """Return logits of two classes from the probability of the second, (…, 2)."""
    p = torch.as_tensor(probability, dtype=torch.float64)
    return torch.stack([(1 - p).log(), p.log()], -1)


def surface(settings: MAGSDSettings) -> np.ndarray:
    """Return what a view adds to the loss of an image of the second class.

    Returns:
        Rows: probability of the label in the view; columns: in the primary prediction. (S, S)
    """
    labels = torch.ones(1, dtype=torch.int64)
    views, columns = logits(GRID)[:, None], []
    for primary in logits(GRID):
        columns.append(view_losses(primary[None], views, labels, settings).numpy())
    return np.stack(columns, 1)


def pull(primary: float, settings: MAGSDSettings) -> np.ndarray:
    """Return how hard a view's logit is pulled towards the label's class: minus the gradient.

    Args:
        primary: probability of the label in the primary prediction.
        settings: of the regularisation.
    """
    labels = torch.ones(1, dtype=torch.int64)
    views = logits(GRID)[:, None].requires_grad_()
    losses = view_losses(logits(np.array([primary])), views, labels, settings)
    (gradient,) = torch.autograd.grad(losses.sum(), views)
    return -gradient[:, 0, 1].numpy()


def draw_surface(ax: Axes, settings: MAGSDSettings, title: str, largest: float = 1.0):
    """Draw the loss over both predictions; dashed where Algorithm 1 changes its target."""
    drawn = ax.imshow(
        surface(settings), origin="lower", extent=(0, 1, 0, 1), cmap="viridis", vmin=0, vmax=largest
    )
    if settings.regularisation == "soft":
        wrong = () if settings.soft_label == "agreeing" else (1 - settings.confidence,)
        for border in (settings.confidence, *wrong):
            ax.axvline(border, color="white", linewidth=1.2, linestyle="--")
    ax.set_title(title, fontsize=10)
    ax.set(xlabel="primary: P(label)", xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    return drawn


def draw_curves(ax: Axes, primaries: Sequence[float]) -> Axes:
    """Draw the soft distance over the view's prediction, one curve for each primary prediction."""
    names = [f"P(label) = {p:g}" for p in primaries]
    labels, views = torch.ones(1, dtype=torch.int64), logits(GRID)[:, None]
    for (name, look), primary in zip(looks(names), primaries, strict=True):
        first = logits(np.array([primary]))
        distance = view_losses(first, views, labels, PAPER)
        ax.plot(GRID, distance.numpy(), label=name, linewidth=2, **look)
    ax.set(xlabel="view: p(label)", ylabel="soft distance", xlim=(0, 1), ylim=(0, 1))
    legend_below(ax, ncols=2)
    return ax


def draw_pulls(ax: Axes, primary: float) -> Axes:
    """Draw how hard soft distance, L2 and cross-entropy pull a view, for one primary."""
    rivals = {
        "soft distance": PAPER,
        "L2": VARIANTS["L2"],
        "cross-entropy": MAGSDSettings(regularisation="none"),
    }
    for name, look in looks(list(rivals)):
        ax.plot(GRID, pull(primary, rivals[name]), label=name, linewidth=2, **look)
    ax.axhline(0, color="0.7", linewidth=0.8)
    ax.set(xlabel="view: p(label)", xlim=(0, 1))
    ax.set_title(f"primary: P(label) = {primary:g}", fontsize=10)
    return ax


def beside_target(gap: float, primary: float = 0.6) -> dict[str, float]:
    """Return the pulls of both distances on a view that is ``gap`` away from the label.

    Args:
        gap: 1 minus the view's probability of the label.
        primary: an unsure primary prediction, so that both distances have the label as target.
    """
    place = int(np.abs(GRID - (1 - gap)).argmin())
    rivals = {"soft": PAPER, "l2": VARIANTS["L2"]}
    return {name: float(pull(primary, settings)[place]) for name, settings in rivals.items()}


def confidence_browser() -> VBox:
    """Return a slider over θ with the surface of Algorithm 1."""
    frames = {}
    for confidence in CONFIDENCES:
        figure, ax = plt.subplots(figsize=(3.8, 3.3), layout="constrained")
        drawn = draw_surface(ax, MAGSDSettings(confidence=confidence), "")
        ax.set_ylabel("view: p(label)")
        figure.colorbar(drawn, ax=ax, label="distance")
        frames[f"θ = {confidence:g}"] = figure
    return browser(frames, "θ")


def trusted(runs: Mapping[str, Sequence[Record]]) -> PlainTable:
    """Return how many test predictions Algorithm 1 would trust, and how many of these are wrong.

    Args:
        runs: records by name; a name without records gets a line that says so.
    """
    rows = {}
    for name, records in runs.items():
        rows[name] = _trusted(records) if records else {"images": NOT_YET}
    drawn = phantom_note(record for records in runs.values() for record in records)
    return PlainTable(pd.DataFrame(rows).T, drawn.strip())


def _trusted(records: Sequence[Record]) -> dict[str, object]:
    tests = [scored(record.predictions) for record in records]
    sure = np.concatenate([test.probabilities.max(1) for test in tests]) > PAPER.confidence
    wrong = np.concatenate([test.predicted != test.truth for test in tests])
    among = f"{wrong[sure].mean():.1%}" if sure.any() else "none trusted"
    return {
        "images": len(wrong),
        "trusted": f"{sure.mean():.1%}",
        "wrong among the trusted": among,
        "wrong among all": f"{wrong.mean():.1%}",
    }


def released_tests(page: Page) -> PlainTable:
    """Return what each difference of the released code changes on A, as far as it is recorded."""
    name = "magsd/released_code"
    chosen = plan(name, page.profile, phantoms=page.phantom, seeds=1)
    known = recorded(name, page.recorded)
    return fold_tests(Results(chosen, {}, known, page.recorded), AS_WRITTEN)


def differences() -> PlainTable:
    """Return every difference between paper and released code, and the setting that makes it."""
    rows = {}
    for owner in (MAGSDSettings, MANetSettings):
        for name, change in owner.AUTHORS.items():
            setting = ", ".join(f"{field}={value!r}" for field, value in change.items())
            if name in rows:  # a setting of network and training that belongs together
                setting += " in both"
            rows[name] = {"paper → code": WHAT[name], "setting": setting}
    return PlainTable(pd.DataFrame(rows).T)
