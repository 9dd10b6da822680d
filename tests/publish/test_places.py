import pytest

from covidlib.book import Parameters
from covidlib.publish.places import Places, PublishError


def test_pages_are_read_in_reading_order_from_any_depth(quick):
    (quick.root / "_toc.yml").write_text(
        "format: jb-book\nroot: book/intro\nparts:\n"
        "  - chapters:\n    - file: b.md\n      sections:\n        - file: b/c\n"
        "        - glob: x/*\n    - file: a\n  - chapters: [{file: d.ipynb}, {url: u}]\n"
    )
    assert quick.pages == ["book/intro", "b", "b/c", "a", "d"]


def test_a_page_named_twice_is_refused(quick):
    (quick.root / "_toc.yml").write_text("root: a\nchapters: [{file: b}, {file: b}]\n")
    with pytest.raises(PublishError, match=r"twice.*'b'"):
        _ = quick.pages


def test_a_folder_that_is_no_checkout_is_refused(tmp_path):
    with pytest.raises(PublishError, match=r"no _toc\.yml"):
        Places(tmp_path, tmp_path / "_build")


def test_other_parameters_lie_in_another_folder(quick, tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    chosen = [
        Parameters(),
        Parameters(seed=1),
        Parameters("laptop"),
        Parameters("smoke", str(tmp_path / "one")),
        Parameters("smoke", str(tmp_path / "two")),
    ]
    assert len({quick.executed(parameters) for parameters in chosen}) == len(chosen)
