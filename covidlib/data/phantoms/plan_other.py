"""Phantoms of the sets with lung masks, of RSNA, and of folders of natural images."""

import uuid
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from covidlib.data.phantoms.acquisition import ADULT
from covidlib.data.phantoms.natural import NATURAL_CLASSES, draw_natural
from covidlib.data.phantoms.planning import csv, new_numbers, people, share_out
from covidlib.data.phantoms.rendering import TRUTH, Item, Plan, mask_path, save_image
from covidlib.data.phantoms.settings import LOBES, PhantomSettings


def montgomery(rng: np.random.Generator, settings: PhantomSettings) -> Plan:
    """Plan the Montgomery set: one image a patient, a mask file for each lung."""
    items, texts = _tuberculosis(rng, settings, "MCUCXR", (80, 58), "Montgomery")
    return Plan(items, texts, _both_lungs)


def shenzhen(rng: np.random.Generator, settings: PhantomSettings) -> Plan:
    """Plan the Shenzhen set: one image a patient; one mask in seven is missing, as released."""
    items, texts = _tuberculosis(rng, settings, "CHNCXR", (326, 336), "Shenzhen")
    return Plan(items, texts, _whole_lungs)


def segmentations(rng: np.random.Generator, settings: PhantomSettings) -> Plan:
    """Plan covid-cxr-segmentations: no labels, lesion masks where there are lesions."""
    items = []
    shares = {"covid19": 76, "bp": 8, "vp": 8, "normal": 8}
    numbers = new_numbers()
    for drawn, images in share_out(settings.images, shares).items():
        for patient, k in people(rng, images, numbers):
            sample, style = f"images/drawn-case-{patient}-day{k}.png", ADULT[patient % 4]
            covid = drawn == "covid19"
            items.append(Item(sample, drawn, "", patient, style, "drawn", covid))
    return Plan(items, finish=_original_masks)


def rsna(rng: np.random.Generator, settings: PhantomSettings) -> Plan:
    """Plan the RSNA challenge: DICOM files, one image a patient, two tables."""
    names = {"Normal": "normal", "No Lung Opacity / Not Normal": "tb", "Lung Opacity": "bp"}
    shares = {"Normal": 8_851, "No Lung Opacity / Not Normal": 11_821, "Lung Opacity": 6_012}
    items, classes, boxes = [], [], []
    for label, images in share_out(settings.images, shares).items():
        for _ in range(images):
            person, patient = str(uuid.UUID(bytes=rng.bytes(16))), len(items) + 1
            ill = label == "Lung Opacity"
            items.append(Item(
                f"stage_2_train_images/{person}.dcm", names[label], label, patient,
                ADULT[patient % 2], "RSNA", ill,
            ))  # fmt: skip
            classes.append({"patientId": person, "class": label})
            box = {"x": 20.0, "y": 20.0, "width": 30.0, "height": 40.0} if ill else {}
            boxes.append({"patientId": person, **box, "Target": int(ill)})
    columns = ["patientId", "x", "y", "width", "height", "Target"]
    return Plan(items, {
        "stage_2_detailed_class_info.csv": csv(classes),
        "stage_2_train_labels.csv": csv(boxes, columns),
    }, _draw_boxes)  # fmt: skip


def write_image_folder(folder: Path, settings: PhantomSettings) -> None:
    """Write natural images as ``train/<class>/`` and ``val/<class>/``: 4 of 5 in training."""
    labels = np.arange(settings.images) % len(NATURAL_CLASSES)
    pictures, labels = draw_natural(
        settings.images, settings.size, labels, settings.seed, settings.difficulty
    )
    truth = []
    for k, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        name, turn = NATURAL_CLASSES[label], k // len(NATURAL_CLASSES)
        split = "val" if turn % 5 == 1 else "train"
        sample = f"{split}/{name}/{name if split == 'train' else 'val'}_{k}.JPEG"
        save_image(folder / sample, picture, "RGB")
        truth.append({"sample": sample, "label": name, "marker": 0, "split": split})
    table = pd.DataFrame(truth).sort_values("sample")
    table.to_csv(folder / TRUTH, index=False, lineterminator="\n")


def _tuberculosis(rng, settings: PhantomSettings, prefix: str, shares, source: str):
    """Return items named <prefix>_<patient>_<0 or 1>.png and their clinical readings."""
    order = np.repeat((0, 1), list(share_out(settings.images, dict(enumerate(shares))).values()))
    items, texts = [], {}
    for patient, ill in enumerate(order.tolist(), 1):
        stem = f"{prefix}_{patient:04d}_{ill}"
        label, drawn = ("tuberculosis", "tb") if ill else ("normal", "normal")
        items.append(Item(
            f"CXR_png/{stem}.png", drawn, label, patient, "rural", source, bool(ill)
        ))  # fmt: skip
        sex, age = "FM"[int(rng.integers(2))], int(rng.integers(16, 80))
        reading = "apical infiltrate" if ill else "normal"
        texts[f"ClinicalReadings/{stem}.txt"] = (
            f"Patient's Sex: {sex}\nPatient's Age: {age:03d}Y\n{reading}\n"
        )
    return items, texts


def _lobes(folder: Path, item: Item) -> np.ndarray:
    with Image.open(mask_path(folder, "lobe", item.sample)) as image:
        return np.array(image)


def _both_lungs(folder: Path, items: list[Item]) -> None:
    """Write the masks of the left and the right lung; left is the patient's left."""
    for item in items:
        lobes = _lobes(folder, item)
        for side, of_side in (("right", "r"), ("left", "l")):
            numbers = [k for k, lobe in enumerate(LOBES, 1) if lobe.startswith(of_side)]
            target = folder / "ManualMask" / f"{side}Mask" / Path(item.sample).name
            save_image(target, np.isin(lobes, numbers) * np.uint8(255))


def _whole_lungs(folder: Path, items: list[Item]) -> None:
    for item in items:
        if item.patient % 7:
            target = folder / "mask" / f"{Path(item.sample).stem}_mask.png"
            save_image(target, (_lobes(folder, item) > 0) * np.uint8(255))


def _original_masks(folder: Path, items: list[Item]) -> None:
    for item in items:
        for part in ("lung", "lesion"):
            with Image.open(mask_path(folder, part, item.sample)) as image:
                mask = np.array(image)
            if part == "lung" or mask.any():
                save_image(folder / f"{part}_masks" / Path(item.sample).name, mask)


def _draw_boxes(folder: Path, items: list[Item]) -> None:
    """Put the true bounding box of each lesion into the table of boxes."""
    path = folder / "stage_2_train_labels.csv"
    table = pd.read_csv(path).set_index("patientId")
    for item in (i for i in items if i.positive):
        with Image.open(mask_path(folder, "lesion", item.sample)) as image:
            down, across = np.nonzero(np.array(image))
        if len(down):
            box = across.min(), down.min(), np.ptp(across) + 1, np.ptp(down) + 1
            table.loc[Path(item.sample).stem, ["x", "y", "width", "height"]] = box
    table.reset_index().to_csv(path, index=False, lineterminator="\n")
