"""The ResNet50s of manet on other collections (``notebooks/manet/classification.py``)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from covidlib import elsewhere
from covidlib.book import Page
from covidlib.data_page import PlainTable
from covidlib.elsewhere import Elsewhere
from covidlib.pages.manet_heatmaps import NETWORKS
from covidlib.pages.results import NOT_YET, format_effect
from covidlib.plans import plan
from covidlib.runs.executor import execute
from covidlib.runs.store import Store
from covidlib.tables import run_title


def this_run(page: Page) -> list[Elsewhere]:
    """Train, or find, the three ResNet50s, and ask them."""
    specs = plan(elsewhere.PLAN, page.profile, phantoms=page.phantom, seeds=1).specs
    store = Store(page.store)
    execute(specs, store, page.root, profile=page.profile)
    dataset = elsewhere.images(specs[0], page.root)
    return [elsewhere.measure(spec, store, page.profile, page.root, dataset) for spec in specs]


def table(recorded: Sequence[Elsewhere], here: Sequence[Elsewhere]) -> PlainTable:
    """Return which share of each class every network names rightly, and the gain over plain."""
    lines = {}
    ours_now = run_title(any(one.provenance["phantom"] for one in here))
    for kind, found in (("recorded", recorded), (ours_now, here)):
        for slug, name in NETWORKS.items():
            own = [one for one in found if one.network == slug]
            lines[kind, name] = _line(own, found, slug) if own else {"right": NOT_YET}
    frame = pd.DataFrame.from_dict(lines, orient="index")
    columns = [*elsewhere.CLASSES, "balanced accuracy", "− plain"]
    note = (
        "Shares named rightly, means over trials, with 95% intervals over patients; a network that "
        "always says COVID-19 has a balanced accuracy of 0.333. Last column: paired, over patients "
        "and trials."
    )
    shown = frame.reindex(columns=columns)
    return PlainTable(shown.fillna({columns[0]: frame.get("right", pd.Series(dtype=str))}), note)


def _line(own: Sequence[Elsewhere], found: Sequence[Elsewhere], slug: str) -> dict[str, str]:
    shares = [elsewhere.recalls(one.predictions) for one in own]
    mean = pd.DataFrame(np.mean(shares, axis=0), columns=shares[0].columns)
    mean["balanced accuracy"] = mean.mean(axis=1)
    line = {}
    for name, values in mean.items():
        low, high = values.iloc[1:].quantile([0.025, 0.975])
        line[name] = f"{values.iloc[0]:.3f} [{low:.2f}, {high:.2f}]"
    gained = elsewhere.gain(found, slug, "resnet50") if slug != "resnet50" else None
    return line if gained is None else line | {"− plain": format_effect(gained)}


def sentences(recorded: Sequence[Elsewhere], here: Sequence[Elsewhere]) -> dict[str, object]:
    """Return the numbers of the page's sentences."""
    gained = elsewhere.gain(recorded, "resnet50-mask", "resnet50")
    return {
        "elsewhere_images": len(here[0].predictions),
        "elsewhere_gain": NOT_YET if gained is None else format_effect(gained),
        "elsewhere_pneumonias": _pneumonias(recorded),
    }


def _pneumonias(recorded: Sequence[Elsewhere]) -> str:
    """Say how often each network names a pneumonia, whatever the image shows."""
    told = []
    for slug, name in NETWORKS.items():
        answers = [elsewhere.answers(one.predictions) for one in recorded if one.network == slug]
        if answers:
            named = pd.concat(answers).isin(elsewhere.PNEUMONIAS)
            told.append(f"{name} in {named.sum()} of {len(named):,}")
    return ", ".join(told) or NOT_YET
