"""What follows from choosing a threshold: errors, predictive values, net benefit."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from covidlib.evaluation.metrics import one_against_rest
from covidlib.evaluation.predictions import scored

PREVALENCES = (0.02, 0.1, 0.5)


def decisions(
    predictions: pd.DataFrame,
    thresholds: Sequence[float],
    prevalences: Sequence[float] = PREVALENCES,
    *,
    positive: str | None = None,
    split: str = "test",
) -> pd.DataFrame:
    """Return what a rule "positive from this probability on" does, one row per threshold.

    The net benefit (Vickers and Elkin 2006) counts a false alarm as ``t / (1 - t)`` of a missed
    patient: that is what a person who acts from probability t on holds it to be worth.
    Sensitivity and specificity do not depend on how many are ill, predictive values do; they are
    given for several prevalences.

    Args:
        predictions: see ``covidlib.evaluation.predictions.scored``.
        thresholds: probabilities in (0, 1).
        prevalences: shares of ill among those examined.
        positive: the class against the rest; may be left out when there are two.
        split: which rows count.

    Returns:
        Index threshold; columns tp, fp, tn, fn, sensitivity, specificity, "ppv at <prevalence>",
        net_benefit, treat_all. A predictive value is NaN where nobody is called positive.

    Raises:
        ValueError: a threshold or prevalence is not between 0 and 1.
        DataError: see ``covidlib.evaluation.roc``.
    """
    if not all(0 < value < 1 for value in (*thresholds, *prevalences)):
        raise ValueError("thresholds and prevalences lie between 0 and 1")
    truth, values = one_against_rest(scored(predictions, split), positive)
    rows = [_row(truth, values >= threshold, threshold, prevalences) for threshold in thresholds]
    return pd.DataFrame(rows, index=pd.Index(thresholds, name="threshold"))


def _row(
    truth: np.ndarray, called: np.ndarray, threshold: float, prevalences: Sequence[float]
) -> dict[str, float]:
    tp, fp = int((truth & called).sum()), int((~truth & called).sum())
    fn, tn = int(truth.sum()) - tp, int((~truth).sum()) - fp
    sensitivity, false_alarms = tp / (tp + fn), fp / (fp + tn)
    odds, ill = threshold / (1 - threshold), truth.mean()
    found = {"tp": tp, "fp": fp, "tn": tn, "fn": fn}
    found |= {"sensitivity": sensitivity, "specificity": 1 - false_alarms}
    for share in prevalences:
        right, wrong = share * sensitivity, (1 - share) * false_alarms
        found[f"ppv at {share:g}"] = right / (right + wrong) if right + wrong else float("nan")
    found["net_benefit"] = (tp - fp * odds) / len(truth)
    found["treat_all"] = ill - (1 - ill) * odds
    return found
