"""Phantoms of the chest X-ray collections with COVID-19."""

import uuid

import numpy as np

from covidlib.data.phantoms.acquisition import ADULT
from covidlib.data.phantoms.planning import csv, new_numbers, people, share_out
from covidlib.data.phantoms.rendering import Item, Plan
from covidlib.data.phantoms.settings import PhantomSettings

_COHEN_COLUMNS = [
    "patientid", "offset", "sex", "age", "finding", "survival", "intubated",
    "intubation_present", "went_icu", "in_icu", "needed_supplemental_O2", "extubated",
    "temperature", "pO2_saturation", "leukocyte_count", "neutrophil_count", "lymphocyte_count",
    "view", "modality", "date", "location", "folder", "filename", "doi", "url", "license",
    "clinical_notes", "other_notes",
]  # fmt: skip
_CXNET_COLUMNS = [
    "filename", "patient_id", "sex", "age", "view", "label", "pcr_test", "survival", "location",
    "admission_offset", "symptom_offset", "also_had_ct", "has_fever", "has_cough",
    "has_dyspnea", "has_diarrhea", "spo2", "other_symptoms", "medical_background",
    "opacification", "other", "is_bilateral", "url",
]  # fmt: skip
# Finding of the Cohen collection -> (share, class that is drawn). "todo" has no known label.
_COHEN_FINDINGS = {
    "COVID-19": (66, "covid19"), "COVID-19, ARDS": (6, "covid19"), "No Finding": (8, "normal"),
    "Streptococcus": (8, "bp"), "SARS": (6, "vp"), "todo": (6, "vp"),
}  # fmt: skip
_COLLECTIONS = {"cohen": 0.82, "sirm": 0.07, "actmed": 0.06, "fig1": 0.05}


def cohen(rng: np.random.Generator, settings: PhantomSettings) -> Plan:
    """Plan the Cohen collection: metadata with other views, CT rows and an absent file."""
    numbers, items, rows = new_numbers(), [], []
    shares = {finding: share for finding, (share, _) in _COHEN_FINDINGS.items()}
    for finding, images in share_out(settings.images - 2, shares).items():
        for patient, k in people(rng, images, numbers):
            mine = np.random.default_rng([settings.seed, 20, patient])
            style, drawn = str(mine.choice(ADULT)), _COHEN_FINDINGS[finding][1]
            view = "AP Supine" if style == "adult-portable" else str(mine.choice(("PA", "AP")))
            name = f"drawn-case-{patient}-day{k}.{'png' if patient % 3 else 'jpg'}"
            url = f"https://example.org/case/{patient}"
            rows.append({
                "patientid": patient, "offset": k, "sex": mine.choice(("F", "M")),
                "age": mine.integers(20, 90), "finding": finding, "view": view,
                "modality": "X-ray", "folder": "images", "filename": name, "url": url,
            })  # fmt: skip
            items.append(Item(
                f"images/{name}", drawn, finding, patient, style, url, drawn == "covid19",
                mode="RGB" if patient % 2 else "L",
            ))  # fmt: skip
    for k in range(2):
        patient = next(numbers)
        name = f"drawn-ct-{patient}.png"
        items.append(Item(f"images/{name}", "COVID", "COVID-19", patient, "lung", "", False))
        rows.append({
            "patientid": patient, "finding": "COVID-19", "view": "Axial", "modality": "CT",
            "folder": "images" if k else "volumes", "filename": name,
        })  # fmt: skip
    rows.append(rows[0] | {"patientid": next(numbers), "filename": "listed-but-absent.png"})
    return Plan(items, {"metadata.csv": csv(rows, _COHEN_COLUMNS)})


def cxnet(rng: np.random.Generator, settings: PhantomSettings) -> Plan:
    """Plan COVID-CXNet: COVID-19 alone, half of it listed; "p" is a child, "-" looks normal."""
    items, rows = [], []
    for number, (patient, _) in enumerate(people(rng, settings.images, new_numbers()), 1):
        mine = np.random.default_rng([settings.seed, 20, patient])
        mark = str(mine.choice(("", "-", "p"), p=(0.92, 0.05, 0.03)))
        style = "children" if mark == "p" else str(mine.choice(ADULT))
        name = f"{number:03d}{mark}.{mine.choice(('jpg', 'png', 'jpeg'))}"
        url = f"https://example.org/status/{patient}" if number % 2 else ""
        if url:
            rows.append({
                "filename": name, "patient_id": patient, "sex": mine.choice(("female", "male")),
                "age": mine.integers(2, 12) if mark == "p" else mine.integers(20, 90),
                "view": "AP" if style == "adult-portable" else "PA", "label": "COVID-19",
                "url": url,
            })  # fmt: skip
        drawn = "normal" if mark == "-" else "covid19"
        items.append(Item(f"covid19/{name}", drawn, "COVID-19", patient, style, url, True))
    return Plan(items, {"metadata.csv": "\ufeff" + csv(rows, _CXNET_COLUMNS)})


def covidx(rng: np.random.Generator, settings: PhantomSettings) -> Plan:
    """Plan COVIDx 4 as its authors' script builds it: label files, train/ and test/.

    The shares are flatter than the original's (473 of 13,898), which would leave a small phantom
    without COVID-19; as there, no COVID-19 image comes from RSNA.
    """
    numbers, items, texts = new_numbers(), [], {}
    classes = ("normal", "pneumonia", "COVID-19")
    weights = {(s, c): w for s, w in (("train", 4), ("test", 1)) for c in classes}
    for (split, label), images in share_out(settings.images, weights).items():
        for patient, image in people(rng, images, numbers):
            mine = np.random.default_rng([settings.seed, 20, patient])
            source, person, style = "rsna", str(uuid.UUID(bytes=mine.bytes(16))), "adult-digital"
            name = f"{person}.png"
            if label == "COVID-19" or (label == "pneumonia" and patient % 12 == 0):
                source = str(mine.choice(list(_COLLECTIONS), p=list(_COLLECTIONS.values())))
                person, style = str(patient), str(mine.choice(ADULT[1:]))
            if source != "rsna" or image:
                name = f"drawn-{patient}-{image}.{'png' if patient % 2 else 'jpg'}"
            drawn = {"normal": "normal", "COVID-19": "covid19"}.get(
                label, ("bp", "vp")[patient % 2]
            )
            items.append(Item(
                f"{split}/{name}", drawn, label, patient, style, source, label == "COVID-19", split
            ))  # fmt: skip
            file = f"{split}_COVIDx4.txt"
            texts[file] = texts.get(file, "") + f"{person} {name} {label} {source}\n"
    return Plan(items, texts)
