"""Where three ResNet50s look (``notebooks/manet/heatmaps.py``)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes

from covidlib import figures, lung_heat
from covidlib.book import Page
from covidlib.data_page import PlainTable
from covidlib.evaluation.resampling import draw
from covidlib.explain import stretch
from covidlib.lung_heat import Explained, Heat
from covidlib.pages.results import NOT_YET, nothing
from covidlib.plans.manet import label
from covidlib.runs.executor import execute
from covidlib.runs.store import Store
from covidlib.tables import run_title

NETWORKS = {
    "resnet50": label("resnet50", "none"),
    "resnet50-mask": label("resnet50", "mask"),
    "resnet50-cbam": label("resnet50", "cbam"),
}
MEASURES = {
    "inside": "heat in the lungs", "edge": "heat at their outline",
    "half": "picture that holds half the heat",
}  # fmt: skip
WITH_HEAT = "maps with heat"
CHANCE = {"inside": "area", "edge": "edge_area"}
CHECK = {"smoke": 2, "laptop": 8, "paper": 8}


def this_run(page: Page) -> tuple[list[Heat], Explained, dict[str, np.ndarray]]:
    """Train, or find, the three networks; return scores, images, and a map per class and network.

    The images are the first of each class among the test images; maps are stretched to them.
    """
    chosen = lung_heat.specs(page.profile, page.phantom, seeds=1)
    store = Store(page.store)
    execute(chosen, store, page.root, profile=page.profile)
    whole = lung_heat.explained(chosen[0], store, page.profile, page.root)
    first = whole.table.drop_duplicates("label").index
    rows = torch.tensor(sorted(first, key=lambda row: int(whole.targets[row])))
    few = whole.take(rows)
    side = tuple(few.lungs.shape[1:])
    scores, maps = [], {}
    for spec in chosen:
        scores.append(lung_heat.measure(spec, store, page.profile, page.root, CHECK[page.profile]))
        network = lung_heat.network_of(spec, store, page.root)
        maps[spec.network.slug] = stretch(lung_heat.maps_of(network, few), side).numpy()
    return scores, few, maps


def draw_heat(axes: np.ndarray, images: Explained, maps: Mapping[str, np.ndarray]) -> None:
    """Draw segmented images and, below, the maps of the three networks (manet figure 9)."""
    pictures = ((images.inputs.images[:, 0].numpy() + 1) / 2 * 255).round().astype(np.uint8)
    for column, picture in enumerate(pictures):
        axes[0, column].imshow(picture, cmap="gray", vmin=0, vmax=255)
        axes[0, column].set_axis_off()
        axes[0, column].set_title(images.classes[int(images.targets[column])], fontsize=9)
        outline = images.lungs[column].numpy()
        for line, heat in enumerate(maps.values(), start=1):
            ax = axes[line, column]
            figures.overlay(ax, picture, heat[column], outline=outline)
            if not heat[column].any():
                ax.set_title("no heat", fontsize=8, loc="center", pad=2)
    for line, name in enumerate(["segmented", *(NETWORKS[slug] for slug in maps)]):
        ax = axes[line, 0]
        ax.text(-0.05, 0.5, name, rotation=90, ha="right", va="center", transform=ax.transAxes,
                fontsize=9)  # fmt: skip


def draw_shares(axes: Sequence[Axes], found: Sequence[Heat], measure: str = "inside") -> None:
    """Draw the scores of all test images, a box per network; a line is what an even map gets."""
    for ax, (kind, heats) in zip(axes, found, strict=True):
        ax.set_title(kind)
        if not heats:
            nothing(ax)
            continue
        tables = {name: _joined(heats, slug) for slug, name in NETWORKS.items()}
        tables = {name: table for name, table in tables.items() if table is not None}
        values = [table[measure].dropna() for table in tables.values()]
        ax.boxplot(values, orientation="vertical", widths=0.5)
        ax.set_xticks(range(1, len(tables) + 1), list(tables), rotation=15)
        if measure in CHANCE:
            even = next(iter(tables.values()))[CHANCE[measure]].mean()
            ax.axhline(even, color="0.4", linestyle="--", linewidth=1)
            ax.text(len(tables) + 0.55, even, "even\nmap", va="center", fontsize=8, color="0.4")
        ax.set_ylabel(f"share: {MEASURES[measure]}")


def _joined(heats: Sequence[Heat], slug: str) -> pd.DataFrame | None:
    """Return a network's scores, means over its trials."""
    tables = [heat.scores for heat in heats if heat.network == slug]
    if not tables:
        return None
    facts = tables[0].set_index("sample")[["patient", "label"]]
    numbers = pd.concat(tables).groupby("sample")[[*MEASURES, *CHANCE.values()]].mean()
    return facts.join(numbers).reset_index()


