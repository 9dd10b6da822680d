"""Every image of a data set decoded once, as uint8 arrays on disk."""

import hashlib
import json
import logging
import math
import os
import re
import shutil
import sys
import uuid
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import PIL
from filelock import FileLock
from joblib import Parallel, delayed
from tqdm import tqdm

from covidlib.data.decoding import Problem, read_colour, read_mask, read_uint8, refuse
from covidlib.data.preprocessing import Preprocessing, prepare, prepare_mask
from covidlib.data.table import Dataset
from covidlib.errors import DataError
from covidlib.files import sync
from covidlib.paths import cache_root

FORMAT = 1  # raise it when the same settings give other pixels
CHUNK = 32  # rows that a worker takes at a time
# Below this many seconds of work, starting processes costs more than it saves; and the work of one
# core, measured: bytes of PNG or JPEG a second, and seconds of CLAHE for a million pixels.
FEW_SECONDS, BYTES_A_SECOND, CLAHE_SECONDS = 2.0, 25e6, 0.1
ARRAYS = {"images": "path", "lungs": "lung_mask", "lesions": "lesion_mask"}

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
                _build(folder, present, settings, masks, workers)
                cached = _open(folder, present, verify)
    if cached is None:
        raise DataError(f"{folder} does not hold what was just written: the disk fails")
    cached = replace(cached, skipped=(*missing, *cached.skipped))
    if cached.skipped and (unreadable == "stop" or cached.table.empty):
        refuse(cached.skipped)
    return cached


def damaged(folder: Path) -> list[str]:
    """Read a finished cache against its SHA-256 and name the files that differ.

    >>> damaged(Path("no-such-cache"))
    ['manifest.json']
    """
    manifest = _read_manifest(folder)
    if manifest is None:
        return ["manifest.json"]
    facts = manifest["files"].items()
    return [name for name, fact in facts if _describe(folder / name) != fact]


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
        "order": _digest("\n".join(table["sample"])),
        "settings": _known(settings),
        "masks": masks,
    }
    name = re.sub(r"[^\w.-]", "_", dataset.name)
    return f"{name}-{settings.size}-{_digest(json.dumps(body, sort_keys=True))[:20]}"


def _known(settings: Preprocessing) -> dict:
    """Return the settings without colour where it is not asked for: older caches keep their key."""
    return {k: v for k, v in asdict(settings).items() if k != "colour" or v}


def _open(folder: Path, table: pd.DataFrame, verify: bool) -> Cached | None:
    """Map a finished cache, or return None if there is none that can be trusted."""
    manifest = _read_manifest(folder)
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


def _build(
    folder: Path, table: pd.DataFrame, settings: Preprocessing, masks: bool, workers: int | None
) -> None:
    """Write the arrays beside ``folder``, then rename; whoever calls holds the lock."""
    for leftover in folder.parent.glob(f"{folder.name}.partial-*"):
        shutil.rmtree(leftover)  # of a builder that was killed, or the lock would not be ours
    # A new name each time: a worker that outlived its builder must not find the next one's files.
    partial = folder.parent / f"{folder.name}.partial-{uuid.uuid4().hex}"
    partial.mkdir()
    try:
        names = [
            n for n, c in ARRAYS.items() if n == "images" or (masks and table[c].notna().any())
        ]
        for name in names:
            shape = settings.shape if name == "images" else (settings.size, settings.size)
            _reserve(partial / f"{name}.npy", (len(table), *shape))
        skipped = _fill(partial, table, settings, names, workers)
        for name in names:
            _drop_rows(partial / f"{name}.npy", [row for row, _ in skipped])
        _write_manifest(partial, names, skipped, settings)
        if folder.exists():
            os.rename(folder, f"{partial}-replaced")
        os.rename(partial, folder)
        sync(folder.parent)
    finally:
        for leftover in folder.parent.glob(f"{partial.name}*"):
            shutil.rmtree(leftover)
    log.info("built %s: %d images, %d skipped", folder, len(table) - len(skipped), len(skipped))


