"""The phantom of COVID19-CT."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from covidlib.data.phantoms.acquisition import CT_STYLES
from covidlib.data.phantoms.planning import csv, new_numbers, people, share_out
from covidlib.data.phantoms.rendering import Item, Plan
from covidlib.data.phantoms.settings import PhantomSettings

# Images of the official split (Zhao et al. 2020).
OFFICIAL = {
    ("train", "NonCOVID"): 234, ("train", "COVID"): 191, ("val", "NonCOVID"): 58,
    ("val", "COVID"): 60, ("test", "NonCOVID"): 105, ("test", "COVID"): 98,
}  # fmt: skip
# Files of the original by (mode, ending): the classes differ, which is the set's best-known trap.
COVID_FILES = {("L", "png"): 21, ("RGB", "jpg"): 34, ("RGB", "png"): 120, ("RGBA", "png"): 174}
CRAWLED_FILES = {("L", "jpg"): 23, ("RGB", "jpg"): 179}
_META = [
    "File name", "Patient ID", "Age", "Gender", "Location", "Medical history", "Time", "Severity",
    "Other diseases", "DOI", "Captions",
]  # fmt: skip


def covid_ct(rng: np.random.Generator, settings: PhantomSettings) -> Plan:
    """Plan COVID19-CT: two folders, official lists, two tables of patients, file properties.

    COVID images come from numbered preprints, the others from MedPix and a crawl. Every
    publication draws its own style from one pool, so that style does not tell the class; file
    type and colour mode do, with the shares of the original.
    """
    numbers, items, meta, other, texts = new_numbers(), [], [], [], {}
    for (split, label), images in share_out(settings.images, OFFICIAL).items():
        names = []
        for patient, k in people(rng, images, numbers):
            add = _covid if label == "COVID" else _other
            item, row = add(settings.seed, patient, k, split)
            items.append(item)
            names.append(item.sample.rsplit("/", 1)[1])
            (meta if label == "COVID" else other).append({**row, "name": names[-1]})
        texts[f"Data-split/{label}/{split}CT_{label}.txt"] = "".join(f"{n}\n" for n in names)
    table = [{"File name": row.pop("name"), **row} for row in meta]
    texts["COVID-CT-MetaInfo.csv"] = csv(table, _META)
    table = [{"image name": row["name"], "patient id": row["patient"]} for row in other]
    texts["NonCOVID-CT-MetaInfo.csv"] = csv(table, index=True)
    return Plan(items, texts, _describe_files)


def _covid(seed: int, patient: int, k: int, split: str) -> tuple[Item, dict]:
    """One figure of a preprint; two neighbouring patients of a split share a publication."""
    place = ("train", "val", "test").index(split)
    print_rng = np.random.default_rng([seed, 18, patient // 2, place])
    paper = f"2020.0{print_rng.integers(2, 5)}.{print_rng.integers(1, 29):02d}"
    paper += f".{print_rng.integers(20_020_000, 20_080_000)}"
    style = list(CT_STYLES)[print_rng.integers(len(CT_STYLES))]
    origin = np.random.default_rng([seed, 19, patient])
    mode, ending = _choose(origin, COVID_FILES)
    name = f"{paper}-p{10 + patient % 20}-{100 + patient}%{k}.{ending}"
    age, sex = int(origin.integers(22, 85)), "FM"[origin.integers(2)]
    row = {
        "Patient ID": f"Patient {patient}", "Age": age, "Gender": sex, "DOI": f"10.1101/{paper}",
        "Captions": "Drawn by covidlib: not an image of a patient.",
    }  # fmt: skip
    item = Item(
        f"Images-processed/CT_COVID/{name}", "COVID", "COVID", patient, style,
        f"10.1101/{paper}", True, split, mode,
    )  # fmt: skip
    return item, row


def _other(seed: int, patient: int, k: int, split: str) -> tuple[Item, dict]:
    """One slice from MedPix (numbered PNG) or from the crawl (patient%slice.jpg)."""
    origin = np.random.default_rng([seed, 19, patient])
    medpix = origin.random() < 0.5
    style = list(CT_STYLES)[origin.integers(len(CT_STYLES))]
    mode, ending = ("RGB", "png") if medpix else _choose(origin, CRAWLED_FILES)
    name = f"{100 + 5 * patient + k}.png" if medpix else f"{patient}%{k}.{ending}"
    source = "medpix" if medpix else "crawled"
    item = Item(
        f"Images-processed/CT_NonCOVID/{name}", "NonCOVID", "NonCOVID", patient, style, source,
        False, split, mode,
    )  # fmt: skip
    return item, {"patient": f"{source}_patient_{patient}"}


def _choose(rng: np.random.Generator, shares: dict[tuple[str, str], int]) -> tuple[str, str]:
    weights = np.array(list(shares.values()), float)
    return list(shares)[rng.choice(len(shares), p=weights / weights.sum())]


def _describe_files(folder: Path, items: list[Item]) -> None:
    """Write original_files.csv from the files as they are."""
    rows = []
    for sample in sorted(item.sample for item in items):
        data = (folder / sample).read_bytes()
        with Image.open(folder / sample) as image:
            facts = (*image.size, image.mode, image.format)
        rows.append((sample, hashlib.sha256(data).hexdigest(), len(data), *facts))
    names = ["path", "sha256", "bytes", "width", "height", "mode", "format"]
    pd.DataFrame(rows, columns=names).to_csv(
        folder / "original_files.csv", index=False, lineterminator="\n"
    )
