from importlib import import_module

import pytest
from small_runs import TinySettings, draw_covid_ct, tiny

from covidlib.errors import DataError
from covidlib.kept_scores import keep, place, unkept
from covidlib.runs.running import run
from covidlib.runs.store import Store
from covidlib.terminal import run_alone
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


COMMANDS = ("protocol_scores.__main__", "localization_scores.__main__", "lung_heat", "elsewhere")


@pytest.mark.parametrize("module", COMMANDS)
def test_what_cannot_be_scored_is_said_in_a_sentence(module, tmp_path, monkeypatch, capsys):
    main = import_module(f"covidlib.{module}").main

    def refused(profile, data):
        given = ["--profile", profile, "--data", str(data), "--store", str(tmp_path / "store")]
        monkeypatch.setattr("sys.argv", ["score", *given, "--results", str(tmp_path / "results")])
        with pytest.raises(SystemExit) as caught:
            run_alone(main)
        return caught.value.code, " ".join(capsys.readouterr().err.replace("│", "").split())

    code, said = refused("smoke", tmp_path)
    assert code == 2 and "'smoke' is not one of 'laptop'" in said
    code, said = refused("laptop", tmp_path / "nowhere")
    assert code == 2 and "does not exist" in said
    code, said = refused("laptop", tmp_path)
    assert code == 1 and said.startswith("error none of these runs is in ")
