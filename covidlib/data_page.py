"""Tables of the data pages: counts, file properties, leaks and floors, paper and record beside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import pandas as pd

from covidlib.data.findings import Findings
from covidlib.data.floors import FLOORS
from covidlib.data.leaks import described
from covidlib.data.lookalikes import closest_pairs, look_at
from covidlib.data.table import Dataset
from covidlib.published import claims, paper_values
from covidlib.tables import NOTHING, STYLE, ComparisonTable, Row, comparison_table, run_title
from covidlib.verdicts import ABOVE, BELOW, REPRODUCED

METRICS = ("accuracy", "f1", "auc")
SETS = {"train": "training", "val": "validation", "test": "test"}
# Which claim of msatl states which count.
CLAIMED = {
    ("train", "COVID"): "msatl-D08",
    ("train", "NonCOVID"): "msatl-D09",
    ("val", "COVID"): "msatl-D10",
    ("val", "NonCOVID"): "msatl-D11",
    ("test", "COVID"): "msatl-D12",
    ("test", "NonCOVID"): "msatl-D13",
}
SIDES = {"shortest side, pixels": "msatl-D14", "longest side, pixels": "msatl-D15"}


@dataclass(frozen=True)
class PlainTable:
    """A table of text that looks like the book's tables of results.

    Args:
        frame: any values; missing ones are shown as a dash.
        caption: one or two sentences below it.
    """

    frame: pd.DataFrame
    caption: str = ""

    def _repr_html_(self) -> str:
        text = self.frame.astype(object).where(self.frame.notna(), NOTHING).map(str)
        text = text.replace(r"\[(\S+), (\S+)\]", "[\\1,\N{NO-BREAK SPACE}\\2]", regex=True)
        table = text.to_html(border=0, classes="dataframe")
        if self.caption:
            caption = f"<caption>{escape(self.caption)}</caption>"
            table = table.replace("<thead>", f"{caption}<thead>", 1)
        frame = '<div class="paper-table facts" role="region" aria-label="facts" tabindex="0">'
        return f"<style>{STYLE}</style>\n{frame}\n{table}\n</div>"

    def __repr__(self) -> str:
        return self.frame.to_string()


def counts_table(recorded: Findings, found: Findings) -> PlainTable:
    """Set the paper's counts and sizes beside the recorded ones and this run's.

    A count is not a sample: the verdict is whether the recorded number is the printed one.

    Args:
        recorded: of the real COVID19-CT.
        found: of the images at hand.
    """
    values = claims("msatl").set_index("id")["value"]
    printed = values[[*CLAIMED.values(), *SIDES.values()]].astype(int)
    rows = {}
    for (part, label), claim in CLAIMED.items():
        ours = [int(facts.counts.loc[label, part]) for facts in (recorded, found)]
        rows[f"{SETS[part]} set, {label}, images"] = _counted(printed[claim], *ours)
    for place, (name, claim) in enumerate(SIDES.items()):
        rows[name] = _counted(printed[claim], recorded.sides[place], found.sides[place])
    frame = pd.DataFrame.from_dict(rows, orient="index").rename_axis(None)
    return PlainTable(_marked(frame, found), "Paper: section 6.1. Recorded: the original files.")


def _counted(paper: int, recorded: int, this_run: int) -> dict[str, object]:
    verdict = REPRODUCED if recorded == paper else BELOW if recorded < paper else ABOVE
    return {"paper": paper, "recorded": recorded, "this run": this_run, "verdict": verdict}


def _marked(frame: pd.DataFrame, found: Findings) -> pd.DataFrame:
    if not found.provenance["phantom"]:
        return frame
    return frame.assign(**{"this run": "phantoms: " + frame["this run"].astype(str)})


def classes_table(recorded: Findings, found: Findings) -> PlainTable:
    """Describe the files of each class, recorded and at hand; ranges are followed by medians."""
    here = run_title(found.provenance["phantom"])
    frame = pd.concat({"recorded": recorded.classes, here: found.classes}, axis=1, sort=False)
    return PlainTable(frame, "Ranges: lowest to highest, the median in brackets.")


def leaks_table(recorded: Findings, found: Findings) -> PlainTable:
    """Set the recorded audit beside this run's; see ``LeakReport.summary`` for the columns."""
    here = run_title(found.provenance["phantom"])
    chosen = ["train-val", "train-test", "val-test", "test images", "opposite labels"]
    frames = {"recorded": recorded.leaks[chosen], here: found.leaks[chosen]}
    note = "Shared by two sets; test images: those with a counterpart outside the test set."
    return PlainTable(pd.concat(frames, names=["", " "]), note)


