"""Scores that guess, without training, how well a source model will serve a target task.

Two kinds: those that read the source model's output (LEEP, NCE) and those that read its features.
All take arrays and return a number in which more is better. Computed in float64.
"""

from functools import partial

from covidlib.transferability.baselines import (
    linear_probe,
    neighbour_accuracy,
    parameter_count,
    probe_accuracy,
)
from covidlib.transferability.bootstrap import bootstrap, permuted
from covidlib.transferability.gbc import gbc
from covidlib.transferability.hscore import h_score, regularised_h_score
from covidlib.transferability.leep import (
    Bounds,
    bounds,
    conditional,
    conditional_entropy,
    information_gain,
    joint,
    label_entropy,
    leep,
    nce,
    predictor,
)
from covidlib.transferability.logme import logme
from covidlib.transferability.nleep import n_leep
from covidlib.transferability.ranking import chance_tau, weighted_tau
from covidlib.transferability.sfda import sfda
from covidlib.transferability.transrate import transrate

# Scores of features and labels, by the name that the book prints.
FROM_FEATURES = {
    "N-LEEP": n_leep,
    "H-score": h_score,
    "regularised H-score": regularised_h_score,
    "LogME": logme,
    "TransRate": transrate,
    "TransRate, classes centred": partial(transrate, centre_classes=True),
    "GBC": gbc,
    "SFDA": sfda,
    "5 neighbours": neighbour_accuracy,
    "linear probe": probe_accuracy,
}

__all__ = [
    "FROM_FEATURES",
    "Bounds",
    "bootstrap",
    "bounds",
    "chance_tau",
    "conditional",
    "conditional_entropy",
    "gbc",
    "h_score",
    "information_gain",
    "joint",
    "label_entropy",
    "leep",
    "linear_probe",
    "logme",
    "n_leep",
    "nce",
    "neighbour_accuracy",
    "parameter_count",
    "permuted",
    "predictor",
    "probe_accuracy",
    "regularised_h_score",
    "sfda",
    "transrate",
    "weighted_tau",
]
