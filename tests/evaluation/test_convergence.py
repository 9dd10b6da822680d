import math

import numpy as np
import pandas as pd
import pytest

from covidlib.evaluation.convergence import fluctuation, rise


def curve(values, every=1):
    rows = pd.DataFrame({"epoch": range(len(values) * every)})
    return rows.assign(x=[v for value in values for v in [*[math.nan] * (every - 1), value]])


def test_fluctuation_is_the_deviation_about_a_line_of_any_slope():
    noise = np.random.default_rng(0).normal(0, 0.02, 4000)
    for slope in (0, 1e-4, -0.3):
        found = fluctuation(curve(noise + slope * np.arange(4000)), "x")
        assert found == pytest.approx(0.02, rel=0.05)


def test_fluctuation_looks_at_the_end_and_skips_epochs_without_a_look():
    values = [0, 9, 0, 9, 1, 2, 3, 4]
    assert fluctuation(curve(values), "x") == 0
    assert fluctuation(curve(values, every=3), "x") == 0
    assert fluctuation(curve([1, 0, 1, 0]), "x", last=1) == pytest.approx(
        np.std([-1, 1, -1], ddof=1) / math.sqrt(2)
    )


def test_rise_of_a_ramp_and_of_a_jump():
    assert rise(curve([*np.linspace(0, 1, 51), *np.ones(50)]), "x", 0.9) == pytest.approx(46 / 101)
    jump = [0.2] * 3 + [0.9] * 17
    assert rise(curve(jump), "x") == pytest.approx(4 / 20)
    assert rise(curve(jump, every=2), "x") == pytest.approx(8 / 40)


def test_one_lucky_epoch_is_no_rise():
    lucky = [0.2, 0.2, 0.9, 0.2, 0.2, 0.2, 0.2, 0.9, 0.9, 0.9]
    assert rise(curve(lucky), "x") == pytest.approx(8 / 10)


def test_what_cannot_be_said_is_nan():
    assert math.isnan(rise(curve([0.9, 0.8, 0.7, 0.6, 0.5]), "x"))
    assert math.isnan(rise(curve([0.1, 0.9]), "x"))
    assert math.isnan(fluctuation(curve([0.1, 0.9, 0.8]), "x"))
