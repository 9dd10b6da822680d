import shutil

import pytest
from typer.testing import CliRunner

from covidlib import terminal
from covidlib.data.cards import CARDS
from covidlib.data.commands import data_app

run = CliRunner().invoke


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setattr(terminal.console, "_width", 200)
    monkeypatch.delenv("COVIDLIB_DATA", raising=False)


@pytest.mark.parametrize("width", [80, 200])
def test_list_names_every_card_in_full(tmp_path, monkeypatch, width):
    monkeypatch.setattr(terminal.console, "_width", width)
    (tmp_path / "covid-ct").mkdir()
    result = run(data_app, ["list", "--data", str(tmp_path)])
    assert result.exit_code == 0
    rows = {line.split("│")[1].strip(): line for line in result.output.splitlines() if "│" in line}
    assert set(CARDS) <= set(rows)
    assert "yes" in rows["covid-ct"]
    assert "yes" not in rows["kermany"]
    assert "by hand" in rows["rsna"]


@pytest.mark.parametrize("name", CARDS)
def test_describe_shows_the_card_of_what_is_not_here(tmp_path, name):
    result = run(data_app, ["describe", name, "--data", str(tmp_path)])
    assert result.exit_code == 0
    text = " ".join(result.output.split())
    assert CARDS[name].licence in text
    assert all(" ".join(trap.split()) in text for trap in CARDS[name].traps)
    assert f"covidlib data get {name}" in text


def test_describe_counts_what_is_here(real_data):
    result = run(data_app, ["describe", "covid-ct", "--data", str(real_data)])
    assert result.exit_code == 0
    assert "746 images, 384 patients, 0 without a patient" in result.output


def test_verify_real_data(real_data):
    result = run(data_app, ["verify", "kermany-subset", "--data", str(real_data)])
    assert (result.exit_code, result.output) == (0, "333 files match the reduced checksums\n")


def test_verify_names_what_is_wrong_and_fails(real_data, tmp_path):
    shutil.copytree(real_data / "kermany-subset", tmp_path / "kermany-subset")
    home = tmp_path / "kermany-subset/test/normal"
    for folder in (tmp_path / "kermany-subset", home):
        folder.chmod(0o755)
    first, second = sorted(home.iterdir())[:2]
    first.unlink()
    second.chmod(0o644)
    second.write_bytes(second.read_bytes()[:-1] + b"!")
    result = run(data_app, ["verify", "kermany-subset", "--data", str(tmp_path)])
    assert result.exit_code == 1
    assert f"absent: test/normal/{first.name}" in result.output
    assert f"differs: test/normal/{second.name}" in result.output
    assert "331 files only match" in result.output


def test_errors_are_sentences(tmp_path):
    for words, told in (
        (["get", "rsna", "--data", str(tmp_path)], "Kaggle needs an account"),
        (["get", "kermany", "--data", str(tmp_path)], "--accept-unverified"),
        (["get", "covid-ct"], "COVIDLIB_DATA"),
        (["verify", "covid-ct", "--data", str(tmp_path)], "covidlib data get covid-ct"),
        (["describe", "nothing"], "no card for 'nothing'"),
    ):
        result = run(data_app, words)
        assert result.exit_code == 1
        assert told in result.stderr
        assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []


def test_get_installs_through_the_command(tmp_path, monkeypatch):
    from covidlib.data import download

    asked = {}

    def fake(card, root, **options):
        asked.update(name=card.name, root=root, **options)
        return root / card.name

    monkeypatch.setattr(download, "get", fake)
    result = run(data_app, ["get", "kermany", "--data", str(tmp_path), "--accept-unverified"])
    assert result.exit_code == 0
    assert asked == {"name": "kermany", "root": tmp_path.resolve(), "accept_unverified": True}
    assert "CC BY 4.0" in result.output


def test_describe_a_composition(real_data):
    result = run(data_app, ["describe", "magsd-localization", "--data", str(real_data)])
    assert result.exit_code == 0
    assert "magsd sec. 4.1" in result.output
    cells = [[c.strip() for c in line.split("│")[1:-1]] for line in result.output.splitlines()]
    assert ["total", "131", "75", "56", "98"] in [row for row in cells if row]


def test_describe_a_composition_that_is_not_here(tmp_path):
    result = run(data_app, ["describe", "magsd-a", "--data", str(tmp_path)])
    assert result.exit_code == 1
    assert "no image of pneumonia, COVID-19" in " ".join(result.output.split())
