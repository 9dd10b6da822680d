"""Lay out what the builder reads, and build it with warnings as errors."""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import nbformat
import yaml

from covidlib.book import PHANTOMS, Parameters
from covidlib.files import digest_text
from covidlib.publish.digests import digest_environment, digest_files, files_below
from covidlib.publish.places import Places, PublishError

COPIED = ("_config.yml", "_toc.yml", "book", "assets", "ext")
# The name of a claim as text writes it, and its paper.
CLAIM = re.compile(r"`((msatl|magsd|manet)-Q\d+)`")
BUILDER = "from jupyter_book.cli.main import main; main()"


def stage(places: Places, parameters: Parameters) -> list[str]:
    """Fill the empty stage with prose, configuration, library sources and executed notebooks.

    Nothing is executed or written in the checkout itself. Recorded results travel with the book,
    under ``results``, so that a reader can follow a number to its record and its predictions.

    Returns:
        The pages of the book, in order.

    Raises:
        PublishError: a page of ``_toc.yml`` has no prose and no executed notebook.
    """
    shutil.rmtree(places.stage, ignore_errors=True)
    places.stage.mkdir(parents=True)
    skip = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for name in COPIED:
        source = places.root / name
        if source.is_dir():
            shutil.copytree(source, places.stage / name, ignore=skip)
        elif source.is_file():
            shutil.copy2(source, places.stage / name)
    _settle_buttons(places.stage / "_config.yml")
    results = places.stage / "book" / "results"
    if results.is_dir():
        shutil.move(results, places.stage / "assets" / "results")
    for path in (places.root / "covidlib").rglob("*.py"):
        _copy(path, places.stage / path.relative_to(places.root))
    pages = places.pages
    for page in pages:
        _stage_page(places, parameters, page)
    return pages


def _settle_buttons(config: Path) -> None:
    """Leave out the launch buttons of a book whose repository has no address: they would be dead.

    Raises:
        PublishError: the address is none that the buttons' services know.
    """
    settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    address = (settings.get("repository") or {}).get("url") or ""
    if address and not re.fullmatch(r"https://(github|gitlab)\.com/[\w.-]+/[\w.-]+", address):
        raise PublishError(
            f"repository.url in _config.yml is {address!r}; it should look like "
            "https://github.com/OWNER/NAME, or be empty"
        )
    if not address:
        settings.pop("repository", None)
        settings.pop("launch_buttons", None)
        config.write_text(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), "utf-8")


def _stage_page(places: Places, parameters: Parameters, page: str) -> None:
    if (places.stage / f"{page}.md").is_file():
        return
    if not (places.root / f"{page}.py").is_file():
        raise PublishError(f"_toc.yml names {page}, but there is no {page}.md and no {page}.py")
    executed = places.executed(parameters) / f"{page}.ipynb"
    if not executed.is_file():
        raise PublishError(f"{page} was not executed with these parameters")
    target = places.stage / f"{page}.ipynb"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(cleaned(executed), encoding="utf-8")


def cleaned(executed: Path) -> str:
    """Return an executed notebook without what belongs to this machine alone.

    papermill leaves its times and absolute paths, and a cell that repeats the parameters; their
    values go into the page's own cell, the data root without its path. Pictures get the
    alternative text that their figures gave of themselves, unless the script has a better one.
    Names of claims link to the claims.
    """
    notebook = nbformat.read(executed, as_version=4)
    used = notebook.metadata.pop("papermill", {}).get("parameters", {})
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = _with_values(cell.source, used)
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        _give_words(cell)
        if cell.cell_type == "markdown":
            cell.source = with_claim_links(cell.source)
    tags = [cell.metadata.get("tags", []) for cell in notebook.cells]
    notebook.cells = [
        cell
        for cell, own in zip(notebook.cells, tags, strict=True)
        if "injected-parameters" not in own
    ]
    return nbformat.writes(notebook) + "\n"


def _with_values(source: str, used: Mapping[str, object]) -> str:
    """Write the values that a page was made with over the defaults of its parameters.

    >>> _with_values('data = "phantoms"  # or a folder', {"data": "/home/me/images"})
    'data = "FOLDER"  # or a folder'
    """
    for name, value in used.items():
        shown = "FOLDER" if name == "data" and value != PHANTOMS else value
        source = re.sub(rf"(?m)^{name} = \S+", f"{name} = {json.dumps(shown)}", source)
    return source


def with_claim_links(text: str) -> str:
    """Link each claim that a notebook's text names to its block on the page of claims.

    The address is HTML's, because the block's anchor is made by a cell and the builder cannot
    know it; ``verify`` follows it afterwards.

    >>> with_claim_links("(`manet-Q08`)")
    '(<a href="../manet/claims.html#manet-q08"><code>manet-Q08</code></a>)'
    """
    return CLAIM.sub(
        lambda found: (
            f'<a href="../{found[2]}/claims.html#{found[1].lower()}"><code>{found[1]}</code></a>'
        ),
        text,
    )


def _give_words(cell: nbformat.NotebookNode) -> None:
    """Set the alternative text of a cell's pictures: the script's, their own, or the caption."""
    given = cell.metadata.get("mystnb", {})
    own = [
        output.get("metadata", {}).get("image/png", {}).get("alt", "")
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    if not own or given.get("image", {}).get("alt"):
        return
    words = "; ".join(text for text in own if text) or given.get("figure", {}).get("caption", "")
    cell.metadata["mystnb"] = {**given, "image": {**given.get("image", {}), "alt": words}}


def build(places: Places) -> bool:
    """Turn the stage into HTML, unless this very stage already is; return whether it was built.

    Raises:
        PublishError: the builder warned or failed.
    """
    stamp = places.build / "html.stamp"
    parts = [digest_files(places.stage, files_below(places.stage)), digest_environment()]
    key = digest_text("\n".join(parts))
    if stamp.is_file() and stamp.read_text() == key and (places.html / "index.html").is_file():
        return False
    stamp.unlink(missing_ok=True)
    work = places.build / "work"
    shutil.rmtree(work, ignore_errors=True)
    started = time.perf_counter()
    _run_builder(places.stage, work)
    made = work / "_build" / "html"
    if not (made / "index.html").is_file():
        raise PublishError("the builder reported success but made no index.html")
    shutil.rmtree(places.html, ignore_errors=True)
    made.replace(places.html)
    shutil.rmtree(work)
    stamp.write_text(key)
    print(f"built in {time.perf_counter() - started:.0f} s")
    return True


def _run_builder(source: Path, output: Path) -> None:
    """Run jupyter-book with every warning an error, and show what it says only if it fails."""
    command = [sys.executable, "-c", BUILDER, "build", str(source), "--path-output", str(output)]
    done = subprocess.run(
        [*command, "-W", "-n", "--keep-going", "--quiet"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if done.returncode:
        raise PublishError(f"the builder failed:\n{done.stdout.strip()}")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
