"""Get a data set from its original address: checked, resumable, all of it or nothing."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from filelock import FileLock

from covidlib.data import manifests
from covidlib.data.card_types import ANY, Card, Download
from covidlib.data.extraction import Limits, extract
from covidlib.data.fetching import ResumingDownloader
from covidlib.data.layouts import covidx, read
from covidlib.errors import DataError
from covidlib.paths import cache_root


def get(
    card: Card,
    root: Path,
    *,
    accept_unverified: bool = False,
    progress: bool = True,
    attempts: int = 4,
) -> Path:
    """Download, check and install one data set under the data root.

    Everything is put together in a hidden sibling folder and renamed at the end: the data set is
    there whole, or not at all. What a killed process left is removed by the next call, except
    the downloaded bytes, from which it goes on.

    Args:
        card: what to get.
        root: the data root; made if need be.
        accept_unverified: install files whose digest nobody has published. Their digests are
            recorded beside them, so that later changes show.
        progress: show bars.
        attempts: how many times to go on after a lost connection, per file.

    Returns:
        The folder.

    Raises:
        DataError: it cannot be downloaded by a program (the message says what to do), is already
            there, has a wrong digest, a hostile archive or wrong counts.
    """
    if not card.downloads:
        raise DataError(f"{card.name} cannot be downloaded by a program. {card.access}")
    target = root / card.name
    root.mkdir(parents=True, exist_ok=True)
    with _alone(root, card.name), _workshop(target) as workshop:
        if target.exists():
            raise DataError(f"{target} is already there; `covidlib data verify {card.name}`")
        _refuse_unverified(card, accept_unverified)
        fetched = [_fetch(card, d, progress, attempts) for d in card.downloads]
        for download, file in zip(card.downloads, fetched, strict=True):
            _place(card, download, file, workshop)
        check(card, workshop)
        manifests.write(workshop, workshop / manifests.INSTALLED)
        os.sync()  # a rename that survives a power cut must not outlive the files it names
        workshop.rename(target)
    for file in fetched:
        file.unlink()
    return target


def check(card: Card, folder: Path) -> None:
    """Compare a folder with the published checksums and the card's counts.

    Raises:
        DataError: a file differs from the published one or is absent, or the counts differ.
    """
    published = manifests.manifests(card.name, folder).get("published")
    if published:
        result = manifests.compare(folder, published, "published")
        if not result.passed:
            first = (*result.wrong, *result.absent)[0]
            raise DataError(
                f"{card.name}: {len(result.wrong)} files differ from the published ones and "
                f"{len(result.absent)} are absent, the first is {first}"
            )
    # COVIDx is counted in its label files: its images lie in other data sets.
    table = covidx.labels(folder) if card.layout == "covidx" else read(card, folder)
    if problems := differing_counts(card, table):
        raise DataError(f"{card.name} has other counts than published: {'; '.join(problems)}")


def differing_counts(card: Card, table: pd.DataFrame) -> list[str]:
    """Name every count of the card that a table does not have."""
    split, label = table["split"].fillna(""), table["label"].fillna("")
    problems = []
    for (part, name), expected in card.counts.items():
        found = int(((split == part) & ((label == name) | (name == ANY))).sum())
        if found != expected:
            place = " ".join(filter(None, (part, name)))
            problems.append(f"{place}: {found} instead of {expected}")
    return problems


def _refuse_unverified(card: Card, accepted: bool) -> None:
    if accepted or card.checksums:
        return
    if unknown := [d.url for d in card.downloads if d.sha256 is None]:
        raise DataError(
            f"{card.name}: nobody has published a checksum of {', '.join(unknown)}. "
            "With --accept-unverified it is installed all the same and its checksums recorded."
        )


def _fetch(card: Card, download: Download, progress: bool, attempts: int) -> Path:
    """Return one checked file of the download cache, fetched if need be."""
    import pooch

    home = cache_root() / "downloads"
    key = hashlib.sha256(download.url.encode()).hexdigest()[:16]
    name = f"{key}-{download.url.rsplit('/', 1)[-1]}"
    downloader = ResumingDownloader(
        home / f"{name}.part", max_bytes=card.max_bytes, attempts=attempts, progress=progress
    )
    known = f"sha256:{download.sha256}" if download.sha256 else None
    try:
        file = pooch.retrieve(
            download.url, known, fname=name, path=str(home), downloader=downloader
        )
    except ValueError as error:
        raise DataError(f"{download.url} is not what was published: {error}") from error
    return Path(file)


def _place(card: Card, download: Download, file: Path, workshop: Path) -> None:
    home = workshop / download.into
    home.mkdir(parents=True, exist_ok=True)
    if not download.unpack:
        shutil.copyfile(file, home / download.url.rsplit("/", 1)[-1])
        return
    limits = Limits(files=card.max_files, bytes=card.max_bytes)
    extract(file, home, limits=limits, strip=download.strip, keep=download.keep)


def _alone(root: Path, name: str) -> FileLock:
    """Return what lets one process at a time install a data set; it falls with its holder."""
    key = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]
    path = cache_root() / "locks" / f"{key}-{name}"
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path)


@contextmanager
def _workshop(target: Path) -> Iterator[Path]:
    """Give a hidden sibling of the target, empty; it is gone afterwards unless renamed."""
    workshop = target.with_name(f".{target.name}.partial")
    shutil.rmtree(workshop, ignore_errors=True)  # of a killed process: the lock is ours
    workshop.mkdir()
    try:
        yield workshop
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
