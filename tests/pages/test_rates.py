from types import SimpleNamespace

import pandas as pd

from covidlib.pages import rates
from covidlib.pages.results import NOT_YET


def test_the_last_validated_epoch_of_each_recorded_run_is_told(monkeypatch):
    curve = pd.DataFrame(
        {
            "epoch": [0, 1, 2],
            "val_loss": [0.9, 0.7, None],
            "val_accuracy": [0.5, 0.75, None],
            "val_auc": [0.6, 0.8123, None],
        }
    )
    known = {"rate 0.1": [SimpleNamespace(curve=curve)], "rate 0.01": []}
    monkeypatch.setattr(rates, "rows", lambda chosen, results: known)
    found = rates.rate_table(SimpleNamespace(recorded=None), "msatl/learning_rate").frame
    assert found.loc["rate 0.1"].tolist() == [2, "0.700", "0.750", "0.812"]
    assert list(found.index) == ["rate 0.1"]


def test_nothing_recorded_is_said(tmp_path):
    empty = rates.rate_table(SimpleNamespace(recorded=tmp_path), "magsd/learning_rate")
    assert empty.frame.empty and NOT_YET in empty.caption
