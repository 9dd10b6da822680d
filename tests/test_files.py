"""Where can be written is known before work begins, and asking leaves nothing."""

import pytest

from covidlib.errors import CovidlibError
from covidlib.files import writable


def test_asking_leaves_nothing(tmp_path):
    wanted = tmp_path / "a" / "b"
    assert writable(wanted) == wanted
    assert writable(tmp_path) == tmp_path
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_way_and_a_place_without_files_are_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(CovidlibError, match=r"cannot write to the folder .*name another place"):
            writable(place)
