"""Ten classifiers of segmented X-rays (``notebooks/manet/classification.py``)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy import stats

from covidlib import figures
from covidlib.data_page import PlainTable
from covidlib.evaluation import holm, margin
from covidlib.evaluation.convergence import fluctuation, rise
from covidlib.pages import by_class
from covidlib.pages.results import Results, nothing, paired_table
from covidlib.plans import plan
from covidlib.plans.manet import ATTENTIONS, BACKBONES, VARIANTS, label, pixels
from covidlib.published import paper_values, published
from covidlib.tables import ComparisonTable, Row, comparison_table, verdict_counts

NAME = "manet/classification"
TRIALS = ("1", "2", "3")
TRIAL_NOTE = (
    "Shares in [0, 1] of single runs, 95% intervals over patients. What is not recorded yet is not "
    "testable here."
)
TEST_IMAGES = 680  # manet Table 4


def small(cell: Mapping[str, str]) -> bool:
    """Whether the "smoke" profile trains a row: the ResNet50s."""
    return cell["model"].startswith("resnet50")


def settings_table(profile: str) -> pd.DataFrame:
    """Set the settings of a profile beside the paper's (manet sec. 2.3 and 4.2)."""
    ours, paper = (plan(NAME, p, phantoms=False).rows[3].specs for p in (profile, "paper"))
    table = pd.DataFrame({"paper": _settings(paper), f"profile {profile}": _settings(ours)})
    larger = pixels(profile, "inceptionv3")
    if larger > ours[0].training.size:
        table.loc["pixels", f"profile {profile}"] += f" (Inceptionv3: 1×{larger}²)"
    return table


def _settings(specs) -> dict[str, str]:
    chosen = specs[0].training
    return {
        "pixels": f"1×{chosen.size}²",
        "epochs": str(chosen.epochs),
        "batch": str(chosen.batch),
        "learning rate (SGD, cosine to 0)": f"{chosen.lr:g}",
        "momentum": f"{chosen.momentum:g}",
        "weight decay": f"{chosen.weight_decay:g} (ours)",
        "grey values": "[−1, 1]",
        "trials": str(len(specs)),
    }


def table(results: Results) -> ComparisonTable:
    """Return Table 2: mean test accuracy, paper, recorded, this run, verdict."""
    return results.table(("accuracy",))


def trials_table(results: Results) -> ComparisonTable:
    """Return Table 2 trial by trial: each printed accuracy beside one recorded run's.

    The trials of paper and book share a number and nothing else, so a row asks whether one run
    could have come out like this.
    """
    metrics, rows = ("accuracy",), []
    for row in results.chosen.rows:
        model = dict(row.cell)["model"]
        known, done = (
            {record.body["spec"]["seed"]: record for record in runs.get(row.label, ())}
            for runs in (results.known, results.done)
        )
        for seed, trial in enumerate(TRIALS):
            paper = paper_values("manet", 2, metrics, model=model, trial=trial)
            ours = ([runs[seed]] if seed in runs else () for runs in (known, done))
            rows.append(Row(f"{row.label}, trial {trial}", paper, *ours))
    return comparison_table(rows, metrics, note=TRIAL_NOTE)


def verdict_table(tables: Mapping[str, ComparisonTable]) -> PlainTable:
    """Count the verdicts of each table of the page, and of all of them."""
    counts = {name: verdict_counts(found) for name, found in tables.items()}
    counts["all"] = verdict_counts(*tables.values())
    return PlainTable(pd.DataFrame(counts).T, "Verdicts by table.")


def noise_table() -> PlainTable:
    """Test the paper's own trials: is mask attention's gain more than the trials' scatter?

    Welch's test per network, and a paired one over all twelve trials, which share nothing but
    their number.
    """
    lines, gains, chances = {}, [], {}
    for backbone, title in BACKBONES.items():
        plain, ours = (_trials(backbone, attention) for attention in ("none", "mask"))
        gains += list(ours - plain)
        chances[title] = stats.ttest_ind(ours, plain, equal_var=False).pvalue
        lines[title] = _noise_line(plain, ours)
    for name, value in holm(chances).items():
        lines[name]["p"] = f"{value:.2f}"
    whole = stats.ttest_1samp(gains, 0)
    lines["all twelve trials"] = {
        "MA − plain": f"{np.mean(gains):+.4f} ± {np.std(gains, ddof=1):.4f}",
        "p": f"{whole.pvalue:.2f}",
    }
    caption = (
        "The paper's accuracies, mean ± standard deviation over three trials. p: Welch's t test, "
        "after Holm over the four networks; last line: one-sample t test of twelve differences."
    )
    frame = pd.DataFrame.from_dict(lines, orient="index")
    return PlainTable(frame[["plain", "MA", "MA − plain", "p"]], caption)


