from dataclasses import replace

import pytest

from covidlib import settings
from covidlib.data.normalisation import NORMALISATIONS
from covidlib.runs.running import METHODS
from covidlib.settings import GraftSettings, SupervisedSettings, TrainingSettings

KINDS = [getattr(settings, name) for name in METHODS]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 0},
        {"size": -224},
        {"epochs": -1},
        {"batch": 0},
        {"validate_every": 0},
        {"channels": 0},
        {"lr": -0.1},
        {"lr": float("nan")},
        {"lr": float("inf")},
        {"momentum": -0.9},
        {"weight_decay": -1e-4},
        {"milestones": (0.5, 0.0)},
        {"milestones": (60, 80)},
        {"normalisation": "minmax"},
    ],
)
def test_every_method_refuses_what_cannot_be(kind, wrong):
    with pytest.raises(ValueError, match=rf"^{next(iter(wrong))} (is|are) "):
        replace(kind(), **wrong)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not GraftSettings])
def test_a_run_of_no_epoch_is_refused_where_something_is_trained(kind):
    with pytest.raises(ValueError, match="epochs is at least 1, not 0"):
        kind(epochs=0)
    assert GraftSettings().epochs == 0
    with pytest.raises(ValueError, match="not trained, got 1 epochs"):
        GraftSettings(epochs=1)


def test_the_ends_of_the_ranges_are_allowed():
    one = TrainingSettings(size=1, epochs=1, batch=1, lr=0.0, momentum=0.0, milestones=(1,))
    assert one.drops == (1,) and one.lr_at(0) == 0
    for name in NORMALISATIONS:
        assert SupervisedSettings(normalisation=name).normalisation == name
