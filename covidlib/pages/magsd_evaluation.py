"""What the evaluation of the released code says (``notebooks/magsd/distribution.py``)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from covidlib.book import Page
from covidlib.data import open_dataset
from covidlib.data.splits import split_table
from covidlib.data_page import PlainTable
from covidlib.evaluation.metrics import score
from covidlib.evaluation.predictions import scored
from covidlib.evaluation.resampling import draw
from covidlib.pages.magsd_imbalance import weighted_tests
from covidlib.pages.magsd_results import whole
from covidlib.pages.results import NOT_YET, Results, phantom_note
from covidlib.plans.magsd import PROPOSED
from covidlib.plans.magsd_ours import BY_IMAGE, NETWORKS, WEIGHTED
from covidlib.plans.magsd_runs import FOLDS, PHANTOM
from covidlib.protocol_scores import (
    BATCHES,
    REPEATS,
    ProtocolScores,
    mean_negative_value,
    score_run,
)
from covidlib.published import paper_value
from covidlib.runs.record import Record
from covidlib.runs.store import Store
from covidlib.training.data import training_data

SMALL = {"repeats": 2, "batches": 2}  # of a page that has seconds
Scores = Mapping[str, ProtocolScores]


def quick(cell: Mapping[str, str]) -> bool:
    """Say which rows a page trains in seconds: those of Table 3, and ResNet50 changed."""
    return cell["variant"] == "plain" or cell["model"] == "resnet50"


def scores_here(page: Page, runs: Results) -> dict[str, ProtocolScores]:
    """Score this run's networks as the released code does; a small page with fewer draws."""
    store, found = Store(page.store), {}
    size = SMALL if page.profile == "smoke" else {"repeats": REPEATS, "batches": BATCHES}
    for row in runs.chosen.rows:
        for spec, record in zip(row.specs, runs.done.get(row.label, ()), strict=False):
            data = training_data(spec.data, page.root)
            found[record.key] = score_run(store.get(spec), spec, data, page.profile, **size)
    return found


def right(record: Record) -> pd.Series:
    """Return which test images a run classified rightly, 1 or 0 by sample."""
    test = scored(record.predictions)
    return pd.Series((test.predicted == test.truth).astype(float), test.samples)


def shares(records: Sequence[Record], scores: Scores | None) -> pd.Series:
    """Return each image's share of right answers: of one look at it, or of all draws of it."""
    if scores is None:
        parts = [right(record) for record in records]
    else:
        parts = [scores[record.key].shares for record in _scored(records, scores)]
    return pd.concat(parts) if parts else pd.Series(dtype=float)


def gap(before: pd.Series, after: pd.Series, records: Sequence[Record]) -> tuple[float, ...] | str:
    """Return after minus before on the same images: mean and 95% interval over patients.

    Patients are drawn within their class, as in the intervals of the other tables;
    ``covidlib.evaluation.contrasts.paired`` draws from all of them together.

    Args:
        before, after: shares by sample; every image of the second must be in the first.
        records: runs that tested these images, for patients and labels.
    """
    if after.empty or before.empty:
        return NOT_YET
    if not after.index.isin(before.index).all():
        return "other images: needs all folds"
    tables = pd.concat([record.test for record in records]).drop_duplicates("sample")
    who = tables.set_index("sample").loc[after.index]
    clusters = who["patient"].fillna(pd.Series(who.index, who.index)).to_numpy(str)
    weights = draw(clusters, who["label"].to_numpy(str), 2000, np.random.default_rng(0))
    gaps = (after - before[after.index]).to_numpy()
    drawn = (weights @ gaps) / weights.sum(1)
    return (float(gaps.mean()), *(float(q) for q in np.quantile(drawn, [0.025, 0.975])))


def protocol_table(runs: Results, kept: Scores, here: Scores) -> PlainTable:
    """Return accuracies of both networks under the honest and the released evaluation.

    Args:
        runs: of ``magsd/image_folds``.
        kept: recorded scores of the released test, by key.
        here: those of this run.
    """
    lines = {}
    for name in NETWORKS:
        honest = runs.known.get(f"A: {name}", ())
        for label, folds in ((name, "patients whole"), (f"{name}, {BY_IMAGE}", "of images")):
            known, done = (source.get(f"A: {label}", ()) for source in (runs.known, runs.done))
            for test, again in (("each image once", False), ("augmented, drawn again", True)):
                own = shares(known, kept if again else None)
                line = {
                    "recorded": f"{own.mean():.3f}" if len(own) else NOT_YET,
                    "recorded folds": str(len(_scored(known, kept) if again else known)),
                    "difference": _difference(shares(honest, None), own, [*honest, *known]),
                    "between tests": _between(known, kept) if again else None,
                    "this run": _mean(shares(done, here if again else None)),
                }
                if (folds, again) == ("patients whole", False):
                    line["difference"] = None
                lines[name, folds, test] = line
    frame = pd.DataFrame.from_dict(lines, orient="index")
    frame.index = pd.MultiIndex.from_tuples(frame.index, names=["network", "folds", "test images"])
    note = (
        "Accuracy on A over the images of all folds together. Difference to the first line of the "
        "network, on the images of the line's own folds, with a 95% interval over patients; each "
        "fold is trained once. Between tests: "
        "standard deviation of the accuracy between repeats of the released test on the same "
        "weights."
    )
    return PlainTable(frame, note + _drawn(runs))


