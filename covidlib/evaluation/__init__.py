"""Metrics from predictions, how sure they are, and how to compare them."""

from covidlib.evaluation.bootstrap import Interval
from covidlib.evaluation.comparisons import (
    Comparison,
    compare_auc,
    compare_errors,
    corrected_t,
    holm,
    margin,
    mean_std,
    minimum_detectable_difference,
)
from covidlib.evaluation.intervals import intervals, mean_roc, roc_band
from covidlib.evaluation.metrics import METRICS, Score, confusion, per_class, roc, score
from covidlib.evaluation.predictions import against_rest, classes_of, scored

__all__ = [
    "METRICS",
    "Comparison",
    "Interval",
    "Score",
    "against_rest",
    "classes_of",
    "compare_auc",
    "compare_errors",
    "confusion",
    "corrected_t",
    "holm",
    "intervals",
    "margin",
    "mean_roc",
    "mean_std",
    "minimum_detectable_difference",
    "per_class",
    "roc",
    "roc_band",
    "score",
    "scored",
]