def _trials(backbone: str, attention: str) -> np.ndarray:
    model = backbone if attention == "none" else f"{backbone}_{VARIANTS[attention]}"
    rows = published("manet", 2)
    rows = rows[(rows["model"] == model) & (rows["trial"] != "average")]
    return rows.sort_values("trial")["number"].to_numpy(float)


def _noise_line(plain: np.ndarray, ours: np.ndarray) -> dict[str, str]:
    return {
        "plain": f"{plain.mean():.4f} ± {plain.std(ddof=1):.4f}",
        "MA": f"{ours.mean():.4f} ± {ours.std(ddof=1):.4f}",
        "MA − plain": f"{ours.mean() - plain.mean():+.4f}",
    }


def tests(results: Results) -> PlainTable:
    """Compare the networks with and without attention on the same test images."""
    backbones = [b for b in BACKBONES if label(b, "mask") in results.labels()]
    lines = {
        f"{BACKBONES[b]}: MA − plain": [[(1.0, label(b, "mask")), (-1.0, label(b, "none"))]]
        for b in backbones
    }
    lines["four networks: MA − plain"] = [pair for [pair] in lines.values()]
    for other, name in (("none", "plain"), ("mask", "MA")):
        pairs = [
            [(1.0, label(b, "cbam")), (-1.0, label(b, other))] for b in ("resnet34", "resnet50")
        ]
        lines[f"two ResNets: CBAM − {name}"] = pairs
    return paired_table(results.known, lines)


def draw_accuracy(axes: Sequence[Axes], results: Results) -> None:
    """Draw validation accuracy per epoch, a panel per network (manet figure 10).

    Recorded curves where there are some, of this run otherwise; the title says which.
    """
    for ax, (backbone, title) in zip(axes, BACKBONES.items(), strict=True):
        names = [label(backbone, a) for a in ATTENTIONS if label(backbone, a) in results.labels()]
        for kind, runs in (("recorded", results.shown), ("this run", results.done)):
            curves = {n: [r.curve for r in runs[n]] for n in names if runs.get(n)}
            if curves and max(len(c) for found in curves.values() for c in found) < 3:
                nothing(ax, "too few epochs for a curve").set_title(title, fontsize=10)
                break
            if curves:
                words = {"label": "validation accuracy", "names": names}
                figures.training_curves(ax, curves, "val_accuracy", **words)
                ax.set_title(f"{title}, {kind}", fontsize=10)
                break
        else:
            nothing(ax).set_title(title, fontsize=10)


def stability_table(results: Results) -> PlainTable:
    """Return fluctuation and speed of every network's curves, means over trials."""
    lines = {}
    for name in results.labels():
        for kind, runs in (("recorded", results.shown), ("this run", results.done)):
            if records := runs.get(name):
                lines[name] = {"from": kind} | _stability([r.curve for r in records])
                break
    frame = pd.DataFrame.from_dict(lines, orient="index")
    caption = (
        "Fluctuation: standard deviation of successive differences over √2, in the last half of "
        "the epochs. Speed: share of training after which validation accuracy is past nine tenths "
        "of its rise. Means over trials; a curve too short or without rise gives none."
    )
    return PlainTable(frame.rename_axis(None), caption)


def _stability(curves: Sequence[pd.DataFrame]) -> dict[str, str]:
    columns = {
        "fluctuation, accuracy": [fluctuation(c, "val_accuracy") for c in curves],
        "fluctuation, loss": [fluctuation(c, "val_loss") for c in curves],
        "speed": [rise(c, "val_accuracy") for c in curves],
    }
    shown = {}
    for name, values in columns.items():
        known = [v for v in values if not np.isnan(v)]
        digits = 2 if name == "speed" else 3
        shown[name] = f"{np.mean(known):.{digits}f} (n={len(known)})" if known else None
    return shown


def sentences(
    results: Results, tables: Mapping[str, ComparisonTable]
) -> dict[str, float | int | str]:
    """Return the numbers of the page's sentences; verdicts are of all its tables."""
    gains = np.concatenate([_trials(b, "mask") - _trials(b, "none") for b in BACKBONES])
    spread = np.mean([_trials(b, a).std(ddof=1) for b in BACKBONES for a in ("none", "mask")])
    counts = by_class.paper_confusion()
    return (
        results.sentences(*tables.values())
        | by_class.sentences(results)
        | {
            "gain": 100 * gains.mean(),
            "gain_p": float(stats.ttest_1samp(gains, 0).pvalue),
            "wins": int((gains > 0).sum()),
            "spread": 100 * spread,
            "margin": 100 * margin(0.96, TEST_IMAGES),
            "paper_tb": int(counts.loc["TB", "TB"]),
            "paper_tb_all": int(counts.loc["TB"].sum()),
        }
    )
