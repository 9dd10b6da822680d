"""A small checkout with a real notebook, executed and built once for all tests."""

import shutil
from pathlib import Path

import pytest
from small_book import QUICK, TINY, lay_out

from covidlib.book import Parameters
from covidlib.publish.execution import execute
from covidlib.publish.places import Places
from covidlib.publish.staging import build, stage


@pytest.fixture
def quick(tmp_path: Path) -> Places:
    """A checkout whose notebook takes a second."""
    return lay_out(tmp_path / "checkout", {"quick": QUICK})


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Places:
    """A checkout whose book is executed and built; tests that change it take a copy."""
    places = lay_out(tmp_path_factory.mktemp("book") / "checkout", {"tiny": TINY})
    parameters = Parameters()
    (outcome,) = execute(places, parameters)
    assert not outcome.problem, outcome.problem
    stage(places, parameters)
    assert build(places)
    return places


@pytest.fixture
def copy(built: Places, tmp_path: Path) -> Places:
    """A copy of the built book, to plant faults in."""
    shutil.copytree(built.root, tmp_path / "copy")
    return Places(tmp_path / "copy", tmp_path / "copy" / "_build")
