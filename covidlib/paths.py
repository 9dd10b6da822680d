"""Where data, caches and runs live."""

import os
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[1] / "book" / "results"  # recorded, of this checkout


def data_root(root: str | Path | None = None) -> Path | None:
    """Return the folder that holds the data sets: the argument, else COVIDLIB_DATA, else None."""
    chosen = root or os.environ.get("COVIDLIB_DATA")
    return Path(chosen).expanduser().resolve() if chosen else None


def cache_root() -> Path:
    """Return the folder for decoded images and phantoms: COVIDLIB_CACHE, else ~/.cache/covidlib."""
    chosen = os.environ.get("COVIDLIB_CACHE") or "~/.cache/covidlib"
    return Path(chosen).expanduser().resolve()


def store_root(root: str | Path | None = None) -> Path:
    """Return the folder of runs: the argument, else COVIDLIB_STORE, else runs in the cache."""
    chosen = root or os.environ.get("COVIDLIB_STORE")
    return Path(chosen).expanduser().resolve() if chosen else cache_root() / "runs"
