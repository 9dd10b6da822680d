"""Links and resources of the built pages: whole, and none from outside."""

import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup, Tag

LOADED_RELS = {"stylesheet", "preload", "prefetch", "modulepreload", "icon", "manifest"}
SOURCES = {
    "img": "src",
    "script": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
    "object": "data",
    "link": "href",
}
STYLE_URL = re.compile(r"""(?:url\(\s*["']?|@import\s+["'])([^"')\s]+)""")


def local_target(html: Path, page: str, address: str) -> tuple[Path, str] | None:
    """Resolve an address of a page to a file of the book and an anchor; None if it leaves it."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return None
    here = html / f"{page}.html"
    path = (here.parent / unquote(parts.path)).resolve() if parts.path else here.resolve()
    return path, unquote(parts.fragment)


def resource_problems(html: Path, page: str, soup: BeautifulSoup) -> list[str]:
    """Check that whatever the page loads by itself is a file of the book with something in it."""
    problems = []
    for tag, address in _loaded(soup):
        if address.startswith("data:"):
            continue
        target = local_target(html, page, address)
        if target is None:
            problems.append(f"<{tag}> loads {address} from outside")
        elif not target[0].is_file():
            problems.append(f"<{tag}> loads {address}, which is missing")
        elif not target[0].stat().st_size:
            problems.append(f"<{tag}> loads {address}, which is empty")
    return problems


def _loaded(soup: BeautifulSoup) -> list[tuple[str, str]]:
    """List every element that makes a browser fetch something, with its address."""
    found = []
    for tag, attribute in SOURCES.items():
        for element in soup.find_all(tag):
            address = element.get(attribute)
            if address and (tag != "link" or LOADED_RELS & set(element.get("rel", []))):
                found.append((tag, address))
    return found


def link_problems(
    html: Path,
    page: str,
    soup: BeautifulSoup,
    soups: dict[str, BeautifulSoup],
    counts: Counter[str],
) -> list[str]:
    """Check that every link into the book ends at a file, and every anchor at an element."""
    problems = set()
    for link in soup.find_all("a", href=True):
        target = local_target(html, page, link["href"])
        if target is None:
            continue
        counts["links"] += 1
        path, anchor = target
        if not path.is_file():
            problems.add(f"the link {link['href']} ends nowhere")
        elif anchor and path.suffix == ".html":
            name = path.relative_to(html.resolve()).with_suffix("").as_posix()
            if name in soups and not _anchors(soups[name], anchor):
                problems.add(f"the link {link['href']} names an anchor that is not there")
    return sorted(problems)


def _anchors(soup: BeautifulSoup, anchor: str) -> Tag | None:
    return soup.find(id=anchor) or soup.find("a", attrs={"name": anchor})


def style_problems(html: Path) -> list[str]:
    """Check that no style sheet fetches a font, picture or sheet from outside."""
    problems = []
    for sheet in sorted(html.rglob("*.css")):
        for address in STYLE_URL.findall(sheet.read_text(encoding="utf-8", errors="replace")):
            if address.startswith(("http:", "https:", "//")):
                problems.append(f"{sheet.relative_to(html)} loads {address} from outside")
    return problems
