"""Checksum manifests: what the files of a data set should be.

A packaged manifest is ``checksums/<name>.<kind>.csv`` with the columns path, sha256, bytes.
``published`` lists the files of the original release as far as their digests are known,
``reduced`` those of the smaller grey copy that is used in development. Beside them, a download
leaves ``checksums.csv`` in the data set's own folder.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from covidlib.errors import DataError
from covidlib.files import digest_file

INSTALLED = "checksums.csv"
Manifest = dict[str, tuple[str, int]]


@dataclass(frozen=True)
class Verification:
    """How the files of a data set compare with a manifest; paths relative to its folder."""

    manifest: str
    matching: int
    wrong: tuple[str, ...]
    absent: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every file of the manifest is there and right."""
        return self.matching > 0 and not self.wrong and not self.absent


def packaged(name: str) -> dict[str, str]:
    """Return the packaged manifests of one data set: kind to file name."""
    home = resources.files("covidlib.data") / "checksums"
    names = sorted(p.name for p in home.iterdir()) if home.is_dir() else []
    parts = [n.removesuffix(".csv").rsplit(".", 1) for n in names if n.endswith(".csv")]
    return {kind: f"{stem}.{kind}.csv" for stem, kind in parts if stem == name}


def manifests(name: str, folder: Path) -> dict[str, Manifest]:
    """Return all manifests that speak about a folder: the packaged ones and its own."""
    home = resources.files("covidlib.data") / "checksums"
    found = {
        kind: _parse((home / file).read_text("utf-8"), file)
        for kind, file in packaged(name).items()
    }
    if (folder / INSTALLED).is_file():
        found["installed"] = _parse((folder / INSTALLED).read_text("utf-8"), INSTALLED)
    return found


def compare(folder: Path, manifest: Manifest, kind: str) -> Verification:
    """Compare a folder with a manifest: sizes first, digests where the sizes agree."""
    wrong, absent = [], []
    for path, (sha256, size) in manifest.items():
        file = folder / path
        if not file.is_file():
            absent.append(path)
        elif file.stat().st_size != size or digest_file(file) != sha256:
            wrong.append(path)
    matching = len(manifest) - len(wrong) - len(absent)
    return Verification(kind, matching, tuple(wrong), tuple(absent))


def verify(name: str, folder: Path) -> Verification:
    """Return the comparison with the manifest that the folder matches best.

    Raises:
        DataError: no manifest speaks about this data set.
    """
    if folder.is_file():  # a zip in the data root stands for its folder and is listed by name
        folder = folder.parent
    found = manifests(name, folder)
    if not found:
        raise DataError(
            f"{name}: no checksums are on record. `covidlib data get {name}` leaves a record of "
            "what it installed; a folder that came another way cannot be verified."
        )
    results = [compare(folder, manifest, kind) for kind, manifest in found.items()]
    return max(results, key=lambda r: (r.passed, r.matching))


def write(folder: Path, target: Path, files: Iterable[Path] | None = None) -> int:
    """Write the manifest of a folder's files and return how many there are."""
    listed = sorted(p for p in files or folder.rglob("*") if p.is_file() and p != target)
    with open(target, "w", newline="", encoding="utf-8") as sink:
        rows = csv.writer(sink, lineterminator="\n")
        rows.writerow(("path", "sha256", "bytes"))
        for path in listed:
            row = (path.relative_to(folder).as_posix(), digest_file(path), path.stat().st_size)
            rows.writerow(row)
    return len(listed)


def _parse(text: str, where: str) -> Manifest:
    rows = list(csv.DictReader(text.splitlines()))
    try:
        return {r["path"]: (r["sha256"], int(r["bytes"])) for r in rows}
    except (KeyError, ValueError) as error:
        raise DataError(f"{where} is not a manifest (path, sha256, bytes): {error}") from error
