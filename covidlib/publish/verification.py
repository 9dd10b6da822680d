"""Look at the finished HTML as a reader's browser would, and refuse a book that is not whole."""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup, Tag

from covidlib.book import Parameters
from covidlib.publish.links import link_problems, resource_problems, style_problems
from covidlib.publish.places import Places, PublishError

NOT_A_NUMBER = re.compile(r"(?<![\w.])[-+]?(nan|NaN|NAN|inf)(?![\w.(])")
FOOTER = "Not for clinical use"


@dataclass
class Report:
    """What was looked at and what was wrong."""

    problems: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        order = ("pages", "notebook pages", "figures", "tables", "formulas", "widgets", "links")
        seen = ", ".join(f"{self.counts[name]} {name}" for name in order)
        return f"verified: {seen}; no problem"


def verify(places: Places, parameters: Parameters) -> Report:
    """Check every page of the built book.

    Raises:
        PublishError: there is no book, or it has no notebook page.
    """
    if not places.html.is_dir():
        raise PublishError(f"there is no book in {places.html}")
    report = Report()
    soups: dict[str, BeautifulSoup] = {}
    for page in places.pages:
        path = places.html / f"{page}.html"
        if path.is_file():
            soups[page] = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        else:
            report.problems.append(f"{page}: the page is missing")
    for page, soup in soups.items():
        found = page_problems(soup, str(places.root.resolve()))
        found += resource_problems(places.html, page, soup)
        found += link_problems(places.html, page, soup, soups, report.counts)
        notebook = places.stage / f"{page}.ipynb"
        if notebook.is_file():
            found += notebook_problems(soup, notebook, parameters, report.counts)
        report.problems += [f"{page}: {problem}" for problem in found]
        report.counts["pages"] += 1
        report.counts["formulas"] += len(soup.select("article .math"))
    report.problems += style_problems(places.html)
    if not report.counts["notebook pages"]:
        raise PublishError("the book has no page made from a notebook")
    return report


def page_problems(soup: BeautifulSoup, checkout: str) -> list[str]:
    """Check what every page must have: a title, some text, the footer, nothing of this machine."""
    problems = []
    article = soup.select_one("article")
    if article is None or article.find("h1") is None:
        return ["there is no article with a title"]
    problems += [
        f"the picture {image.get('src', '')[:80]} has no alternative text"
        for image in article.find_all("img")
        if not words(image.get("alt"))
    ]
    if len(article.get_text(" ", strip=True)) < 100:
        problems.append("the page is nearly empty")
    if FOOTER not in soup.get_text(" ", strip=True):
        problems.append(f"the footer does not say {FOOTER!r}")
    if checkout in str(soup):
        problems.append(f"the page names the folder {checkout} of the machine that built it")
    return problems


def words(alternative: str | None) -> bool:
    """Return whether an alternative text is one, and not the name of the file.

    >>> words("Loss against epoch"), words("../_images/ab12.png"), words(" "), words(None)
    (True, False, False, False)
    """
    text = (alternative or "").strip()
    is_file = " " not in text and text.lower().endswith((".png", ".svg", ".jpg", ".jpeg", ".gif"))
    return bool(text) and not is_file


def notebook_problems(
    soup: BeautifulSoup, notebook: Path, parameters: Parameters, counts: Counter[str]
) -> list[str]:
    """Compare a page with its executed notebook: banner, outputs, figures, tables, widgets."""
    kind, other = ("phantoms", "real") if parameters.phantom else ("real", "phantoms")
    problems = []
    if not soup.select(f".covidlib-run.{kind}") or soup.select(f".covidlib-run.{other}"):
        problems.append(f"the banner does not say {kind!r}: does the notebook call book.start?")
    for output in soup.select(".cell_output"):
        problems += output_problems(output)
    for glued in soup.select("span.pasted-text, span.pasted-inline"):
        if NOT_A_NUMBER.search(glued.get_text()):
            problems.append(f"a glued number reads {glued.get_text()!r}")
    problems += counting_problems(soup, notebook, counts)
    if soup.find("script", type="application/vnd.jupyter.widget-view+json"):
        if not soup.find("script", type="application/vnd.jupyter.widget-state+json"):
            problems.append("a widget has no state, so it will not be drawn")
        counts["widgets"] += len(
            soup.find_all("script", type="application/vnd.jupyter.widget-view+json")
        )
    counts["notebook pages"] += 1
    return problems


def output_problems(output: Tag) -> list[str]:
    """Check one cell's output: not empty, no error, no standard error, no NaN."""
    text = output.get_text(" ", strip=True)
    problems = []
    if not text and not output.find(["img", "svg", "canvas", "script", "video"]):
        problems.append("a cell has an empty output")
    if output.select(".traceback") or "Traceback (most recent call last)" in text:
        problems.append(f"a cell ends in an error: {text[-200:]}")
    if error := output.select_one(".stderr"):
        problems.append(f"a cell wrote to standard error: {error.get_text(strip=True)[:200]}")
    if found := NOT_A_NUMBER.search(text):
        around = text[max(0, found.start() - 40) : found.end() + 20]
        problems.append(f"an output shows {found.group()!r}: … {around} …")
    if "Empty DataFrame" in text or any(
        not table.select("tbody td") and not table.select("tr td")
        for table in output.find_all("table")
    ):
        problems.append("a table has no cells")
    return problems


def counting_problems(soup: BeautifulSoup, notebook: Path, counts: Counter[str]) -> list[str]:
    """Compare the figures and tables that the notebook declares with those on the page.

    A cell declares a figure by ``mystnb={"figure": {"name": …, "caption": …}}`` and a table by
    the tag ``table``. Beyond that, every picture and table in an output must be on the page.
    """
    problems, expected = [], Counter()
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.cell_type != "code" or "remove-output" in cell.metadata.get("tags", []):
            continue
        bundles = [output["data"] for output in cell.outputs if "data" in output]
        bundles = [data for data in bundles if not any("papermill.record" in key for key in data)]
        images = sum(any(kind.startswith("image/") for kind in data) for data in bundles)
        tables = sum("".join(data.get("text/html", "")).count("<table") for data in bundles)
        expected += Counter(figures=images, tables=tables)
        figure = cell.metadata.get("mystnb", {}).get("figure")
        if figure is not None and not images:
            problems.append(f"the figure {figure.get('name')!r} was declared but not drawn")
        if figure is not None and not soup.select_one(f"figure[id={figure.get('name')!r}]"):
            problems.append(f"the figure {figure.get('name')!r} is not on the page")
        if "table" in cell.metadata.get("tags", []) and not tables:
            problems.append(f"a table was declared but not made: {cell.source[:60]!r}")
    seen = Counter(
        figures=len(soup.select(".cell_output img, .cell_output svg.figure")),
        tables=len(soup.select(".cell_output table")),
    )
    for name in ("figures", "tables"):
        if seen[name] < expected[name]:
            problems.append(f"{expected[name]} {name} were made, {seen[name]} are on the page")
        counts[name] += seen[name]
    return problems
