"""Predictions of models that do not exist, and runs that hold them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Result:
    """A run as plain objects; see ``covidlib.verdicts.Run``."""

    key: str
    provenance: Mapping
    predictions: pd.DataFrame


def predictions(
    n: int = 60,
    classes: tuple[str, ...] = ("healthy", "covid"),
    skill: float = 1.0,
    seed: int = 0,
    per_patient: int | None = None,
    digits: int | None = None,
    task: int = 0,
) -> pd.DataFrame:
    """Draw labels from ``task`` and softmax scores from ``seed``; digits makes ties."""
    labels = np.random.default_rng(task).permutation(np.arange(n) % len(classes))
    rng = np.random.default_rng([task, seed])
    logits = rng.normal(size=(n, len(classes)))
    logits[np.arange(n), labels] += skill
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    if digits is not None and len(classes) == 2:
        p[:, 1] = p[:, 1].round(digits)
        p[:, 0] = 1 - p[:, 1]
    if per_patient is None:
        patients = [pd.NA] * n
    else:
        # Patients have one class each: number images within their class.
        rank = pd.Series(labels).groupby(labels).cumcount().to_numpy()
        patients = [f"{k}-{r // per_patient}" for k, r in zip(labels, rank, strict=True)]
    table = pd.DataFrame(
        {
            "sample": [f"{i:04d}.png" for i in range(n)],
            "patient": pd.array(patients, dtype="string"),
            "split": "test",
            "label": pd.array([classes[k] for k in labels], dtype="string"),
        }
    )
    for k, name in enumerate(classes):
        table[f"p_{name}"] = p[:, k]
    return table


def answers(truth: str, given: str, positive: str = "1") -> pd.DataFrame:
    """Predictions of certain answers, from strings such as "0011" and "0111"."""
    right = np.array([c == positive for c in given], dtype=float)
    return pd.DataFrame(
        {
            "sample": [f"{i}.png" for i in range(len(truth))],
            "patient": pd.array([pd.NA] * len(truth), dtype="string"),
            "split": "test",
            "label": ["covid" if c == positive else "healthy" for c in truth],
            "p_healthy": 1 - right,
            "p_covid": right,
        }
    )