def table(recorded: Sequence[Heat], here: Sequence[Heat]) -> PlainTable:
    """Return each measure of each network, and its difference from the plain network."""
    lines = {}
    ours_now = run_title(any(heat.provenance["phantom"] for heat in here))
    for kind, heats in (("recorded", recorded), (ours_now, here)):
        for slug, name in NETWORKS.items():
            ours, plain = _joined(heats, slug), _joined(heats, "resnet50")
            if ours is None:
                continue
            row = {WITH_HEAT: f"{ours['inside'].notna().sum()} of {len(ours)}"}
            for measure, title in MEASURES.items():
                row[title] = _shown(ours[measure], ours["patient"], ours["sample"])
                if slug != "resnet50" and plain is not None:
                    gap = ours.set_index("sample")[measure] - plain.set_index("sample")[measure]
                    gap = gap.reindex(ours["sample"]).reset_index(drop=True)
                    row[f"{title}, − plain"] = _shown(gap, ours["patient"], ours["sample"], "+")
            lines[kind, name] = row
    frame = pd.DataFrame.from_dict(lines, orient="index")
    columns = [WITH_HEAT] + [c for t in MEASURES.values() for c in (t, f"{t}, − plain")]
    caption = (
        "Means over the test images whose map has heat, differences over those where both maps "
        "have some; 95% intervals over patients, trials averaged first. "
        "Outline: a band of a sixteenth of the side to both sides of it."
    )
    return PlainTable(frame.reindex(columns=columns), caption)


def _shown(values: pd.Series, patients: pd.Series, samples: pd.Series, sign: str = "") -> str:
    known = values.notna().to_numpy()
    if not known.any():
        return "no heat"
    mean, low, high = interval(values[known], patients.fillna(samples)[known])
    return f"{mean:{sign}.3f} [{low:{sign}.2f}, {high:{sign}.2f}]"


def interval(values: pd.Series, clusters: pd.Series) -> tuple[float, float, float]:
    """Return a mean over images with its 95% interval over patients."""
    numbers = values.to_numpy(float)
    rng = np.random.default_rng(0)
    times = draw(clusters.to_numpy(str), np.zeros(len(numbers)), 2000, rng).astype(float)
    low, high = np.quantile(times @ numbers / times.sum(axis=1), (0.025, 0.975))
    return float(numbers.mean()), float(low), float(high)


def draw_randomised(axes: Sequence[Axes], found: Sequence[tuple[str, Sequence[Heat]]]) -> None:
    """Draw how like its trained self each map stays while layers lose their training."""
    for ax, (kind, heats) in zip(axes, found, strict=True):
        ax.set_title(kind)
        if not heats:
            nothing(ax)
            continue
        falls = {
            name: [list(heat.randomised.values()) for heat in heats if heat.network == slug]
            for slug, name in NETWORKS.items()
        }
        for name, look in figures.looks([name for name, found in falls.items() if found]):
            mean = np.mean(falls[name], axis=0)
            ax.plot(np.linspace(0, 1, len(mean)), mean, label=name, linewidth=2, **look)
        ax.axhline(0, color="0.7", linewidth=1)
        ax.set(xlabel="share of layers without training, last first", ylim=(-1.05, 1.05))
        ax.set_ylabel("rank correlation")
        figures.legend_below(ax, ncols=1)


def sentences(recorded: Sequence[Heat], here: Sequence[Heat]) -> dict[str, str]:
    """Return the numbers of the page's sentences, as text."""
    told = {}
    for kind, heats in (("recorded", recorded), ("here", here)):
        for slug in NETWORKS:
            name = f"{kind}_{slug.removeprefix('resnet50').strip('-') or 'plain'}"
            table = _joined(heats, slug)
            known = None if table is None else table["inside"].dropna()
            empty = known is None or known.empty
            told[name] = NOT_YET if empty else f"{known.mean():.2f}"
            told[f"{name}_maps"] = "none" if empty else f"{len(known)} of {len(table)} maps"
        first = _joined(heats, "resnet50")
        told[f"{kind}_area"] = "–" if first is None else f"{first['area'].mean():.2f}"
        told[f"{kind}_count"] = "0" if first is None else f"{len(first)}"
    return told
