"""The model card: one HTML file that says what a model is, what it is worth, what it is not for."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from covidlib import figures
from covidlib.evaluation import Interval, confusion, intervals, per_class, score
from covidlib.evaluation.calibration import (
    at_temperature,
    brier,
    calibration_error,
    chance_error,
)
from covidlib.evaluation.contrasts import Effect, contrast
from covidlib.own_images import html
from covidlib.own_images.auditing import SIGHT, Audit
from covidlib.own_images.choosing import Choice
from covidlib.own_images.modality import NAMES
from covidlib.own_images.model import Model, temperature_of
from covidlib.own_images.opening import positive_last
from covidlib.own_images.predicting import BINS
from covidlib.own_images.report import sections, summary
from covidlib.runs.record import Record
from covidlib.tables import format_interval

METRICS = ("accuracy", "auc", "sensitivity", "specificity", "f1")
SHOWN = {"auc": "AUC", "f1": "F1"}
EXAMPLES = 4
NOT_FOR = (
    "decisions about any patient: nothing here was tested in a clinic",
    "images of other hospitals, scanners, ages or views than those counted below: a change of "
    "source alone can make it worthless",
    "other diseases: every image is given one of the classes, whatever it shows",
    "telling how common a disease is: its probabilities hold at the mix of classes that it was "
    "tested on",
    "pointing at lesions: a heatmap says where the network looked, not what is there",
)


def measured(record: Record, positive: str | None) -> dict[str, Interval]:
    """Return the metrics of the test images with 95% intervals over patients."""
    return intervals(positive_last(record.predictions, positive), METRICS)


def of_one_run(interval: Interval) -> str:
    """Write a metric of one run, without the number of runs, which reads like one of images."""
    return format_interval(interval).removesuffix(" (n=1)")


def against_floors(record: Record, audit: Audit, metric: str = "auc") -> dict[str, Effect]:
    """Return the network's metric minus each floor's, on the same test images.

    Empty if these images do not define the metric.
    """
    positive = audit.inspection.own.positive
    network = positive_last(record.test, positive)
    if score(network, metric).reason:
        return {}
    floors = {
        name: [positive_last(run, positive) for run in runs]
        for name, runs in audit.findings.runs.items()
    }
    return {
        name: contrast([[(1, [network]), (-1, runs)]], metric, resamples=500)
        for name, runs in floors.items()
    }


def verdict(record: Record, audit: Audit) -> str:
    """Say in one sentence whether the network is better than every floor.

    What decides is the floor that the network is least surely above, which need not be the best.
    """
    gains = against_floors(record, audit)
    if not gains:
        return "The test images cannot decide an AUC."
    name, gain = min(gains.items(), key=lambda item: item[1].low)
    seen = f"a classifier that sees only {SIGHT.get(name, name)}"
    text = f"its AUC minus that of {seen} is {gain.value:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}]"
    if gain.low > 0:
        return f"The network is better than every classifier that knows no anatomy: {text}."
    return f"It is not shown that the network uses the lungs at all: {text}."


def calibration_table(record: Record, positive: str | None) -> pd.DataFrame:
    """Return calibration error and Brier score of the test images, before and after.

    The calibration error stands beside what chance makes of probabilities that are all true.
    """
    cooled = temperature_of(record)
    given = positive_last(record.test, positive)
    rows = {"as the network gives them": given}
    if cooled is not None:
        rows[f"at temperature {cooled.value:.2f}"] = at_temperature(given, cooled.value)
    return pd.DataFrame.from_dict(
        {
            name: {
                "calibration error": f"{calibration_error(seen, BINS):.3f}",
                "expected by chance": f"{chance_error(seen, BINS):.3f}",
                "Brier score": f"{brier(seen):.3f}",
            }
            for name, seen in rows.items()
        },
        orient="index",
    )


def model_card(model: Model, audit: Audit, choice: Choice | None) -> str:
    """Return the model card as one HTML file."""
    name = audit.inspection.own.dataset.name
    return html.document(f"Model card: {name}", _sections(model, audit, choice))


def _sections(model: Model, audit: Audit, choice: Choice | None) -> Iterator[str]:
    record, positive = model.record, audit.inspection.own.positive
    if record.phantom:
        yield html.paragraph("Trained on phantoms: drawn images, not patients.", "warning")
    yield html.paragraph("Research only. This model must not be used for:", "warning")
    yield html.listing(("not", text) for text in NOT_FOR)
    yield html.heading("The model")
    yield html.table(_facts(model, audit))
    yield html.heading("How good it is")
    yield html.paragraph(verdict(record, audit))
    yield from _quality(record, audit, positive)
    yield html.heading("Calibration")
    yield from _calibration(record, positive)
    yield from _heatmaps(model, audit)
    yield html.heading("The images it was made from")
    yield html.paragraph(summary(audit))
    yield html.listing((remark.kind, remark.text) for remark in audit.remarks)
    yield from sections(audit)
    if choice is not None:
        yield html.heading("How the start was chosen")
        yield html.table(choice.scores.round(3), f"Scores of {choice.images} training images.")


def _facts(model: Model, audit: Audit) -> pd.DataFrame:
    facts, spec = model.record.provenance, model.spec
    rows = {
        "classes": ", ".join(model.classes),
        "looked for": audit.inspection.own.positive or "every class against the others",
        "modality": NAMES[audit.inspection.modality],
        "network": spec.network.slug,
        "started from": spec.init.key if spec.init else "random weights",
        "training": f"{spec.training.epochs} epochs, {spec.training.size} pixels, batch "
        f"{spec.training.batch}, rate {spec.training.lr:.4g}",
        "profile": facts["profile"],
        "seed": spec.seed,
        "run": model.record.key,
        "images": f"SHA-256 {facts['fingerprint'][:16]}…",
        "library": f"{facts['versions'].get('covidlib', 'source tree')}, {facts['commit'][:8]}",
        "made": f"{facts['started']}, {facts['seconds']:.0f} s, {facts['hardware']}",
    }
    return pd.DataFrame({"of this model": rows}).rename_axis("what")


def _quality(record: Record, audit: Audit, positive: str | None) -> Iterator[str]:
    found = measured(record, positive)
    rows = {SHOWN.get(name, name): of_one_run(interval) for name, interval in found.items()}
    count = found["accuracy"].images
    note = f"{count} test images; 95% intervals over patients"
    which = f"; sensitivity: of {positive}." if positive else "; means over classes."
    yield html.table(pd.DataFrame({"test images": rows}), note + which)
    given = positive_last(record.test, positive)
    yield html.table(per_class(given).round(3), "By class.")
    with figures.style():
        fig, axes = plt.subplots(1, 2 if positive else 1, figsize=(9, 5.2), squeeze=False)
        figures.confusion(axes[0, 0], confusion(given))
        if positive:
            draw_roc(axes[0, 1], record, audit)
        _stamp(fig, record)
        alternative = "Confusion matrix" + (" and ROC curve with floors" if positive else "")
        words = f"{alternative}. {in_words(confusion(given))}"
        yield html.figure(fig, words, f"{alternative} of the test images.")


def in_words(counts: pd.DataFrame) -> str:
    """Say what a confusion matrix shows, for those who do not see it."""
    lines = [
        f"Of {row.sum()} {actual}: "
        + ", ".join(f"{count} called {name}" for name, count in row.items() if count)
        for actual, row in counts.iterrows()
    ]
    return "; ".join(lines) + "."


def draw_roc(ax: Axes, record: Record, audit: Audit) -> Axes:
    """Draw the ROC curve of the test images beside two floors; the first class where many are."""
    own = audit.inspection.own
    positive = own.positive or own.dataset.classes[0]
    shown = {
        name: [positive_last(run, own.positive) for run in audit.findings.runs[name]]
        for name in ("grey statistics", "size and shape")
    }
    given = {"network": positive_last(record.test, own.positive)}
    return figures.roc_curves(ax, given, floors=shown, positive=positive, resamples=200)


def _calibration(record: Record, positive: str | None) -> Iterator[str]:
    yield html.table(calibration_table(record, positive), "Test images; 0 is best.")
    if (cooled := temperature_of(record)) is not None:
        yield html.paragraph(
            f"The temperature {cooled.value:.2f} was fitted on {cooled.images} validation images "
            "alone. It changes no ranking and no predicted class."
        )
    with figures.style():
        fig, ax = plt.subplots(figsize=(5.6, 6))
        draw_reliability(ax, record, positive)
        _stamp(fig, record)
        text = "How often it was right against how sure it was"
        yield html.figure(fig, text, f"{text}, in bins of equal mass; bars are 95% intervals.")


def draw_reliability(ax: Axes, record: Record, positive: str | None) -> Axes:
    """Draw how often the network was right against how sure it was, before and after."""
    given = positive_last(record.test, positive)
    models = {"network": given}
    if (cooled := temperature_of(record)) is not None:
        models["at its temperature"] = at_temperature(given, cooled.value)
    return figures.reliability(ax, models, bins=BINS)


def _heatmaps(model: Model, audit: Audit) -> Iterator[str]:
    if not hasattr(model.network, "last_convolution"):
        return
    yield html.heading("Where it looks")
    text = "Grad-CAM for the actual class of some test images"
    note = f"{text}, each map on a scale of its own. This figure holds images of the data set."
    yield html.figure(draw_heatmaps(model, audit), text, note)


def draw_heatmaps(model: Model, audit: Audit) -> Figure:
    """Draw Grad-CAM maps of some test images, for their actual class."""
    chosen = example_images(model.record, audit)
    shown, maps = model.heatmaps(list(chosen["path"]), chosen["label"].tolist())
    with figures.style():
        fig, axes = plt.subplots(1, len(chosen), figsize=(2.4 * len(chosen), 3), squeeze=False)
        for ax, image, heat, label in zip(axes[0], shown, maps, chosen["label"], strict=True):
            figures.overlay(ax, image, heat)
            # A map of zeros: nothing in the last features speaks for the class.
            title = str(label) if heat.max() > 0 else f"{label}: empty map"
            ax.set_title(title, fontsize="small", weight="normal")
        _stamp(fig, model.record)
    return fig


def example_images(record: Record, audit: Audit) -> pd.DataFrame:
    """Return test images of every class in turn: sample, label, path."""
    paths = audit.inspection.own.dataset.table.set_index("sample")["path"]
    tested = record.test.sort_values("sample")
    turn = tested.groupby("label").cumcount()
    chosen = tested.assign(turn=turn).sort_values(["turn", "label"]).head(EXAMPLES)
    return chosen[["sample", "label"]].assign(path=chosen["sample"].map(paths))


def _stamp(fig, record: Record) -> None:
    if record.phantom:
        figures.phantom_stamp(fig)
