"""Where can be written is known before work begins, and asking leaves nothing."""

import pytest

from covidlib.errors import CovidlibError
from covidlib.files import below, save, writable


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


def test_links_are_followed_and_each_folder_is_listed_once(tmp_path):
    far = tmp_path / "far" / "inner"
    far.mkdir(parents=True)
    (far / "image.png").touch()
    root = tmp_path / "root"
    root.mkdir()
    (root / "own.png").touch()
    (root / "linked").symlink_to(far.parent, target_is_directory=True)
    (far / "back").symlink_to(root, target_is_directory=True)  # a ring
    names = [path.relative_to(root).as_posix() for path in below(root)]
    assert names == ["own.png", "linked/inner/image.png"]
    assert list(below(tmp_path / "nowhere")) == []


def test_a_file_that_cannot_be_written_leaves_the_older_one(tmp_path, monkeypatch):
    target = save(tmp_path / "new" / "scores.json", "old")
    full = OSError(28, "No space left on device")

    def stops(path, text, *_):
        with open(path, "w") as file:
            file.write(text[:1])
        raise full

    monkeypatch.setattr(type(target), "write_text", stops)
    with pytest.raises(OSError, match="No space"):
        save(target, "new")
    assert target.read_text() == "old"
    assert [path.name for path in target.parent.iterdir()] == ["scores.json"]
