"""A folder of runs: each spec once, written whole or not at all."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from covidlib.errors import RunError
from covidlib.files import sync
from covidlib.paths import store_root
from covidlib.runs.history import HISTORY, remember
from covidlib.runs.record import RECORD, WEIGHTS, Record, recorded_folder
from covidlib.runs.spec import RunSpec


class Store:
    """Finished runs under ``root/<key>``, unfinished ones under ``root/.working/<key>``.

    Args:
        root: the folder; made when missing. None means ``covidlib.paths.store_root()``.

    Raises:
        RunError: it cannot be made.
    """

    def __init__(self, root: str | Path | None = None) -> None:
        self.root = store_root(root)
        try:
            (self.root / ".working").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(
                f"cannot make the folder of runs {self.root}: {error.strerror}; name another with "
                "--store or COVIDLIB_STORE"
            ) from error

    def get(self, spec: RunSpec) -> Record | None:
        """Return the finished run of a spec, or None."""
        folder = self.root / spec.key
        return Record(folder).check(spec) if (folder / RECORD).exists() else None

    def working(self, spec: RunSpec) -> Path:
        """Return the folder where an unfinished run keeps the state it can resume from."""
        folder = self.root / ".working" / spec.key
        folder.mkdir(exist_ok=True)
        return folder

    def lock(self, spec: RunSpec) -> FileLock:
        """Return the lock of a spec; it falls with the process that holds it, however it ends."""
        return FileLock(self.root / ".working" / f"{spec.key}.lock")

    def busy(self, spec: RunSpec) -> bool:
        """Say whether another process is making a run just now."""
        try:
            with self.lock(spec).acquire(timeout=0):
                return False
        except Timeout:
            return True

    def add(self, spec: RunSpec, write: Callable[[Path], None]) -> Record:
        """Let ``write`` fill a temporary folder, then give it its name in one step."""
        target = self.root / spec.key
        for leftover in self.root.glob(f".draft-{spec.key}-*"):
            shutil.rmtree(leftover)  # of a writer that was killed, or the lock would not be ours
        place(target, write)
        self.forget(spec)
        return Record(target)

    def forget(self, spec: RunSpec) -> None:
        """Delete the state of a run."""
        shutil.rmtree(self.root / ".working" / spec.key, ignore_errors=True)

    def discard(self, spec: RunSpec) -> None:
        """Delete a finished run; only drawn images, which can be drawn again, warrant it."""
        shutil.rmtree(self.root / spec.key)

    def records(self) -> list[Record]:
        """Return every finished run, by key."""
        paths = sorted(self.root.glob(f"[!.]*/{RECORD}"))  # a draft's name starts with a dot
        return [Record(path.parent) for path in paths]

    def named(self, text: str) -> list[Record]:
        """Return the run whose key is a text; without one, all whose keys contain it."""
        found = [record for record in self.records() if text in record.key]
        return [record for record in found if record.key == text] or found


def place(target: Path, write: Callable[[Path], None]) -> None:
    """Fill a folder beside ``target`` and rename it; a folder that exists is never replaced.

    Raises:
        RunError: ``target`` exists.
    """
    if target.exists():
        raise RunError(f"{target} exists; a finished run is never overwritten")
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.parent / f".draft-{target.name}-{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    try:
        write(draft)
        for path in [*draft.iterdir(), draft]:
            sync(path)
        draft.rename(target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    sync(target.parent)


def publish(record: Record, results: Path) -> Path:
    """Copy a run without its weights into the repository's recorded results and their history.

    A run that another paper's results hold, such as the finder of lungs, is left there.

    Args:
        record: a finished run.
        results: the folder of one paper, ``book/results/<paper>``.

    Raises:
        RunError: the run saw phantoms, is a smoke run, or came from an uncommitted library.
    """
    provenance = record.provenance
    if provenance["phantom"] or provenance["profile"] == "smoke":
        raise RunError(f"{record.key} is a phantom or smoke run; only real data are recorded")
    if provenance["dirty"]:
        raise RunError(f"{record.key} came from a library that differs from its commit")
    target = results / record.key
    known = recorded_folder(results.parent, results.name, record.key)
    if known == target and Record(target).body != record.body:
        raise RunError(f"{target} holds another run of the same spec; it is never replaced")
    if known is not None:
        return known

    def copy(draft: Path) -> None:
        for path in record.folder.iterdir():
            if path.name != WEIGHTS:
                shutil.copyfile(path, draft / path.name)

    place(target, copy)
    remember([(results.name, Record(target))], results.parent / HISTORY)
    return target
