"""Walk the finished book with a browser: on a phone, at a desk, in the dark, by keyboard."""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bs4 import BeautifulSoup

from covidlib.publish.links import link_problems
from covidlib.publish.looking import PHONE, look
from covidlib.publish.places import Places, PublishError
from covidlib.publish.verification import Report

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE = 120_000  # milliseconds: the page is a local file, but the machine may be busy
SEEN = ("pages", "links", "pictures", "widgets", "searches")


def find_browser() -> Path | None:
    """Return a Chromium: COVIDLIB_BROWSER, or the first that the system has; None without one.

    Raises:
        PublishError: COVIDLIB_BROWSER names no file.
    """
    told = os.environ.get("COVIDLIB_BROWSER")
    if told:
        if not Path(told).is_file():
            raise PublishError(f"COVIDLIB_BROWSER names {told}, which is no file")
        return Path(told)
    found = (shutil.which(name) for name in BROWSERS)
    return next((Path(path) for path in found if path), None)


@contextmanager
def opened() -> Iterator["Browser"]:
    """Start the browser without any way to another host, and close it in the end.

    Raises:
        PublishError: there is no browser, or no driver for it.
    """
    path = find_browser()
    if path is None:
        raise PublishError(
            f"no browser among {', '.join(BROWSERS)}: install one (Debian: apt-get install "
            "chromium), or name one in COVIDLIB_BROWSER"
        )
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError as error:
        raise PublishError('the driver is missing: pip install -e ".[dev]"') from error
    alone = "--host-resolver-rules=MAP * ~NOTFOUND"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(path), args=[alone])
        try:
            yield browser
        finally:
            browser.close()


def context(browser: "Browser", **options: object) -> "BrowserContext":
    """Return a fresh profile with the size of a phone."""
    made = browser.new_context(viewport=PHONE, **options)
    made.set_default_timeout(PATIENCE)
    return made


def browse(
    places: Places, only: str = "", tell: Callable[[str], None] = lambda line: None
) -> Report:
    """Open every page of the built book from disk and look at it; see ``looking.look``.

    Args:
        places: the checkout and its build folder.
        only: part of a page's name; other pages are left alone.
        tell: called with a line on each page as soon as it was seen.

    Raises:
        PublishError: there is no book, no such page, or no browser.
    """
    names = [name for name in places.pages if only in name]
    if not names:
        raise PublishError(f"no page matches {only!r}")
    if missing := [name for name in names if not (places.html / f"{name}.html").is_file()]:
        raise PublishError(f"there is no built page for {missing}: make the book first")
    report = Report()
    soups = {
        name: _soup((places.html / f"{name}.html").read_text("utf-8")) for name in places.pages
    }
    with opened() as browser:
        for name in names:
            problems, content = look(browser, context, places.html / f"{name}.html", report.counts)
            links: Counter[str] = Counter()
            problems += link_problems(places.html, name, _soup(content), soups, links)
            report.counts["links"] += links["links"]
            report.counts["pages"] += 1
            report.problems += [f"{name}: {problem}" for problem in problems]
            tell(f"{len(problems)} problems  {name}")
        report.problems += search_problems(browser, places.html)
        report.counts["searches"] += 1
    return report


def search_problems(browser: "Browser", html: Path) -> list[str]:
    """Check that the search page finds the book's own subject without a server."""
    page = context(browser).new_page()
    page.goto(f"{(html / 'search.html').resolve().as_uri()}?q=page")
    try:
        page.wait_for_selector("#search-results ul.search li a", timeout=PATIENCE / 4)
    except Exception as error:
        if type(error).__name__ != "TimeoutError":
            raise
        return ["search.html: nothing is found for 'page'"]
    finally:
        page.context.close()
    return []


def told(report: Report) -> str:
    """Return one line on what was looked at."""
    return "browsed: " + ", ".join(f"{report.counts[name]} {name}" for name in SEEN)


def _soup(text: str) -> BeautifulSoup:
    return BeautifulSoup(text, "html.parser")
