"""A folder of decoded images, made whole or not at all."""

import logging
import math
import os
import shutil
import sys
import uuid
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from covidlib.data.cache_manifest import write_manifest
from covidlib.data.decoding import read_colour, read_mask, read_uint8
from covidlib.data.preprocessing import Preprocessing, prepare, prepare_mask
from covidlib.errors import DataError
from covidlib.files import sync

CHUNK = 32  # rows that a worker takes at a time
# Below this many seconds of work, starting processes costs more than it saves; and the work of one
# core, measured: bytes of PNG or JPEG a second, and seconds of CLAHE for a million pixels.
FEW_SECONDS, BYTES_A_SECOND, CLAHE_SECONDS = 2.0, 25e6, 0.1
ARRAYS = {"images": "path", "lungs": "lung_mask", "lesions": "lesion_mask"}

log = logging.getLogger(__name__)


def build(
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
        write_manifest(partial, names, skipped, settings)
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
