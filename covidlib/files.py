"""Files and folders that are there whole or not at all."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from covidlib.errors import CovidlibError


def writable(folder: Path) -> Path:
    """Return a folder after trying to write where it is, or would be made.

    For use before long work, whose result would be lost otherwise. Nothing is left behind.

    Raises:
        CovidlibError: files cannot be written there.
    """
    place = folder.absolute()
    try:
        while not place.exists():
            place = place.parent
        tempfile.TemporaryFile(dir=place).close()
    except OSError as error:
        raise CovidlibError(
            f"cannot write to the folder {folder}: {error.strerror}; name another place"
        ) from error
    return folder


def sync(path: Path) -> None:
    """Make a file's content, or a folder's list of names, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_text(text: str) -> str:
    """Return the SHA-256 of a text in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def below(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder, those behind links too, each folder's once."""
    seen = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(place)) in seen:  # a link to where we were
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        yield from (Path(place, name) for name in sorted(names))


def save(path: Path, text: str) -> Path:
    """Write a file whole or not at all; an older one is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        draft.write_text(text, "utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def once(target: Path, fill: Callable[[Path], object]) -> Path:
    """Fill a folder in a hidden sibling and rename it, unless it is there already.

    Two processes may call at once: both fill, one wins, both get the same folder. A killed process
    leaves a hidden sibling and no half folder.

    Args:
        target: the folder; made with its parents.
        fill: writes into the folder that it is given.
    """
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        fill(draft)
        draft.chmod(0o755)
        draft.rename(target)
    except OSError:
        if not target.is_dir():  # otherwise another process was faster
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target
