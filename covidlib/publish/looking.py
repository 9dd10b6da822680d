"""What a browser sees on one page that its source does not tell."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from covidlib.publish.verification import words

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
LOCAL = ("file:", "data:", "blob:", "about:")
# axe reads style sheets by XMLHttpRequest unless told not to; a page from disk may not.
AXE = {"preload": False}
# Formulas are thousands of elements with one look, and MathJax gives them their own words.
SCOPE = {"exclude": [["mjx-container"]]}
# What depends on the width or the colours; everything else is the same as on the phone.
AGAIN = ["color-contrast", "region", "landmark-unique"]
RESIZED = 600  # milliseconds, after which the theme has found out what scrolls now
SETTLED = """async () => {
  if (window.MathJax && MathJax.startup && MathJax.startup.promise) await MathJax.startup.promise;
  await document.fonts.ready;
}"""
WIDE = """() => {
  const wide = document.documentElement.scrollWidth;
  if (wide <= window.innerWidth + 1) return null;
  const out = [...document.querySelectorAll("body *")].filter(
    e => e.getBoundingClientRect().right > window.innerWidth + 1);
  const last = out.filter(e => ![...e.children].some(c => out.includes(c)))[0];
  return `${wide} pixels wide` + (last ? `, because of <${last.tagName.toLowerCase()} class="${
    last.className}">` : "");
}"""
PICTURES = """() => [...document.querySelectorAll("img")].map(e => ({
  source: (e.getAttribute("src") || "").slice(0, 80), alt: e.getAttribute("alt"),
  drawn: e.complete && e.naturalWidth > 0,
  hidden: e.getClientRects().length === 0,
  silent: e.matches('[aria-hidden="true"], [role="presentation"]')}))"""
# A widget's twin is the next picture or table of an output after it, before the next widget.
TWINS = """() => {
  const views = [...document.querySelectorAll(
    'script[type="application/vnd.jupyter.widget-view+json"]')];
  const after = (a, b) => a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING;
  const parts = [...document.querySelectorAll(".cell_output img, .cell_output table")].filter(
    e => !e.closest(".widget-subarea"));
  return views.map((view, i) => {
    const twin = parts.find(e => after(view, e) && (!views[i + 1] || after(e, views[i + 1])));
    const box = twin && twin.getBoundingClientRect();
    const area = view.previousElementSibling;
    return {drawn: !!area && area.matches(".widget-subarea") && area.offsetHeight > 20,
            twin: !!box && box.width > 40 && box.height > 20};
  });
}"""
SHOWN = """() => [...document.querySelectorAll(".jp-Stack, .widget-stack, .lm-StackedPanel")].map(
  s => [...s.children].findIndex(c => c.getClientRects().length > 0)).join()"""
FOCUS = """() => {
  const e = document.activeElement;
  if (!e || e === document.body) return null;
  return {where: e.closest("main, #main-content, article") ? "main" : "around",
          what: e.tagName.toLowerCase() + (e.id ? "#" + e.id : ""),
          shown: e.getClientRects().length > 0};
}"""


def look(
    browser: "Browser",
    context: Callable[..., "BrowserContext"],
    path: Path,
    counts: Counter[str],
) -> tuple[list[str], str]:
    """Open one page from disk and return what is wrong with it, and its final HTML.

    Seen are: errors in the console, requests to other hosts, pictures, widgets and their twins
    (with and without scripts), the width on a phone, the keyboard, and what axe-core finds in the
    light and the dark colours.

    Args:
        browser: open.
        context: makes a fresh profile.
        path: of the page.
        counts: is counted up: pictures, widgets.
    """
    problems: list[str] = []
    page = context(browser).new_page()
    _listen(page, problems)
    page.goto(path.resolve().as_uri())
    page.evaluate(SETTLED)
    views = page.locator('script[type="application/vnd.jupyter.widget-view+json"]').count()
    if views:
        page.wait_for_timeout(1000)  # widgets say nowhere that they are drawn
    problems += picture_problems(page, counts)
    if wide := page.evaluate(WIDE):
        problems.append(f"on a phone of {PHONE['width']} pixels the page is {wide}")
    if views:
        problems += widget_problems(page, counts)
        problems += _twins_without_scripts(browser, context, path)
    page.set_viewport_size(DESK)
    problems += keyboard_problems(page)
    problems += accessibility_problems(page)
    content = page.content()
    page.context.close()
    return problems, content


def _listen(page: "Page", problems: list[str]) -> None:
    def console(message) -> None:
        if message.type == "error":
            problems.append(f"the console says: {message.text[:200]}")

    def request(asked) -> None:
        if not asked.url.startswith(LOCAL):
            problems.append(f"the page asks for {asked.url[:200]} from outside")

    page.on("console", console)
    page.on("pageerror", lambda error: problems.append(f"a script fails: {str(error)[:200]}"))
    page.on("request", request)
    page.on("requestfailed", lambda r: problems.append(f"{r.url[-120:]} does not load"))


def picture_problems(page: "Page", counts: Counter[str]) -> list[str]:
    """Check that every picture is drawn and has words for those who do not see it."""
    problems = []
    for found in page.evaluate(PICTURES):
        counts["pictures"] += 1
        name = found["source"]
        if not found["drawn"] and not found["hidden"]:
            problems.append(f"the picture {name} is not drawn")
        if not found["silent"] and not words(found["alt"]):
            problems.append(f"the picture {name} has no alternative text")
    return problems


def widget_problems(page: "Page", counts: Counter[str]) -> list[str]:
    """Check that every widget is drawn, obeys the keyboard and has a visible twin."""
    problems = []
    for number, found in enumerate(page.evaluate(TWINS), 1):
        counts["widgets"] += 1
        if not found["drawn"]:
            problems.append(f"widget {number} is not drawn")
        if not found["twin"]:
            problems.append(f"widget {number} has no visible twin after it")
    for number, handle in enumerate(page.locator('[role="slider"]').all(), 1):
        if not handle.is_visible():
            continue
        before, shown = handle.get_attribute("aria-valuenow"), page.evaluate(SHOWN)
        handle.focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(100)
        if handle.get_attribute("aria-valuenow") == before:
            problems.append(f"slider {number} does not obey the arrow keys")
        elif shown and page.evaluate(SHOWN) == shown:
            problems.append(f"slider {number} moves and shows the same picture")
    return problems


def _twins_without_scripts(
    browser: "Browser", context: Callable[..., "BrowserContext"], path: Path
) -> list[str]:
    page = context(browser, java_script_enabled=False).new_page()
    page.goto(path.resolve().as_uri())
    twins = [found["twin"] for found in page.evaluate(TWINS)]
    page.context.close()
    return [
        f"without scripts, widget {number} has no visible twin"
        for number, there in enumerate(twins, 1)
        if not there
    ]


def keyboard_problems(page: "Page", steps: int = 8) -> list[str]:
    """Walk by Tab: to the text by the skip link, and on from there without being caught."""
    page.evaluate("() => { document.activeElement.blur(); window.scrollTo(0, 0); }")
    skip = page.locator("a[href='#main-content']").first
    if not skip.count():
        return ["there is no link that skips to the text"]
    skip.focus()
    page.keyboard.press("Enter")
    seen: list[str] = []
    for _ in range(steps):
        page.keyboard.press("Tab")
        found = page.evaluate(FOCUS)
        if found is None:
            break
        if not found["shown"]:
            return [f"Tab leads to an element that nobody sees: {found['what']}"]
        seen.append(found["where"])
    if "main" not in seen:
        return ["after the skip link, Tab does not lead into the text"]
    return []


def accessibility_problems(page: "Page") -> list[str]:
    """Return what axe-core objects to: on a phone, at a desk, and there in dark colours too."""
    again = AXE | {"runOnly": {"type": "rule", "values": AGAIN}}
    page.set_viewport_size(PHONE)
    page.wait_for_timeout(RESIZED)
    problems = [f"axe, phone: {line}" for line in _axe(page, AXE)]
    page.set_viewport_size(DESK)
    page.wait_for_timeout(RESIZED)
    problems += [f"axe, desk: {line}" for line in _axe(page, again)]
    page.evaluate("() => { document.documentElement.dataset.theme = 'dark'; }")
    page.wait_for_timeout(RESIZED)  # colours change gradually
    return problems + [f"axe, dark colours: {line}" for line in _axe(page, again)]


def _axe(page: "Page", options: dict) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, context=SCOPE, options=options).response["violations"]
    return [
        f"{rule['id']} ({rule['impact']}, {len(rule['nodes'])} times): "
        + " ".join(rule["nodes"][0]["html"].split())[:160]
        for rule in found
    ]
