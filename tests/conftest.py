import os
import signal
from pathlib import Path

import pytest

import covidlib  # noqa: F401 - before any test module imports torchvision by itself

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images: COVIDLIB_DATA, else the one beside the checkout."""
    root = Path(os.environ.get("COVIDLIB_DATA", SHARED))
    if not (root / "covid-ct").is_dir():
        pytest.skip("no real images: set COVIDLIB_DATA to a folder that holds covid-ct")
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A data root with a few slices in the layout of COVID19-CT."""
    from small_runs import draw_covid_ct

    return draw_covid_ct(tmp_path_factory.mktemp("data"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Keep every test away from the caches and runs of the person who runs it."""
    monkeypatch.setenv("COVIDLIB_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.delenv("COVIDLIB_STORE", raising=False)


@pytest.fixture(scope="session", autouse=True)
def ctrl_c():
    """Undo the ignored Ctrl-C that a suite started in the background hands to its tests."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
