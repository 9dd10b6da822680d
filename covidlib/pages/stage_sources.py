"""What the stages before the target see, and their recipes (msatl sec. 4, 6.1 and 6.2)."""

import numpy as np
import pandas as pd

from covidlib.book import Page
from covidlib.pages.without_transfer import drops
from covidlib.plans import Plan, plan
from covidlib.plans.plan import Row
from covidlib.runs.spec import RunSpec
from covidlib.training.data import training_data

NATURAL, CHAINS = "msatl/supervised_transfer", "msatl/leep_scores"


def chains(profile: str) -> dict[str, RunSpec]:
    """Return R-50's runs after all stages: from the paper's own images, and from a profile's."""
    names = {"paper": "paper", "here": profile}
    return {
        words: plan("msatl/overall", name, phantoms=False).specs[0] for words, name in names.items()
    }


def medical(profile: str, phantoms: bool) -> list[Row]:
    """Return the rows whose runs are STL-M after STL-N."""
    chosen: Plan = plan(CHAINS, profile, phantoms=phantoms)
    return [row for row in chosen.rows if dict(row.cell)["stages"] == "stl_n+stl_m"]


def stages(page: Page) -> tuple[RunSpec, RunSpec]:
    """Return R-50's STL-N and the STL-M that follows it, at the page's profile."""
    natural = plan(NATURAL, page.profile, phantoms=page.phantom).rows[0].specs[0]
    return natural, medical(page.profile, page.phantom)[0].specs[0]


def seen_table(page: Page) -> pd.DataFrame:
    """Return which images the stages of this page see, beside the paper's (msatl sec. 6.1, 6.2)."""
    columns = {
        "STL-N, paper": ("ImageNet ILSVRC 2012", 1000, "1,200,000", "–", "50,000"),
        "STL-M, paper": ("COVIDx", 3, "14,198 in all", "–", "–"),
    }
    for spec in stages(page):
        data = training_data(spec.data, page.root)
        counts = [f"{len(data.rows(split)):,}" for split in ("train", "val", "test")]
        name = f"{data.dataset.name}{' (drawn)' if data.dataset.phantom else ''}"
        columns[f"{_name(spec)}, here"] = (name, len(data.classes), *counts)
    index = ["images", "classes", "to learn from", "to look at while learning", "to score"]
    order = ["STL-N, paper", "STL-N, here", "STL-M, paper", "STL-M, here"]
    return pd.DataFrame(columns, index=index)[order]


def _name(spec: RunSpec) -> str:
    return spec.stage.upper()


def settings_table(profile: str) -> pd.DataFrame:
    """Set the recipe of both stages beside the paper's (msatl sec. 6.2)."""
    columns = {}
    for number, stage in enumerate(("STL-N", "STL-M")):
        for name in ("paper", profile):
            rows = plan(NATURAL, name, phantoms=False).rows, medical(name, False)
            title = "paper" if name == "paper" else f"profile {name}"
            columns[f"{stage}, {title}"] = _recipe(rows[number][0].specs[0])
    return pd.DataFrame(columns)


def _recipe(spec: RunSpec) -> dict[str, str]:
    chosen = spec.training
    return {
        "images scaled to": f"{spec.data.preprocessing.size}²",
        "enters the network": f"{chosen.size}²",
        "colour": "kept" if spec.data.preprocessing.colour else "grey, repeated",
        "normalisation": chosen.normalisation,
        "epochs": str(chosen.epochs),
        "batch": str(chosen.batch),
        "learning rate": f"{chosen.lr:g}",
        "divided by 10 after epochs": drops(chosen),
        "weight decay, momentum": f"{chosen.weight_decay:g}, {chosen.momentum:g}",
        "pooled features dropped": f"{spec.network.dropout:g}",
    }


def pictures(page: Page, per_stage: int = 6) -> list[tuple[str, list[np.ndarray], list[str]]]:
    """Return some training images of each stage as its cache holds them, with their classes."""
    found = []
    for spec in stages(page):
        data = training_data(spec.data, page.root)
        table = data.table.iloc[data.rows("train").numpy()]
        chosen = table.drop_duplicates("label").sort_values("label").index
        chosen = chosen[np.linspace(0, len(chosen) - 1, min(per_stage, len(chosen))).astype(int)]
        if len(chosen) < per_stage:  # three classes: two images of each
            chosen = (
                table.groupby("label").head(per_stage // len(chosen)).sort_values("label").index
            )
        images = [np.asarray(data.cached.images[row]) for row in chosen]
        images = [image.transpose(1, 2, 0) if image.ndim == 3 else image for image in images]
        found.append((_name(spec), images, list(data.table.loc[chosen, "label"])))
    return found
