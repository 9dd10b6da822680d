"""One direction only: a notebook is derived from its script, the same bytes every time."""

from pathlib import Path

import jupytext
import nbformat

from covidlib.publish.places import Places, PublishError


def paired(script: Path) -> str:
    """Return the text of the output-free notebook of one percent script.

    Cell ids are counted, since jupytext would draw new ones at each conversion; jupytext's own
    metadata are left out, since they carry its version and invite a sync in the wrong direction.
    """
    notebook = jupytext.read(script)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"{script.stem}-{number:03d}"
    notebook.metadata.pop("jupytext", None)
    return nbformat.writes(notebook) + "\n"


def pair(script: Path) -> Path:
    """Write the notebook beside its script, only if it differs, and return its path."""
    target = script.with_suffix(".ipynb")
    text = paired(script)
    if not target.is_file() or target.read_text(encoding="utf-8") != text:
        target.write_text(text, encoding="utf-8")
    return target


def pair_all(places: Places) -> list[Path]:
    """Write every notebook.

    Raises:
        PublishError: a notebook has no script, so nothing would renew it.
    """
    targets = [pair(script) for script in places.scripts]
    orphans = set((places.root / "notebooks").rglob("*.ipynb")) - set(targets)
    orphans = {path for path in orphans if ".ipynb_checkpoints" not in path.parts}
    if orphans:
        names = sorted(str(path.relative_to(places.root)) for path in orphans)
        raise PublishError(f"notebooks without a script, delete them or write one: {names}")
    return targets
