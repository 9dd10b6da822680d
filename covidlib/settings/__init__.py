"""Hyper-parameters, each written once, typed, with its source.

A value with no source is ours. Papers: msatl, magsd, manet (see ``book/references.md``).
"""

from covidlib.settings.contrastive import MocoSettings, SimclrSettings, SstlmSettings
from covidlib.settings.cxr import CxrSettings
from covidlib.settings.data import DataSettings
from covidlib.settings.magsd import MAGSDSettings
from covidlib.settings.network import NetworkSettings
from covidlib.settings.protocol import ProtocolMAGSDSettings, ProtocolSettings
from covidlib.settings.segmentation import SegmentationSettings
from covidlib.settings.stl import GraftSettings, StlmSettings, StlnSettings
from covidlib.settings.training import SupervisedSettings, TrainingSettings

PROFILES = ("smoke", "laptop", "paper")

__all__ = ["PROFILES", "DataSettings", "NetworkSettings", "SupervisedSettings", "TrainingSettings"]
__all__ += ["MocoSettings", "SimclrSettings", "SstlmSettings"]
__all__ += ["MAGSDSettings"]
__all__ += ["ProtocolMAGSDSettings", "ProtocolSettings"]
__all__ += ["CxrSettings", "SegmentationSettings"]
__all__ += ["GraftSettings", "StlmSettings", "StlnSettings"]
