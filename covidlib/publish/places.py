"""Where the book's sources and products lie."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from covidlib.book import Parameters
from covidlib.errors import CovidlibError
from covidlib.files import digest_text


class PublishError(CovidlibError):
    """A book that cannot be made as asked, or that came out wrong."""


@dataclass(frozen=True)
class Places:
    """The checkout and its build folder.

    Args:
        root: the folder of ``_toc.yml``.
        build: the folder of everything derived.

    Raises:
        PublishError: the root has no ``_toc.yml``.
    """

    root: Path
    build: Path

    def __post_init__(self) -> None:
        if not (self.root / "_toc.yml").is_file():
            raise PublishError(f"{self.root} has no _toc.yml: start in the repository's root")

    @property
    def scripts(self) -> list[Path]:
        """Every percent script, sorted."""
        found = (self.root / "notebooks").rglob("*.py")
        return sorted(path for path in found if ".ipynb_checkpoints" not in path.parts)

    @property
    def stage(self) -> Path:
        """The sources as the builder sees them: prose, configuration, executed notebooks."""
        return self.build / "stage"

    @property
    def html(self) -> Path:
        """The finished book."""
        return self.build / "html"

    def executed(self, parameters: Parameters) -> Path:
        """Return the folder of notebooks executed with these parameters."""
        if parameters.phantom:
            data = "phantoms"
        else:
            data = f"data-{digest_text(parameters.absolute().data)[:8]}"
        return self.build / "executed" / f"{parameters.profile}-{data}-seed{parameters.seed}"

    @property
    def pages(self) -> list[str]:
        """Names of the pages in ``_toc.yml``, in order, without suffix.

        Raises:
            PublishError: a page is named twice.
        """
        toc = yaml.safe_load((self.root / "_toc.yml").read_text(encoding="utf-8"))
        names = list(_entries(toc))
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise PublishError(f"_toc.yml names these pages twice: {twice}")
        return names


def _entries(node: Any) -> Iterator[str]:
    """Yield every ``root`` and ``file`` of a table of contents in reading order."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("root", "file"):
                yield str(Path(value).with_suffix("") if Path(value).suffix else value)
            else:
                yield from _entries(value)
    elif isinstance(node, list):
        for item in node:
            yield from _entries(item)
