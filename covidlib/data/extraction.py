"""Unpack archives that may be hostile."""

import stat
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from covidlib.errors import DataError

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What an archive may unpack to.

    Args:
        files: number of members.
        bytes: sum of the unpacked sizes, counted while writing: headers may lie.
    """

    files: int = 200_000
    bytes: int = 20 * 2**30


@dataclass(frozen=True)
class _Member:
    name: str
    is_folder: bool
    handle: object


def extract(
    archive: Path,
    target: Path,
    *,
    limits: Limits | None = None,
    strip: int = 0,
    keep: tuple[str, ...] = (),
) -> int:
    """Unpack a zip or tar file, regular files only, and return how many were written.

    Args:
        archive: the file.
        target: an existing folder.
        limits: what to refuse.
        strip: leading path components to drop; a member with no more than these is skipped.
        keep: only members whose stripped path starts with one of these; empty keeps all.

    Raises:
        DataError: the archive is broken, holds a path that leaves the target, a link, a device,
            an encrypted member or the same path twice, or exceeds the limits. All of it is
            refused, also in members that would not be kept.
    """
    limits = limits or Limits()
    written, seen = 0, set()
    try:
        with closing(_open(archive)) as file:
            members = list(_members(file, archive, limits))
            for member in members:
                place = _stripped(_safe(member.name, archive), strip)
                if member.is_folder or place is None or not _kept(place, keep):
                    continue
                # Case is folded: on some file systems A.png would silently replace a.png.
                if (folded := str(place).casefold()) in seen:
                    raise DataError(f"{archive}: {member.name!r} is there twice")
                seen.add(folded)
                written += _write(file, member, target / place, limits.bytes - written, archive)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError, RuntimeError) as error:
        raise DataError(f"{archive}: cannot be unpacked: {error}") from error
    return len(seen)


def _open(archive: Path) -> zipfile.ZipFile | tarfile.TarFile:
    if zipfile.is_zipfile(archive):
        return zipfile.ZipFile(archive)
    return tarfile.open(archive)


def _members(file: zipfile.ZipFile | tarfile.TarFile, archive: Path, limits: Limits) -> Iterator:
    """Yield the members, none of them a link, device or encrypted, not more than allowed."""
    total = 0
    for number, info in enumerate(file.infolist() if _is_zip(file) else file, 1):
        if number > limits.files:
            raise DataError(f"{archive}: more than {limits.files} members")
        # Before a tar file is read on: to reach the next member means to unpack this one.
        total += info.file_size if _is_zip(file) else info.size
        if total > limits.bytes:
            raise DataError(f"{archive}: unpacks to more than is allowed")
        if _is_zip(file):
            kind = stat.S_IFMT(info.external_attr >> 16)
            regular, folder = kind in (0, stat.S_IFREG, stat.S_IFDIR), info.is_dir()
            if info.flag_bits & 1:
                raise DataError(f"{archive}: {info.filename!r} is encrypted")
            name = info.filename
        else:
            regular, folder, name = info.isfile() or info.isdir(), info.isdir(), info.name
        if not regular:
            raise DataError(f"{archive}: {name!r} is a link or a device")
        yield _Member(name, folder, info)


def _is_zip(file: object) -> bool:
    return isinstance(file, zipfile.ZipFile)


def _safe(name: str, archive: Path) -> PurePosixPath:
    """Return a member's path, refused when it could leave the target on any system."""
    path = PurePosixPath(name)
    bad = path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name
    if bad or not path.parts or ":" in path.parts[0]:
        raise DataError(f"{archive}: {name!r} leaves the target folder")
    return path


def _stripped(path: PurePosixPath, strip: int) -> PurePosixPath | None:
    # macOS adds its own folder of resource forks beside the real one.
    if path.parts[0] == "__MACOSX" or len(path.parts) <= strip:
        return None
    return PurePosixPath(*path.parts[strip:])


def _kept(path: PurePosixPath, keep: tuple[str, ...]) -> bool:
    return not keep or str(path).startswith(keep)


def _write(file, member: _Member, target: Path, room: int, archive: Path) -> int:
    """Write one member and return its size; stop as soon as it exceeds the room left."""
    target.parent.mkdir(parents=True, exist_ok=True)
    opened: IO[bytes] = (
        file.open(member.handle) if _is_zip(file) else file.extractfile(member.handle)
    )
    size = 0
    with opened as source, open(target, "xb") as sink:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > room:
                raise DataError(f"{archive}: unpacks to more than is allowed, at {member.name!r}")
            sink.write(chunk)
    return size
