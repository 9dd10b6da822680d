"""Figures of the audit page; each draws on an Axes and returns it."""

import numpy as np
from matplotlib.axes import Axes

from covidlib.audit.class_mixes import class_sizes, spc_readings
from covidlib.audit.configurations import MODELS, SSL, STAGES, VARIANTS, configurations, set_sizes
from covidlib.audit.f1_cap import f1_cap, f1_table
from covidlib.audit.grim import possible
from covidlib.audit.leep_bound import leep_bounds, leep_rows
from covidlib.audit.magsd_rows import distinct_rows
from covidlib.audit.specificity import harmonic
from covidlib.audit.spread import accuracy_margins, images_needed
from covidlib.figures import DASHES, PALETTE, legend_below

BLUE, RED, GREEN = PALETTE[:3]
MARKS = ("o", "s", "^")


def grim_dots(ax: Axes) -> Axes:
    """Draw the 36 accuracies of msatl over the percentages that counts of its test set give."""
    images = sum(set_sizes("test"))
    frame = configurations()
    accuracy = frame["accuracy"].astype(float)
    first, last = int(accuracy.min() - 1), int(accuracy.max() + 2)
    for k in range(images * first // 100, images * last // 100 + 1):
        ax.axvline(100 * k / images, color="0.85", linewidth=1, zorder=0)
    groups = list(dict.fromkeys(zip(frame["stages"], frame["ssl"], strict=True)))
    order = {group: place for place, group in enumerate(groups)}
    # Six networks share a line; a fixed offset each keeps equal accuracies apart.
    network = {pair: i for i, pair in enumerate(dict.fromkeys(zip(frame["model"], frame["variant"],
                                                                  strict=True)))}  # fmt: skip
    single = frame["accuracy"].map(lambda text: possible(text, images))
    heights = [
        order[row.stages, row.ssl] + 0.11 * (network[row.model, row.variant] - 2.5)
        for row in frame.itertuples()
    ]
    heights = np.array(heights)
    for keep, colour, mark, label in (
        (single, BLUE, "o", "a count of images rounds to it"),
        (~single, RED, "X", "no count of images rounds to it"),
    ):
        keep = keep.to_numpy()
        ax.scatter(accuracy[keep], heights[keep], color=colour, marker=mark, s=34, label=label)
    titles = [f"{STAGES[stages]}{SSL[ssl]}" for stages, ssl in groups]
    ax.set_yticks(range(len(groups)), titles)
    ax.invert_yaxis()
    ax.set(xlim=(first, last), xlabel=f"accuracy, percent; lines: k of {images} images")
    legend_below(ax, ncols=2)
    return ax


def f1_caps(ax: Axes) -> Axes:
    """Draw the 36 pairs of accuracy and F1 of msatl under the caps of the two classes."""
    covid, other = set_sizes("test")
    frame = f1_table()
    accuracy, f1 = frame["accuracy"].astype(float), frame["f1"].astype(float)
    span = np.linspace(accuracy.min() - 0.5, min(100, accuracy.max() + 0.5), 200)
    errors = (100 - span) / 100 * (covid + other)
    ends = {f"cap for COVID ({covid} images)": (covid, other),
            f"cap for NonCOVID ({other} images)": (other, covid)}  # fmt: skip
    for (label, sizes), dash in zip(ends.items(), DASHES, strict=False):
        ax.plot(span, 100 * f1_cap(errors, *sizes), color="0.25", linestyle=dash, label=label)
    for keep, colour, mark, label in (
        (~frame["above_covid"], BLUE, "o", "within both caps"),
        (frame["above_covid"] & ~frame["above_either"], PALETTE[5], "D", "above the COVID cap"),
        (frame["above_either"], RED, "X", "above both caps"),
    ):
        shown = f"{label}: {int(keep.sum())}"
        ax.errorbar(accuracy[keep], f1[keep], xerr=0.05, yerr=0.05, color=colour, marker=mark,
                    linestyle="", markersize=6, elinewidth=1, label=shown)  # fmt: skip
    ax.set(xlabel="accuracy, percent", ylabel="F1, percent")
    legend_below(ax, ncols=2)
    return ax


def leep_lines(ax: Axes) -> Axes:
    """Draw the LEEP scores of msatl Table 6 with the smallest score that each logarithm allows."""
    rows, least = leep_rows(), leep_bounds().loc["all"]
    colours = {VARIANTS[name]: colour for name, colour in zip(VARIANTS, PALETTE, strict=False)}
    for name, values in rows.iterrows():
        model, _, variant = str(name).partition(" ")
        first = model == MODELS["r50"]
        ax.plot(range(len(values)), values, color=colours[variant], linestyle=DASHES[not first],
                marker=MARKS[not first], markersize=5, label=name)  # fmt: skip
    ax.set_xticks(range(rows.shape[1]), list(rows.columns))
    for unit, text in (("nats", "natural logarithm"), ("bits", "base 2")):
        ax.axhline(least[unit], color="0.25", linewidth=1.5)
        ax.annotate(
            f"smallest with {text}: {least[unit]:.3f}", (0, least[unit]), (0, 4),
            textcoords="offset points", fontsize="small",
        )  # fmt: skip
    ax.set(ylabel="LEEP as printed", ylim=(-1.02, -0.65), xlabel="source stages")
    ax.margins(x=0.06)
    legend_below(ax, ncols=2)
    return ax


def harmonic_gaps(ax: Axes) -> Axes:
    """Draw F1 minus the harmonic mean of SEN and SPC for the 21 rows of each set of magsd."""
    rows = distinct_rows()
    gap = rows["f1"] - harmonic(rows["sen"], rows["spc"])
    for place, dataset in enumerate("ABC"):
        own = gap[rows["dataset"] == dataset].to_numpy()
        offsets = np.linspace(-0.18, 0.18, len(own))
        ax.scatter(place + offsets, own, color=PALETTE[place], marker=MARKS[place], s=30)
    titles = [f"{name}: {len(class_sizes(name))} classes" for name in "ABC"]
    ax.set_xticks(range(3), titles)
    ax.axhline(0, color="0.4", linewidth=1)
    ax.set(ylabel="F1 minus harmonic mean\nof SEN and SPC, points")
    return ax


def spc_ranges(ax: Axes, seed: int = 0) -> Axes:
    """Draw what SPC can be on set B of magsd under two readings, and what is printed.

    Args:
        ax: where to draw.
        seed: of the drawn confusion matrices.
    """
    found = spc_readings("B", seed)
    found = found[found["matrices"] > 0].sort_values("spc")
    places = np.arange(len(found))
    readings = (("specificity", BLUE, 0.17, "TN / (TN + FP)"),
                ("negative_value", GREEN, -0.17, "TN / (TN + FN)"))  # fmt: skip
    for reading, colour, shift, label in readings:
        low, high = found[f"{reading}_low"], found[f"{reading}_high"]
        ax.hlines(places + shift, low, high, color=colour, linewidth=4, label=label)
    ax.plot(found["spc"], places, "k|", markersize=12, markeredgewidth=2, label="printed")
    ax.set_yticks(places, found.index, fontsize="small")
    ax.set(xlabel="macro mean over the three classes, percent")
    legend_below(ax, ncols=3)
    return ax


def image_margins(ax: Axes) -> Axes:
    """Draw accuracy differences of msatl as images, and how many the best case needs."""
    frame = accuracy_margins()
    kinds = list(dict.fromkeys(frame["comparison"]))
    for place, kind in enumerate(kinds):
        own = frame.loc[frame["comparison"] == kind, "images"].sort_values().to_numpy()
        offsets = np.linspace(-0.22, 0.22, len(own))
        ax.scatter(own, place + offsets, color=PALETTE[place], marker=(*MARKS, "D")[place], s=34)
    ax.axvline(images_needed(), color="0.25", linewidth=1.5)
    ax.annotate(f"{images_needed()} images", (images_needed(), 1), (4, -2), va="top",
                xycoords=("data", "axes fraction"), textcoords="offset points",
                fontsize="small")  # fmt: skip
    ax.set_yticks(range(len(kinds)), [kind.replace(", ", ",\n") for kind in kinds])
    ax.invert_yaxis()
    ax.set(xlim=(-0.4, None), xlabel=f"accuracy difference, of {sum(set_sizes())} test images")
    return ax
