"""What a browser sees on one small page with a planted fault."""

import os
from collections import Counter

import pytest

from covidlib.publish.browsing import context, find_browser, opened
from covidlib.publish.looking import look

PAGE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>A page</title>
<meta name="viewport" content="width=device-width"></head><body>
<a href="#main-content">Skip to main content</a>
<main id="main-content"><h1>A page</h1><p>Words to read, and <a href="#here">a link</a>.</p>
<p id="here">PLANTED</p></main></body></html>
"""
PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
FAULTS = {
    "": None,
    "<script>throw new Error('planted')</script>": "a script fails: planted",
    "<script>console.error('planted')</script>": "the console says: planted",
    '<img alt="A dot" src="https://example.org/a.png">': "example.org/a.png from outside",
    '<img alt="A dot" src="gone.png">': "gone.png does not load",
    f'<img src="{PIXEL}">': "has no alternative text",
    f'<img alt="../_images/ab.png" src="{PIXEL}">': "has no alternative text",
    '<span style="display: block; width: 900px">wide</span>': "the page is 9",
    '<span style="color: #bbb; background: #fff">faint</span>': "color-contrast",
    "<table><tr><th></th><th>a</th></tr><tr><td>1</td><td>2</td></tr></table>": "empty-table-h",
    '<input type="range">': "axe, phone: label",
    '<script type="application/vnd.jupyter.widget-view+json">{}</script>': "widget 1 is not drawn",
    '<script type="application/vnd.jupyter.widget-view+json">{} </script>': "no visible twin",
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_browser() is None and not os.environ.get("CI"),
        reason="no browser: install chromium or set COVIDLIB_BROWSER",
    ),
]


@pytest.fixture(scope="module")
def browser():
    with opened() as found:
        yield found


@pytest.mark.parametrize(("planted", "complaint"), FAULTS.items())
def test_a_planted_fault_is_seen(browser, tmp_path, planted, complaint):
    (tmp_path / "page.html").write_text(PAGE.replace("PLANTED", planted))
    problems, content = look(browser, context, tmp_path / "page.html", Counter())
    if complaint is None:
        assert problems == [] and "Words to read" in content
    else:
        assert any(complaint in problem for problem in problems), problems


def test_a_page_that_the_keyboard_cannot_enter_is_seen(browser, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(PAGE.replace('<a href="#here">a link</a>', "a link"))
    problems, _ = look(browser, context, path, Counter())
    assert problems == ["after the skip link, Tab does not lead into the text"]
    path.write_text(PAGE.replace('<a href="#main-content">Skip to main content</a>', ""))
    problems, _ = look(browser, context, path, Counter())
    assert "there is no link that skips to the text" in problems