def _difference(before: pd.Series, after: pd.Series, records: Sequence[Record]) -> str:
    found = gap(before, after, records)
    if isinstance(found, str):
        return found
    return f"{found[0]:+.3f} [{found[1]:+.3f}, {found[2]:+.3f}]"


def _mean(own: pd.Series) -> str | None:
    return f"{own.mean():.3f}" if len(own) else None


def _scored(records: Sequence[Record], scores: Scores) -> list[Record]:
    return [record for record in records if record.key in scores]


def _between(records: Sequence[Record], scores: Scores) -> str | None:
    found = [scores[record.key].spread() for record in _scored(records, scores)]
    return f"{np.mean(found):.3f}" if found else None


def specificity_table(runs: Results, kept: Scores, here: Scores) -> PlainTable:
    """Return what may be called specificity on A, of MAG-SD's runs, beside what the paper prints.

    All lines are of the runs whose released test is scored; of all runs where none is.

    Args:
        runs: of ``magsd/image_folds``.
        kept, here: scores of the released test, recorded and of this run.
    """
    label = f"A: {PROPOSED}"
    ways = {
        "TN / (TN + FP), as the text has it": lambda r, s: [score(r.predictions, "specificity")[0]],
        "TN / (TN + FN), mean over classes": lambda r, s: [mean_negative_value(r.predictions)],
        "the same, images augmented and drawn again": lambda r, s: [
            one["specificity"] for one in (s[r.key].repeats if r.key in s else ())
        ],
    }
    printed = paper_value("magsd", 3, "specificity", model="magsd", dataset="A").value
    lines = {}
    for name, way in ways.items():
        line = {"paper's SPC": f"{printed:.3f}"}
        for column, source, scores in (
            ("recorded", runs.known, kept),
            ("this run", runs.done, here),
        ):
            records = source.get(label, ())
            records = _scored(records, scores) or records
            values = [v for record in records for v in way(record, scores)]
            line[column] = _mean_of(values) if values else NOT_YET
            if source is runs.known:
                line["recorded folds"] = str(len(records) if values else 0)
        lines[name] = line
    note = (
        "MAG-SD on A, mean over the folds whose released test is scored; COVID-19 is positive. The "
        "paper prints one number."
    )
    frame = pd.DataFrame.from_dict(lines, orient="index").rename_axis(None)
    return PlainTable(frame, note + _drawn(runs))


def _drawn(runs: Results) -> str:
    return phantom_note(record for records in runs.done.values() for record in records)


def _mean_of(values: Sequence[float]) -> str:
    found = [value for value in values if not np.isnan(value)]
    return f"{np.mean(found):.3f}" if found else "undefined: all images in one class"


def torn(page: Page) -> dict[str, float]:
    """Return the share of A's test images whose patient is in training too, by scheme of folds."""
    table = open_dataset("magsd-a", page.root, phantom=PHANTOM if page.phantom else None).table
    found = {}
    for name, scheme in (("patients", "kfold"), ("images", "kfold-images")):
        seen = []
        for fold in range(FOLDS):
            split = split_table(table, scheme, seed=0, fold=fold, folds=FOLDS)
            learnt = set(split.loc[split["split"] == "train", "patient"].dropna())
            seen.append(split.loc[split["split"] == "test", "patient"].isin(learnt))
        found[f"torn_{name}"] = float(pd.concat(seen).mean())
    return found


def torn_recorded(records: Sequence[Record]) -> str:
    """Return the share of test images whose patient a recorded network of the folds learnt from.

    An image that a fold neither tested nor validated is one that it learnt.
    """
    if not records or not whole(records):
        return NOT_YET
    every = pd.concat([record.test for record in records])
    seen = []
    for record in records:
        learnt = every[~every["sample"].isin(record.predictions["sample"])]
        seen.append(record.test["patient"].isin(set(learnt["patient"].dropna())))
    return f"{pd.concat(seen).mean():.0%}"


def sentences(page: Page, weighted: Results, runs: Results, kept: Scores) -> dict[str, object]:
    """Return the numbers of the page's sentences."""
    tests = weighted_tests(weighted).frame
    own = runs.known.get(f"A: {PROPOSED}", ())
    torn_runs = runs.known.get(f"A: {PROPOSED}, {BY_IMAGE}", ())
    plain = runs.known.get(f"A: ResNet50, {BY_IMAGE}", ())
    return torn(page) | {
        "torn_recorded": torn_recorded(torn_runs or plain),
        "weighted": tests.loc[f"A: {PROPOSED}, {WEIGHTED}", "accuracy"],
        "again": _difference(shares(own, None), shares(own, kept), own),
        "again_folds": len(_scored(own, kept)),
        "released": _difference(shares(own, None), shares(torn_runs, kept), [*own, *torn_runs]),
    }
