"""Attention for COVID-19 imaging: the library behind the executable book."""

from covidlib import _torchvision

__version__ = "0.1.0"

_torchvision.install()