def floors_table(recorded: Findings, found: Findings) -> ComparisonTable:
    """Set the floors under the paper's first and best row of Table 4.

    There is no verdict: no paper prints a floor, and the paper's rows are judged where the
    networks are trained.
    """
    ends = {
        "paper's R-50, no transfer": {"model": "r50", "variant": "baseline", "stages": "none"},
        "paper's best, R-101 5 ATTNs": {"model": "r101", "variant": "attn5", "stages": "full"},
    }
    rows = [
        Row(name, paper=paper_values("msatl", 4, METRICS, **where)) for name, where in ends.items()
    ]
    rows += [
        Row(f"floor: {name}", recorded=recorded.measured(name), this_run=found.measured(name))
        for name in FLOORS
    ]
    table = comparison_table(rows, METRICS)
    return ComparisonTable(table.frame.assign(verdict=""))


def exploitable_table() -> PlainTable:
    """Say of each floor what it knows and whether a network could use it."""
    rows = {
        name: {"a network could use it": floor.exploitable, "because": floor.why}
        for name, floor in FLOORS.items()
    }
    return PlainTable(pd.DataFrame.from_dict(rows, orient="index"))


def curves(
    found: Findings, names: Sequence[str] = tuple(FLOORS)[1:]
) -> Mapping[str, Sequence[pd.DataFrame]]:
    """Return the predictions of the floors whose ROC curves are not a diagonal by design."""
    return {name: found.runs[name] for name in names}


def most_alike(found: Findings, dataset: Dataset, count: int = 4) -> pd.DataFrame:
    """Return the worst pairs of an audit; where it found none, the most similar images.

    Args:
        found: fresh findings of the data set; those that were kept have no paths.
        dataset: where the images are.
        count: how many pairs.

    Returns:
        See ``covidlib.data.leaks.described``.
    """
    if len(found.pairs):
        return found.pairs.head(count)
    looks = look_at(dataset.table["sample"], dataset.table["path"])
    return described(closest_pairs(looks, count), dataset.table)


def across_table(recorded: Findings) -> PlainTable:
    """List the recorded pairs of images that are alike and in different sets."""
    pairs = recorded.pairs[recorded.pairs["across"]]
    frame = pd.DataFrame(
        {
            f"image {side}": [
                f"{Path(sample).name}: {SETS[part]}, {label}"
                for sample, part, label in zip(
                    pairs[f"sample_{side}"], pairs[f"split_{side}"], pairs[f"label_{side}"],
                    strict=True,
                )
            ]
            for side in "ab"
        }
    )  # fmt: skip
    frame["differing bits"] = pairs["distance"].to_numpy()
    frame["correlation"] = pairs["correlation"].map("{:.3f}".format).to_numpy()
    frame.index = range(1, len(frame) + 1)
    return PlainTable(frame, "Recorded: near-duplicates in different sets, with set and label.")


def sentences(recorded: Findings) -> dict[str, float]:
    """Return the recorded numbers that the page's sentences quote, by the names they are glued."""
    papers = recorded.sources[recorded.sources["labels"] == "COVID"]
    pairs = recorded.pairs[recorded.pairs["across"] & recorded.pairs["opposite"]]
    tested = {
        sample
        for side in "ab"
        for sample in pairs.loc[pairs[f"split_{side}"] == "test", f"sample_{side}"]
    }
    best = paper_values("msatl", 4, METRICS, model="r101", variant="attn5", stages="full")
    quoted = {
        "papers": int(recorded.classes.loc["sources", "COVID"]),
        "collections": int(recorded.classes.loc["sources", "NonCOVID"]),
        "papers_shared": len(papers),
        "papers_images": int(papers["test"].sum()),
        "opposite": len(tested),
        "shortest": recorded.sides[0],
        "longest": recorded.sides[1],
        "test_images": int(recorded.counts["test"].sum()),
    }
    for short, floor in (("floor", "all file properties"), ("grey", "grey statistics")):
        for metric, found in recorded.measured(floor).intervals.items():
            quoted[f"{short}_{metric}"] = found.value
    return quoted | {f"paper_{metric}": value.value for metric, value in best.items()}
