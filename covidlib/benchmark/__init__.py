"""The benchmark over all three papers: external validation, floors, calibration, cost."""

from covidlib.benchmark.areas import Board, called, crossed, external, own, standing
from covidlib.benchmark.sources import GROUPS, TESTS, group_of, tested

__all__ = ["GROUPS", "TESTS", "Board"]
__all__ += ["called", "crossed", "external", "group_of", "own", "standing", "tested"]
