"""Phantoms of the chest X-ray collections of the time before COVID-19."""

import numpy as np

from covidlib.data.phantoms.acquisition import ADULT
from covidlib.data.phantoms.planning import csv, new_numbers, people, share_out
from covidlib.data.phantoms.rendering import Item, Plan
from covidlib.data.phantoms.settings import PhantomSettings


def chestxray8_subset(rng: np.random.Generator, settings: PhantomSettings) -> Plan:
    """Plan the 2 x 500 images of Ozturk et al.: some patients have images of both classes."""
    items, numbers = [], new_numbers()
    for k, (patient, image) in enumerate(people(rng, settings.images, numbers)):
        ill = (patient % 2 == 0) ^ (patient % 12 == 0 and image > 0)
        label, drawn = ("Pneumonia", ("bp", "vp")[k % 2]) if ill else ("No_findings", "normal")
        name = f"{label}/{patient:08d}_{image:03d}.png"
        style = ADULT[patient % 3]
        items.append(Item(name, drawn, label, patient, style, "NIH", ill))
    return Plan(items)


def chestxray8(rng: np.random.Generator, settings: PhantomSettings) -> Plan:
    """Plan ChestX-ray8: one folder of images, one table of findings, two lists."""
    items, rows, lists, numbers = [], [], {"train_val": [], "test": []}, new_numbers()
    for part, images in share_out(settings.images, {"train_val": 77, "test": 23}).items():
        for patient, image in people(rng, images, numbers):
            label, drawn = (
                ("No Finding", "normal"), ("Pneumonia", "vp"), ("Consolidation", "bp"),
                ("Consolidation|Pneumonia", "bp"), ("No Finding", "normal"),
            )[patient % 5]  # fmt: skip
            name = f"{patient:08d}_{image:03d}.png"
            lists[part].append(name)
            rows.append({
                "Image Index": name, "Finding Labels": label, "Follow-up #": image,
                "Patient ID": patient, "Patient Age": 30 + patient % 50,
                "Patient Gender": "FM"[patient % 2], "View Position": "AP" if patient % 3 else "PA",
            })  # fmt: skip
            sample, style = f"images/{name}", ADULT[patient % 3]
            items.append(Item(sample, drawn, label, patient, style, "NIH", drawn != "normal", part))
    texts = {f"{part}_list.txt": "\n".join(names) + "\n" for part, names in lists.items()}
    return Plan(items, texts | {"Data_Entry_2017.csv": csv(rows)})


def kermany(rng: np.random.Generator, settings: PhantomSettings) -> Plan:
    """Plan the second release of Kermany et al.: NORMAL and PNEUMONIA, all of them children."""
    return Plan(_children(rng, settings, ("NORMAL", "PNEUMONIA", "PNEUMONIA")))


def kermany_subset(rng: np.random.Generator, settings: PhantomSettings) -> Plan:
    """Plan the part of Kermany et al. that comes in three folders."""
    return Plan(_children(rng, settings, ("normal", "pneumonia_bac", "pneumonia_vir")))


def _children(rng, settings: PhantomSettings, homes: tuple[str, str, str]) -> list[Item]:
    kinds = {"normal": "normal", "bacteria": "bp", "virus": "vp"}
    shares = {(s, k): w for s, w in (("train", 80), ("test", 31)) for k in kinds}
    numbers, items = new_numbers(), []
    for (split, kind), images in share_out(settings.images, shares).items():
        for patient, image in people(rng, images, numbers):
            home = homes[list(kinds).index(kind)]
            name = f"person{patient}_{kind}_{10 * patient + image}"
            if kind == "normal":
                series = "IM" if split == "train" else "NORMAL2-IM"
                name = f"{series}-{patient:04d}-{image + 1:04d}"
            items.append(Item(
                f"{split}/{home}/{name}.jpeg", kinds[kind], home, patient, "children",
                "Guangzhou", kind != "normal", split,
            ))  # fmt: skip
    return items
