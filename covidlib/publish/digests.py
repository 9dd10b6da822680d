"""Content hashes that decide what must be made again."""

import hashlib
from collections.abc import Iterable
from importlib.metadata import distributions
from pathlib import Path

from covidlib.files import below, digest_file, digest_text

IGNORED = {"__pycache__", ".ipynb_checkpoints", ".DS_Store"}


def files_below(folder: Path) -> list[Path]:
    """Return every file of a folder, sorted, without caches of Python and Jupyter."""
    return sorted(
        path for path in below(folder) if path.is_file() and not IGNORED & set(path.parts)
    )


def digest_files(root: Path, files: Iterable[Path]) -> str:
    """Return the SHA-256 over names and bytes of some files below a root."""
    digest = hashlib.sha256()
    for path in files:
        content = digest_file(path)
        digest.update(f"{path.relative_to(root).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


def digest_listing(folder: Path) -> str:
    """Return the SHA-256 over names, sizes and times of a data folder.

    The bytes are not read: a data root can hold many gigabytes, and a changed image has a new
    time or size.
    """
    digest = hashlib.sha256()
    for path in files_below(folder):
        status = path.stat()
        name = path.relative_to(folder).as_posix()
        digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def digest_environment() -> str:
    """Return the SHA-256 over the names and versions of all installed packages."""
    found = {f"{dist.name}=={dist.version}" for dist in distributions()}
    return digest_text("\n".join(sorted(found)))