def _reserve(path: Path, shape: tuple[int, ...]) -> np.memmap:
    """Create an array of zeros with its disk space: a full disk would kill a memory map later."""
    array = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    if hasattr(os, "posix_fallocate"):
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def _fill(
    folder: Path,
    table: pd.DataFrame,
    settings: Preprocessing,
    names: list[str],
    workers: int | None,
) -> list[tuple[int, str]]:
    """Decode all rows into the arrays; return (row, reason) of those that fail."""
    rows = list(enumerate(table[list(ARRAYS.values())].itertuples(index=False, name=None)))
    chunks = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
    if workers is None:
        workers = 1 if _work(table, settings) < FEW_SECONDS else -1
    # loky: fresh interpreters, so that no lock or CUDA state is inherited, and orphans time out.
    parallel = Parallel(n_jobs=workers, backend="loky", return_as="generator_unordered")
    results = parallel(delayed(_fill_rows)(folder, chunk, settings, names) for chunk in chunks)
    failed = []
    with tqdm(total=len(rows), unit="img", desc="decoding", disable=not sys.stderr.isatty()) as bar:
        for done, bad in results:
            bar.update(done)
            failed += bad
    return sorted(failed)


def _work(table: pd.DataFrame, settings: Preprocessing) -> float:
    """Estimate the seconds that one core needs."""
    reading = sum(os.path.getsize(path) for path in table["path"]) / BYTES_A_SECOND
    pixels = 0 if settings.clahe_clip is None else len(table) * settings.size**2
    return reading + pixels / 1e6 * CLAHE_SECONDS


def _fill_rows(
    folder: Path,
    rows: list[tuple[int, tuple[str, ...]]],
    settings: Preprocessing,
    names: list[str],
) -> tuple[int, list[tuple[int, str]]]:
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r+") for name in names}
    failed = []
    for row, paths in rows:
        try:
            made = _prepare_files(dict(zip(ARRAYS, paths, strict=True)), settings, names)
        except DataError as error:
            failed.append((row, str(error)))
            continue
        for name, values in made.items():
            arrays[name][row] = values
    for array in arrays.values():
        array.flush()
    return len(rows), failed


def _prepare_files(
    files: dict[str, str], settings: Preprocessing, names: list[str]
) -> dict[str, np.ndarray]:
    """Return the rows of one image for the arrays in ``names``, those that are known."""
    image = (read_colour if settings.colour else read_uint8)(files["images"], settings.window)
    wanted = [*names, "lungs"] if settings.apply_lung_mask else names
    masks = {
        name: _matching_mask(file, image.shape[:2])
        for name, file in files.items()
        if name != "images" and name in wanted and not pd.isna(file)
    }
    lung = masks.get("lungs")
    if settings.apply_lung_mask and (lung is None or not lung.any()):
        raise DataError("its lung mask is missing or empty, and apply_lung_mask is set")
    made = {name: prepare_mask(mask, settings) for name, mask in masks.items() if name in names}
    return {"images": prepare(image, settings, lung), **made}


def _matching_mask(file: str, shape: tuple[int, ...]) -> np.ndarray:
    try:
        mask = read_mask(file)
        # A mask may be drawn on a smaller copy, but of the same view: a turned one is wrong.
        if abs(math.log(mask.shape[0] * shape[1] / (mask.shape[1] * shape[0]))) > 0.02:
            raise DataError(f"{mask.shape[::-1]} pixels for an image of {shape[::-1]}")
    except DataError as error:
        raise DataError(f"its mask {file}: {error}") from error
    return mask


def _drop_rows(path: Path, rows: list[int]) -> None:
    """Rewrite an array without some of its rows."""
    if not rows:
        return
    full = np.load(path, mmap_mode="r")
    kept = np.setdiff1d(np.arange(len(full)), rows)
    shorter = _reserve(path.with_suffix(".shorter"), (len(kept), *full.shape[1:]))
    for start in range(0, len(kept), CHUNK):
        shorter[start : start + CHUNK] = full[kept[start : start + CHUNK]]
    shorter.flush()
    os.replace(path.with_suffix(".shorter"), path)


def _write_manifest(
    folder: Path, names: list[str], skipped: list[tuple[int, str]], settings: Preprocessing
) -> None:
    files = [folder / f"{name}.npy" for name in names]
    body = {
        "files": {file.name: _describe(file) for file in files},
        "settings": _known(settings),
        "skipped": skipped,
        "versions": {"numpy": np.__version__, "pillow": PIL.__version__},
    }
    text = json.dumps(body, indent=1)
    (folder / "manifest.json").write_text(json.dumps({"sha256": _digest(text), "body": text}))
    for path in [*files, folder / "manifest.json", folder]:
        sync(path)


def _read_manifest(folder: Path) -> dict | None:
    """Return the manifest, None if it is absent or was altered."""
    try:
        outer = json.loads((folder / "manifest.json").read_bytes())
        return json.loads(outer["body"]) if _digest(outer["body"]) == outer["sha256"] else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _describe(file: Path) -> dict[str, int | str]:
    if not file.is_file():
        return {}
    with open(file, "rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return {"bytes": file.stat().st_size, "sha256": digest}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
