"""Metrics of one model, always from its predictions, always through scikit-learn.

A metric that the images cannot decide, such as an AUC without positives, is NaN with a reason; it
is never 0. In a binary set the last class is positive; with more classes F1, sensitivity,
specificity, precision and AUC are means over the classes, each against the rest.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn import metrics as sk

from covidlib.errors import DataError
from covidlib.evaluation.predictions import Scored, scored


class Score(NamedTuple):
    """One number, or NaN and why it is not one."""

    value: float
    reason: str = ""


class Metric(NamedTuple):
    """A metric's printed name, which classes must be present, and how it is computed."""

    title: str
    needs: str  # "" nothing, "positive", "negative", "all": classes that must have images
    compute: Callable[[Scored], float]
    undefined: str = "0/0"


def _one_sided(score: Callable, side: int) -> Callable[[Scored], float]:
    """Score one class of two (``side``), or the mean over classes, each against the rest."""

    def compute(s: Scored) -> float:
        wanted = [side] if s.binary else range(len(s.classes))
        values = [score(s.truth == k, s.predicted == k, zero_division=np.nan) for k in wanted]
        return float(np.mean(values))

    return compute


def _specificity(s: Scored) -> float:
    wanted = [1] if s.binary else range(len(s.classes))
    return float(np.mean([sk.recall_score(s.truth != k, s.predicted != k) for k in wanted]))


def _f1_macro(s: Scored) -> float:
    labels = range(len(s.classes))
    return float(sk.f1_score(s.truth, s.predicted, labels=labels, average="macro"))


def _auc(s: Scored) -> float:
    if s.binary:
        return float(sk.roc_auc_score(s.truth, s.probabilities[:, 1]))
    return float(sk.roc_auc_score(s.truth, s.probabilities, multi_class="ovr", average="macro"))


def _top_k(k: int) -> Callable[[Scored], float]:
    def compute(s: Scored) -> float:
        if k >= len(s.classes):
            return float("nan")
        if k == 1:
            return float(sk.accuracy_score(s.truth, s.predicted))
        labels = range(len(s.classes))
        return float(sk.top_k_accuracy_score(s.truth, s.probabilities, k=k, labels=labels))

    return compute


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "accuracy": Metric(
            "accuracy", "", lambda s: float(sk.accuracy_score(s.truth, s.predicted))
        ),
        "f1": Metric("F1", "positive", _one_sided(sk.f1_score, 1)),
        "f1_macro": Metric("macro F1", "all", _f1_macro),
        "sensitivity": Metric("sensitivity", "positive", _one_sided(sk.recall_score, 1)),
        "specificity": Metric("specificity", "negative", _specificity),
        "precision": Metric(
            "precision",
            "positive",
            _one_sided(sk.precision_score, 1),
            "no image was given one of the classes",
        ),
        "auc": Metric("AUC", "all", _auc),
        "top1": Metric("top-1 accuracy", "", _top_k(1)),
        "top5": Metric("top-5 accuracy", "", _top_k(5), "five or fewer classes"),
    }
)


def missing_classes(s: Scored, metric: str) -> str:
    """Return why the images cannot decide a metric, or "" if they can.

    Raises:
        DataError: no metric has this name.
    """
    if metric not in METRICS:
        raise DataError(f"unknown metric {metric!r}, expected one of {sorted(METRICS)}")
    needs = METRICS[metric].needs
    if needs in ("positive", "negative") and s.binary:
        wanted = {s.classes[1 if needs == "positive" else 0]}
    else:
        wanted = set(s.classes) if needs else set()
    absent = [name for name in s.absent if name in wanted]
    return f"no image of class {', '.join(absent)}" if absent else ""


def compute(s: Scored, metric: str) -> Score:
    """Compute one metric of checked predictions; see ``score``."""
    if reason := missing_classes(s, metric):
        return Score(float("nan"), reason)
    value = METRICS[metric].compute(s)
    return Score(value, METRICS[metric].undefined if np.isnan(value) else "")


def score(predictions: pd.DataFrame, metric: str, split: str | None = "test") -> Score:
    """Compute one metric of one model.

    Args:
        predictions: sample, patient, split, label, ``p_<class>``; see ``scored``.
        metric: a name of ``METRICS``.
        split: which rows count; None takes all.

    Returns:
        The value in [0, 1], or NaN with the reason why the images cannot decide it.

    Raises:
        DataError: no such metric, or predictions that break their contract.
    """
    return compute(scored(predictions, split), metric)


def confusion(predictions: pd.DataFrame, split: str | None = "test") -> pd.DataFrame:
    """Count images by actual class (rows) and predicted class (columns)."""
    s = scored(predictions, split)
    counts = sk.confusion_matrix(s.truth, s.predicted, labels=range(len(s.classes)))
    return pd.DataFrame(
        counts,
        index=pd.Index(s.classes, name="actual"),
        columns=pd.Index(s.classes, name="predicted"),
    )


def per_class(predictions: pd.DataFrame, split: str | None = "test") -> pd.DataFrame:
    """Precision, recall, F1 and support per class, then their weighted average (manet Table 4).

    A value that is 0/0 is NaN; the weighted average is then NaN too.
    """
    s = scored(predictions, split)
    values = sk.precision_recall_fscore_support(
        s.truth, s.predicted, labels=range(len(s.classes)), zero_division=np.nan
    )
    table = pd.DataFrame(
        dict(zip(("precision", "recall", "f1", "support"), values, strict=True)), index=s.classes
    )
    # A class without images weighs nothing, so its undefined values do not count.
    shown = table[table["support"] > 0]
    means = [np.average(shown[c], weights=shown["support"]) for c in ("precision", "recall", "f1")]
    table.loc["weighted_average"] = [*means, table["support"].sum()]
    return table.rename_axis("class").astype({"support": int})


def roc(
    predictions: pd.DataFrame, positive: str | None = None, split: str | None = "test"
) -> pd.DataFrame:
    """Return the points of a ROC curve: columns fpr, tpr, threshold.

    Args:
        predictions: see ``scored``.
        positive: the class against the rest; may be left out when there are two.
        split: which rows count.

    Raises:
        DataError: more than two classes and no ``positive``, or one side has no image.
    """
    truth, values = one_against_rest(scored(predictions, split), positive)
    fpr, tpr, threshold = sk.roc_curve(truth, values, drop_intermediate=False)
    return pd.DataFrame({"fpr": fpr, "tpr": tpr, "threshold": threshold})


def one_against_rest(s: Scored, positive: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Return whether each image is positive, and its score. Shapes: (N,), (N,)."""
    if positive is None and not s.binary:
        raise DataError(f"name the positive class, one of {s.classes}")
    if positive is not None and positive not in s.classes:
        raise DataError(f"unknown class {positive!r}, expected one of {s.classes}")
    k = s.classes.index(positive) if positive is not None else 1
    truth = s.truth == k
    if truth.all() or not truth.any():
        raise DataError(f"a ROC curve needs images with and without class {s.classes[k]!r}")
    return truth, s.probabilities[:, k]
