from pathlib import Path

import pytest

from covidlib.paths import cache_root, data_root, store_root


@pytest.mark.parametrize("value", [None, ""])
def test_a_variable_without_a_value_names_no_folder(monkeypatch, value):
    for name in ("COVIDLIB_CACHE", "COVIDLIB_DATA", "COVIDLIB_STORE"):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    home = Path("~/.cache/covidlib").expanduser().resolve()
    assert (cache_root(), data_root(), store_root()) == (home, None, home / "runs")


def test_an_argument_comes_before_a_variable_and_a_variable_before_the_cache(monkeypatch, tmp_path):
    for name in ("CACHE", "DATA", "STORE"):
        monkeypatch.setenv(f"COVIDLIB_{name}", str(tmp_path / name))
    assert [cache_root().name, data_root().name, store_root().name] == ["CACHE", "DATA", "STORE"]
    assert data_root(tmp_path / "own") == store_root(tmp_path / "own") == tmp_path / "own"
