import pytest
import torch
from torch import nn

from covidlib.runs.running import METHODS
from covidlib.settings import ProtocolMAGSDSettings, ProtocolSettings
from covidlib.training.magsd import MAGSD
from covidlib.training.protocol import adamw
from covidlib.training.supervised import Supervised


def test_methods_are_the_papers_with_another_optimiser():
    assert issubclass(METHODS["ProtocolSettings"], Supervised)
    assert issubclass(METHODS["ProtocolMAGSDSettings"], MAGSD)
    assert ProtocolMAGSDSettings().views and ProtocolMAGSDSettings().regularisation == "soft"
    assert ProtocolMAGSDSettings().slug == "magsd" and ProtocolSettings().slug == "protocol"


def test_a_step_is_adamw_s_by_hand():
    """Loshchilov and Hutter 2019, algorithm 2, first step: the moments cancel to a sign."""
    settings = ProtocolSettings()
    layer = nn.Linear(2, 1, bias=False)
    before = layer.weight.detach().clone()
    optimiser = adamw(layer, settings)
    layer(torch.tensor([[1.0, -2.0]])).sum().backward()
    optimiser.step()
    rate, decay = settings.lr, settings.weight_decay
    expected = before * (1 - rate * decay) - rate * torch.tensor([[1.0, -1.0]])
    torch.testing.assert_close(layer.weight.detach(), expected)


def test_the_rate_falls_from_its_start_to_almost_nothing():
    settings = ProtocolSettings(epochs=50)
    rates = [settings.lr_at(epoch) for epoch in range(50)]
    assert rates == sorted(rates, reverse=True) and rates[0] == settings.lr
    assert rates[25] == pytest.approx(settings.lr / 2) and 0 < rates[-1] < settings.lr / 500
