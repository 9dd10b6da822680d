"""What recorded short runs found of learning rates, on validation images."""

import pandas as pd

from covidlib.book import Page
from covidlib.data_page import PlainTable
from covidlib.pages.results import NOT_YET
from covidlib.plans import plan
from covidlib.runs.recorded import rows

COLUMNS = {"loss": "val_loss", "accuracy": "val_accuracy", "AUC": "val_auc"}


def judges(page: Page, name: str = "magsd/learning_rate") -> dict[str, str]:
    """Return how many validation images tell between the recorded rates of a plan."""
    known = rows(plan(name, "laptop", phantoms=False), page.recorded).values()
    counts = {(r.predictions["split"] == "val").sum() for records in known for r in records}
    return {"validation_images": " or ".join(map(str, sorted(counts))) or NOT_YET}


def rate_table(page: Page, name: str) -> PlainTable:
    """Return how the last validated epoch of each run of a plan did on the validation images.

    Args:
        page: whose records are read.
        name: of a plan whose rows differ in their rate.
    """
    lines = {}
    for label, records in rows(plan(name, "laptop", phantoms=False), page.recorded).items():
        for record in records:
            last = record.curve.dropna().iloc[-1]
            shown = {title: f"{last[column]:.3f}" for title, column in COLUMNS.items()}
            lines[label] = {"epochs": int(last["epoch"]) + 1} | shown
    frame = pd.DataFrame.from_dict(lines, orient="index", columns=["epochs", *COLUMNS])
    caption = (
        "Recorded, one run each, on validation images; test images of the same split took no part."
        if lines
        else f"Rates: {NOT_YET}."
    )
    return PlainTable(frame, caption)
