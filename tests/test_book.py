import math
import os

import numpy as np
import pytest

from covidlib import book
from covidlib.errors import CovidlibError, DataError


@pytest.fixture
def shown(monkeypatch):
    """Everything that a notebook would display or glue."""
    seen = []
    monkeypatch.setattr("IPython.display.display", seen.append)
    monkeypatch.setattr("myst_nb.glue", lambda name, value, display: seen.append((name, value)))
    monkeypatch.setenv("TQDM_DISABLE", "")
    return seen


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("huge", "phantoms", 0), CovidlibError),
        (("smoke", "phantoms", -1), CovidlibError),
        (("smoke", "phantoms", True), CovidlibError),
        (("smoke", "phantoms", "0"), CovidlibError),
        (("smoke", "", 0), CovidlibError),
        (("smoke", "/no/such/folder", 0), DataError),
    ],
)
def test_wrong_parameters_are_refused(arguments, error):
    with pytest.raises(error):
        book.Parameters(*arguments)


def test_profiles_are_those_of_the_settings():
    settings = pytest.importorskip("covidlib.settings")
    assert tuple(book.PROFILES) == tuple(settings.PROFILES)


@pytest.mark.parametrize(("profile", "warned"), [("smoke", True), ("laptop", False)])
def test_small_runs_on_real_images_are_called_small(profile, warned, tmp_path):
    banner = book.Banner(book.Parameters(profile, str(tmp_path)))
    assert "Real images" in repr(banner)
    assert ("not what a method is worth" in repr(banner)) == warned


def test_start_shows_the_banner_and_silences_bars(shown):
    page = book.start("smoke", "phantoms", 3)
    assert (page.profile, page.seed, page.phantom, page.root) == ("smoke", 3, True, None)
    assert page.recorded.parts[-2:] == ("book", "results")
    assert os.environ["TQDM_DISABLE"] == "1"
    (banner,) = shown
    html = banner._repr_html_()
    assert 'class="covidlib-run phantoms"' in html
    assert "not patients" in html
    assert "seed 3" in html
    assert "not patients" in repr(banner)


def test_a_real_page_says_so_and_hides_the_folder(shown, tmp_path):
    page = book.start("laptop", str(tmp_path), 0)
    assert page.root == tmp_path.resolve()
    html = shown[0]._repr_html_()
    assert 'class="covidlib-run real"' in html
    assert "hantom" not in html
    assert str(tmp_path) not in html


def test_a_relative_folder_becomes_absolute(tmp_path, monkeypatch):
    (tmp_path / "images").mkdir()
    monkeypatch.chdir(tmp_path)
    assert book.Parameters("smoke", "images").absolute().data == str(tmp_path / "images")
    assert book.Parameters().absolute() == book.Parameters()


def test_glued_values_are_plain_and_named_once(shown):
    page = book.start("smoke", "phantoms", 0)
    page.glue("accuracy", np.float32(0.25))
    page.glue("count", np.int64(4))
    assert shown[1:] == [("accuracy", 0.25), ("count", 4)]
    assert [type(value) for _, value in shown[1:]] == [float, int]
    with pytest.raises(CovidlibError, match="glued twice"):
        page.glue("accuracy", 0.5)


@pytest.mark.parametrize("value", [math.nan, np.float64("nan"), math.inf, -np.inf])
def test_a_sentence_never_shows_nan(shown, value):
    page = book.start("smoke", "phantoms", 0)
    with pytest.raises(CovidlibError, match="needs a number"):
        page.glue("accuracy", value)
