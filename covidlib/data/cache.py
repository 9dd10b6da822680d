"""Every image of a data set decoded once, as uint8 arrays on disk."""

import json
import logging
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from filelock import FileLock

from covidlib.data.cache_building import ARRAYS, build
from covidlib.data.cache_manifest import damaged, essential, read_manifest
from covidlib.data.decoding import Problem, refuse
from covidlib.data.preprocessing import Preprocessing
from covidlib.data.table import Dataset
from covidlib.errors import DataError
from covidlib.files import digest_text
from covidlib.paths import cache_root

FORMAT = 1  # raise it when the same settings give other pixels

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cached:
    """A data set as arrays; row i of each belongs to row i of ``table``.

    Args:
        images: read-only memory map. Shape: (N, S, S), or (N, 3, S, S) in colour, uint8.
        lungs: 0 or 1, None unless asked for and known of any image. Shape: (N, S, S), uint8.
        lesions: likewise; a drawn mask without a lesion is all 0.
        has_lung: where ``lungs`` is known; elsewhere its rows mean nothing. Shape: (N,), bool.
        has_lesion: likewise.
        table: the rows kept, in the data set's order.
        skipped: what was left out.
        folder: where the arrays lie.
    """

    images: np.memmap
    lungs: np.memmap | None
    lesions: np.memmap | None
    has_lung: np.ndarray
    has_lesion: np.ndarray
    table: pd.DataFrame
    skipped: tuple[Problem, ...]
    folder: Path

    def __getstate__(self) -> dict[str, object]:
        """Name the files of the arrays: another process opens them instead of receiving pixels."""
        return {name: by_file(value) for name, value in self.__dict__.items()}

    def __setstate__(self, state: dict[str, object]) -> None:
        """Open the files again."""
        self.__dict__.update({name: opened(value) for name, value in state.items()})


@dataclass(frozen=True)
class Mapped:
    """Where a memory map lies."""

    file: str
    dtype: np.dtype
    offset: int
    shape: tuple[int, ...]


def by_file(value: object) -> object:
    """Return where a memory map lies, and anything else as it is."""
    if isinstance(value, np.memmap):
        return Mapped(value.filename, value.dtype, value.offset, value.shape)
    return value


def opened(value: object) -> object:
    """Return the memory map that ``by_file`` described, read-only, and anything else as it is."""
    if isinstance(value, Mapped):
        return np.memmap(value.file, value.dtype, "r", value.offset, value.shape)
    return value


def build_cache(
    dataset: Dataset,
    preprocessing: Preprocessing | None = None,
    masks: bool = False,
    *,
    workers: int | None = None,
    unreadable: Literal["stop", "skip"] = "stop",
    verify: bool = False,
) -> Cached:
    """Open the arrays of a data set, decoding it first unless that has been done.

    The folder under ``cache_root()/images`` is named by the data set's fingerprint without labels
    and splits (so that folds share it), the order of its rows and the settings. It appears by one
    rename, complete; a second builder waits for the first.

    Args:
        dataset: the images, and masks where known.
        preprocessing: defaults to ``Preprocessing()``.
        masks: keep lung and lesion masks too.
        workers: processes; None takes one per core, or none where the images are few.
        unreadable: "stop" raises one error that names every bad file, "skip" leaves their rows
            out and lists them in ``skipped``.
        verify: read all bytes against their SHA-256 and build again if one differs. Sizes are
            always checked.

    Raises:
        UnreadableImages: files that are missing, unreadable or break a contract, all of them; with
            "skip" too where no image is left.
        DataError: an empty table, or a setting out of range.
    """
    if unreadable not in ("stop", "skip"):
        raise DataError(f'unreadable is "stop" or "skip", got {unreadable!r}')
    if dataset.table.empty:
        raise DataError(f"{dataset.name}: the table holds no image")
    settings = preprocessing or Preprocessing()
    present, missing = _present(dataset.table)
    if present.empty:
        refuse(missing)
    dataset = replace(dataset, table=present)
    folder = cache_root() / "images" / _key(dataset, settings, masks)
    cached = _open(folder, present, verify)
    if cached is None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            # Another builder may have finished while this one waited.
            cached = _open(folder, present, verify)
            if cached is None:
                build(folder, present, settings, masks, workers)
                cached = _open(folder, present, verify)
    if cached is None:
        raise DataError(f"{folder} does not hold what was just written: the disk fails")
    cached = replace(cached, skipped=(*missing, *cached.skipped))
    if cached.skipped and (unreadable == "stop" or cached.table.empty):
        refuse(cached.skipped)
    return cached


def _present(table: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Divide a table into the rows whose files can be opened, and the files that cannot."""
    missing: list[Problem] = []
    keep = np.ones(len(table), bool)
    for column in ARRAYS.values():
        for row, path in enumerate(table[column]):
            if not pd.isna(path) and not (os.path.isfile(path) and os.access(path, os.R_OK)):
                reason = "no permission to read it" if os.path.isfile(path) else "no such file"
                missing.append(Problem(Path(path), reason))
                keep[row] = False
    return table[keep].reset_index(drop=True), missing


def _key(dataset: Dataset, settings: Preprocessing, masks: bool) -> str:
    table = dataset.table.assign(label=pd.NA, split=pd.NA)
    body = {
        "format": FORMAT,
        "pixels": replace(dataset, table=table).fingerprint,
        "order": digest_text("\n".join(table["sample"])),
        "settings": essential(settings),
        "masks": masks,
    }
    name = re.sub(r"[^\w.-]", "_", dataset.name)
    return f"{name}-{settings.size}-{digest_text(json.dumps(body, sort_keys=True))[:20]}"


def _open(folder: Path, table: pd.DataFrame, verify: bool) -> Cached | None:
    """Map a finished cache, or return None if there is none that can be trusted."""
    manifest = read_manifest(folder)
    if manifest is None:
        return None
    for name, fact in manifest["files"].items():
        file = folder / name
        if not file.is_file() or file.stat().st_size != fact["bytes"]:
            log.warning("%s has lost or gained bytes and is built again", file)
            return None
    if verify and (names := damaged(folder)):
        log.warning("%s: %s differ from their checksums and are built again", folder, names)
        return None
    skipped = [Problem(Path(table["path"].iloc[row]), why) for row, why in manifest["skipped"]]
    kept = table.drop(index=[row for row, _ in manifest["skipped"]]).reset_index(drop=True)
    settings = manifest["settings"]
    square = (settings["size"], settings["size"])
    shapes = {name: (len(kept), *square) for name in ARRAYS}
    if settings.get("colour"):
        shapes["images"] = (len(kept), 3, *square)
    try:
        arrays = {n: _map(folder / f"{n}.npy", shapes[n], manifest["files"]) for n in ARRAYS}
    except (FileNotFoundError, ValueError) as error:
        log.warning("%s is built again: %s", folder, error)
        return None
    return Cached(
        **arrays,
        has_lung=kept["lung_mask"].notna().to_numpy(bool),
        has_lesion=kept["lesion_mask"].notna().to_numpy(bool),
        table=kept,
        skipped=tuple(skipped),
        folder=folder,
    )


def _map(file: Path, shape: tuple[int, ...], files: dict[str, dict]) -> np.memmap | None:
    if file.name not in files:
        return None
    array = np.load(file, mmap_mode="r")
    if array.shape != shape or array.dtype != np.uint8:
        raise ValueError(f"{file.name} holds {array.dtype} {array.shape}, not uint8 {shape}")
    return array
