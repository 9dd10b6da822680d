"""From labels to finished images, for both modalities."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from covidlib.data.phantoms import ct_findings, cxr_findings
from covidlib.data.phantoms.acquisition import (
    CT_STYLES,
    CXR_STYLES,
    Style,
    annotate,
    draw_markers,
    expose,
)
from covidlib.data.phantoms.ct import draw_slices
from covidlib.data.phantoms.cxr import draw_chests
from covidlib.data.phantoms.settings import (
    CT_CLASSES,
    CXR_CLASSES,
    PhantomBatch,
    check_drawing,
    check_labels,
)
from covidlib.errors import DataError

CHUNK = 16  # images drawn together: large enough for numpy, small enough for the caches
Parts = dict[str, np.ndarray]


def draw_ct(
    n: int,
    size: int = 96,
    labels: np.ndarray | None = None,
    seed: int = 0,
    difficulty: float = 0.3,
    shortcut: float = 0.0,
    *,
    patients: np.ndarray | None = None,
    sources: np.ndarray | None = None,
    markers: np.ndarray | None = None,
    finish: bool = True,
) -> PhantomBatch:
    """Draw axial CT slices with and without COVID-19.

    COVID-19 (class 1) is ground glass in several peripheral, mostly posterior patches on both
    sides, partly consolidated. NonCOVID (class 0) is a healthy lung or one of the findings in
    ``ct_findings.OTHER``, among them imitators such as central oedema.

    Args:
        n: number of slices.
        size: pixels of a side.
        labels: class numbers in the order of ``CT_CLASSES``; None is a balanced random order.
        seed: equal arguments give equal bytes on one machine and one numpy.
        difficulty: 0 to 1; the same anatomy and lesions, fainter, smaller and noisier.
        shortcut: phi coefficient between marker and class 1, 0 to 1; 0 draws no marker.
        patients: numbers; equal ones share their anatomy. None: three slices a patient.
        sources: keys of ``CT_STYLES``; None: independent of the label.
        markers: who gets the marker, instead of what ``shortcut`` asks for.
        finish: False leaves frame, letters, compression and marker to the caller.

    Raises:
        DataError: an argument is out of range or of the wrong length.
    """
    return _draw(
        "ct", _ct_chunk, CT_CLASSES, CT_STYLES, n, size, labels, seed, difficulty, shortcut,
        patients, sources, markers, finish,
    )  # fmt: skip


def draw_cxr(
    n: int,
    size: int = 96,
    labels: np.ndarray | None = None,
    seed: int = 0,
    difficulty: float = 0.3,
    shortcut: float = 0.0,
    *,
    patients: np.ndarray | None = None,
    sources: np.ndarray | None = None,
    markers: np.ndarray | None = None,
    finish: bool = True,
) -> PhantomBatch:
    """Draw frontal chest X-rays of the five classes of MANet (sec. 2.1).

    normal: nothing; covid19: hazy patches at both rims, lower more than upper; tb: apical
    infiltrates, nodules and cavities; bp: one lobe consolidated; vp: streaks and nets around
    both lung roots. The source "children" draws children. The marker goes with class covid19.

    Args:
        n: number of images.
        size: pixels of a side.
        labels: class numbers in the order of ``CXR_CLASSES``; None is a balanced random order.
        seed: equal arguments give equal bytes on one machine and one numpy.
        difficulty: 0 to 1; the same anatomy and lesions, fainter, smaller and noisier.
        shortcut: phi coefficient between marker and class covid19, 0 to 1; 0 draws no marker.
        patients: numbers; equal ones share their anatomy. None: three images a patient.
        sources: keys of ``CXR_STYLES``; None: independent of the label.
        markers: who gets the marker, instead of what ``shortcut`` asks for.
        finish: False leaves frame, letters, compression and marker to the caller.

    Raises:
        DataError: an argument is out of range or of the wrong length.
    """
    return _draw(
        "cxr", _cxr_chunk, CXR_CLASSES, CXR_STYLES, n, size, labels, seed, difficulty, shortcut,
        patients, sources, markers, finish,
    )  # fmt: skip


def _draw(
    kind, chunk: Callable[..., Parts], classes, styles: dict[str, Style], n, size, labels, seed,
    difficulty, shortcut, patients, sources, markers, finish,
) -> PhantomBatch:  # fmt: skip
    """Check the arguments, draw chunk by chunk, stamp what the sources add."""
    check_drawing(size, difficulty, shortcut, seed)
    if n < 1:
        raise DataError(f"there is nothing to draw: n = {n}")
    labels = check_labels(n, labels, classes, seed)
    who = np.random.default_rng([seed, 12, n])
    patients = _given("patients", patients, n, lambda: _patients(who, labels))
    sources = _given("sources", sources, n, lambda: _sources(who, patients, list(styles)))
    if strangers := set(sources.tolist()) - set(styles):
        raise DataError(f"unknown sources {sorted(strangers)}, expected {sorted(styles)}")
    markers = _given("markers", markers, n, lambda: draw_markers(who, labels == 1, shortcut))
    chosen = [styles[name] for name in sources.tolist()]
    parts = []
    for start in range(0, n, CHUNK):
        rows = slice(start, start + CHUNK)
        rng = np.random.default_rng([seed, 13 if kind == "ct" else 14, start])
        parts.append(
            chunk(rng, labels[rows], patients[rows], sources[rows], chosen[rows], size, seed,
                  difficulty)
        )  # fmt: skip
    arrays = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    batch = PhantomBatch(
        **arrays, labels=labels, source=sources, patient=patients, marker=markers.astype(bool),
        classes=classes,
    )  # fmt: skip
    if not finish:
        return batch
    images = map(annotate, batch.images, chosen, batch.marker.tolist())
    return replace(batch, images=np.stack(list(images)))


def _ct_chunk(rng, labels, patients, sources, styles, size, seed, difficulty) -> Parts:
    found = ct_findings.choose(labels, patients, seed)
    slices = draw_slices(rng, patients, size, seed)
    lesions = ct_findings.add(rng, slices, found, difficulty)
    centre, width = np.array([s.window for s in styles], np.float32).T[:, :, None, None]
    grey = (slices.hu - centre) / width + 0.5
    return {
        "images": expose(rng, grey, styles, difficulty), "lungs": slices.lung > 0,
        "lobes": slices.regions * (slices.lung > 0), "lesions": lesions, "finding": found,
    }  # fmt: skip


def _cxr_chunk(rng, labels, patients, sources, styles, size, seed, difficulty) -> Parts:
    chests = draw_chests(rng, patients, sources == "children", size, seed)
    lesions = cxr_findings.add(rng, chests, labels, difficulty)
    return {
        "images": expose(rng, chests.grey, styles, difficulty), "lungs": chests.lung > 0,
        "lobes": chests.regions * (chests.lung > 0), "lesions": lesions,
        "finding": np.array(CXR_CLASSES)[labels],
    }  # fmt: skip


def _patients(rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """Give every three images of one class one patient."""
    patients = np.empty(len(labels), np.int64)
    first = 0
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        patients[rows] = first + np.arange(len(rows)) // 3
        first += len(rows) // 3 + 1
    return rng.permutation(first)[patients]


def _sources(rng: np.random.Generator, patients: np.ndarray, styles: list[str]) -> np.ndarray:
    """Give every patient one source: a child in one image is no adult in the next."""
    known, rows = np.unique(patients, return_inverse=True)
    return rng.choice(styles, len(known))[rows]


def _given(name: str, values: np.ndarray | None, n: int, default: Callable[[], np.ndarray]):
    """Return the argument as an array of length n, or the default."""
    if values is None:
        return default()
    values = np.asarray(values)
    if values.shape != (n,):
        raise DataError(f"{n} {name} are needed, got shape {values.shape}")
    return values
