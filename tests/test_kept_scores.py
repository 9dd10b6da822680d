import pytest
from small_runs import TinySettings, draw_covid_ct, tiny

from covidlib.errors import DataError
from covidlib.kept_scores import keep, place, unkept
from covidlib.runs.running import run
from covidlib.runs.store import Store
from covidlib.training.fit import Resources

REAL = {"phantom": False, "profile": "laptop"}


def test_what_is_not_trained_or_kept_already_is_left_out(tmp_path):
    root, store, folder = draw_covid_ct(tmp_path), Store(tmp_path / "store"), tmp_path / "kept"
    specs = [tiny(seed, network=TinySettings(width=2), epochs=1) for seed in range(3)]
    for spec in specs[:2]:
        run(spec, store, root, resources=Resources("cpu", threads=1))
    assert [spec for spec, _ in unkept(specs, store, folder)] == specs[:2]
    assert keep({"provenance": REAL}, place(folder, specs[0].key)).parent == folder
    ((spec, record),) = unkept(specs, store, folder)
    assert spec == specs[1] and record.key == spec.key
    with pytest.raises(DataError, match=r"none of these runs is in .*; --store names"):
        list(unkept(specs[2:], store, folder))


def test_what_does_not_say_where_it_comes_from_is_not_kept(tmp_path):
    for wrong in ({}, {"profile": "laptop"}, REAL | {"phantom": True}, REAL | {"profile": "smoke"}):
        with pytest.raises(DataError, match="real slices"):
            keep({"provenance": wrong}, tmp_path / "file.json", "slices")
    assert not list(tmp_path.iterdir())
