"""From a list of what a data set holds to its image files, masks and table of truth."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from covidlib.data.phantoms.acquisition import CT_STYLES, CXR_STYLES, annotate, draw_markers
from covidlib.data.phantoms.drawing import draw_ct, draw_cxr
from covidlib.data.phantoms.settings import CT_CLASSES, CXR_CLASSES, PhantomSettings

MASKS = "phantom_masks"
TRUTH = "phantom_truth.csv"


@dataclass(frozen=True)
class Item:
    """One image of a phantom data set.

    Args:
        sample: path in the data set's folder; its ending decides the file format.
        drawn: a class of ``CT_CLASSES`` or ``CXR_CLASSES``.
        label: the data set's own word for it.
        patient: number of the patient, equal ones share their anatomy.
        style: key of ``CT_STYLES`` or ``CXR_STYLES``.
        source: the data set's own word for where it came from.
        positive: whether the shortcut marker goes with it.
        split: markers are dealt out within a split.
        mode: colour mode of the file: "L", "RGB" or "RGBA".
    """

    sample: str
    drawn: str
    label: str
    patient: int
    style: str
    source: str
    positive: bool
    split: str = ""
    mode: str = "L"


@dataclass(frozen=True)
class Plan:
    """What a phantom data set will hold.

    Args:
        items: its images.
        texts: its other files: path in the folder -> content.
        finish: called with the folder once images and masks are there.
    """

    items: list[Item]
    texts: dict[str, str] = field(default_factory=dict)
    finish: Callable[[Path, list[Item]], None] | None = None


def render(plan: Plan, folder: Path, settings: PhantomSettings) -> None:
    """Draw the plan's images and write them, their masks and the truth about them."""
    rng = np.random.default_rng([settings.seed, 16])
    marked = _deal_markers(rng, plan.items, settings.shortcut)
    truth = [_render_some(plan.items, marked, folder, settings, kind) for kind in ("ct", "cxr")]
    table = pd.DataFrame([row for rows in truth for row in rows]).sort_values("sample")
    table.to_csv(folder / TRUTH, index=False, lineterminator="\n")
    for name, text in plan.texts.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8", newline="\n")
    if plan.finish:
        plan.finish(folder, plan.items)


def mask_path(folder: Path, part: str, sample: str) -> Path:
    """Return where the mask of a sample lies; ``part`` is "lung", "lesion" or "lobe"."""
    return (folder / MASKS / part / sample).with_suffix(".png")


def save_image(path: Path, grey: np.ndarray, mode: str = "L") -> None:
    """Write an image in the format of its ending (PNG, JPEG or DICOM)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".dcm":
        return _save_dicom(path, grey)
    image = Image.fromarray(grey)
    image = image if image.mode == mode else image.convert(mode)
    if path.suffix.lower() == ".png":
        image.save(path, "PNG")
    else:
        image.save(path, "JPEG", quality=92)
    return None


def _deal_markers(rng: np.random.Generator, items: Iterable[Item], shortcut: float) -> np.ndarray:
    """Deal out the shortcut markers within each split."""
    splits = np.array([item.split for item in items])
    positive = np.array([item.positive for item in items])
    marked = np.zeros(len(positive), bool)
    for split in np.unique(splits):
        rows = splits == split
        marked[rows] = draw_markers(rng, positive[rows], shortcut)
    return marked


def _render_some(items, marked, folder: Path, settings: PhantomSettings, kind: str) -> list[dict]:
    """Draw and write the items of one modality; return their rows of truth."""
    classes, styles = (CT_CLASSES, CT_STYLES) if kind == "ct" else (CXR_CLASSES, CXR_STYLES)
    rows = [k for k, item in enumerate(items) if item.drawn in classes]
    if not rows:
        return []
    chosen = [items[k] for k in rows]
    batch = (draw_ct if kind == "ct" else draw_cxr)(
        len(rows),
        settings.size,
        np.array([classes.index(item.drawn) for item in chosen]),
        settings.seed,
        settings.difficulty,
        patients=np.array([item.patient for item in chosen]),
        sources=np.array([item.style for item in chosen]),
        finish=False,
    )
    rng = np.random.default_rng([settings.seed, 17])
    truth = []
    for k, item in enumerate(chosen):
        cut = _crop(rng, settings.size) if kind == "ct" else np.s_[:, :]
        image = annotate(batch.images[k][cut], styles[item.style], bool(marked[rows[k]]))
        save_image(folder / item.sample, image, item.mode)
        parts = {"lung": batch.lungs, "lesion": batch.lesions, "lobe": batch.lobes}
        masks = {name: np.ascontiguousarray(values[k][cut]) for name, values in parts.items()}
        for name, mask in masks.items():
            grey = mask if name == "lobe" else mask * np.uint8(255)
            save_image(mask_path(folder, name, item.sample), grey)
        truth.append(_truth(item, batch.finding[k], bool(marked[rows[k]]), masks))
    return truth


def _truth(item: Item, finding: str, marker: bool, masks: dict[str, np.ndarray]) -> dict:
    lung, lesion = int(masks["lung"].sum()), int(masks["lesion"].sum())
    return {
        "sample": item.sample, "label": item.label, "drawn": item.drawn, "finding": finding,
        "marker": int(marker), "lung_pixels": lung, "lesion_pixels": lesion,
        "lesion_fraction": round(lesion / max(lung, 1), 5), "patient": item.patient,
        "source": item.source, "style": item.style, "split": item.split,
    }  # fmt: skip


def _crop(rng: np.random.Generator, size: int) -> tuple[slice, slice]:
    """Cut air off, as a figure of a paper would be cut; the body stays whole."""
    top, bottom = rng.uniform(0, 0.11, 2) * size
    left, right = rng.uniform(0, 0.015, 2) * size
    return slice(round(top), size - round(bottom)), slice(round(left), size - round(right))


def _save_dicom(path: Path, grey: np.ndarray) -> None:
    import pydicom
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

    file = pydicom.Dataset()
    file.SOPClassUID = SecondaryCaptureImageStorage
    # The prefix of identifiers made from a number; equal names give equal files.
    file.SOPInstanceUID = f"2.25.{int.from_bytes(path.stem.encode()[-12:], 'big')}"
    file.Modality, file.PatientID = "CR", path.stem
    file.Rows, file.Columns = grey.shape
    file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
    file.BitsAllocated = file.BitsStored = 8
    file.HighBit, file.PixelRepresentation = 7, 0
    file.PixelData = grey.tobytes() + b"\0" * (grey.size % 2)
    file.file_meta = pydicom.dataset.FileMetaDataset()
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file.save_as(path, enforce_file_format=True)
