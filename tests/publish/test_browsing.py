"""The walk through a whole book."""

import os

import pytest

from covidlib.publish import browsing
from covidlib.publish.browsing import browse, find_browser, opened, told
from covidlib.publish.places import PublishError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_browser() is None and not os.environ.get("CI"),
        reason="no browser: install chromium or set COVIDLIB_BROWSER",
    ),
]


def test_a_built_book_has_no_problem(built):
    report = browse(built)
    assert report.problems == []
    counts = report.counts
    assert (counts["pages"], counts["widgets"], counts["searches"]) == (2, 1, 1)
    assert counts["pictures"] >= 2 and counts["links"] > 5
    assert told(report).startswith("browsed: 2 pages")


def test_a_dead_link_of_a_built_page_is_seen(copy):
    path = copy.html / "book" / "intro.html"
    path.write_text(path.read_text().replace("</article>", '<a href="gone.html">x</a></article>'))
    assert browse(copy, "intro").problems == ["book/intro: the link gone.html ends nowhere"]


def test_what_cannot_be_walked_is_refused(copy, monkeypatch):
    with pytest.raises(PublishError, match="no page matches 'absent'"):
        browse(copy, "absent")
    (copy.html / "book" / "intro.html").unlink()
    with pytest.raises(PublishError, match="make the book first"):
        browse(copy)
    monkeypatch.setenv("COVIDLIB_BROWSER", "/nowhere/chromium")
    with pytest.raises(PublishError, match="which is no file"):
        find_browser()
    monkeypatch.delenv("COVIDLIB_BROWSER")
    monkeypatch.setattr(browsing.shutil, "which", lambda name: None)
    assert find_browser() is None
    with pytest.raises(PublishError, match="no browser among chromium"), opened():
        pass
