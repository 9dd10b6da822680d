"""Fit the kinds of images on the real data sets, and measure how often that is wrong.

``python -m covidlib.own_images.modality_fit FOLDER`` writes ``modality.json`` anew. Every rate is
measured on images of a source that the fit did not see: X-rays of one collection at a time (the
three that overlap together), CT slices and photographs in fifths, by patient and by class. All
sources are in the coefficients that are kept. Phantoms are never fitted on.
"""

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from covidlib.data import open_dataset
from covidlib.data.decoding import read_pixels
from covidlib.data.phantoms import PhantomSettings
from covidlib.data.pixels import to_uint8
from covidlib.own_images.modality import COLOURED, KINDS, RULED_OUT, features, off_line

XRAYS = (
    ("covid-chestxray-dataset", "covid-cxnet", "covid-cxr-segmentations"),
    ("chestxray8-subset",),
    ("kermany-subset",),
)
CT, PHOTOS = "covid-ct", "tiny-imagenet-100"
PARTS = 5
PHOTOS_USED = 3000
STRENGTH = 0.01  # of the regularisation's inverse; 0.1 ruled out twice as many unseen X-rays


def collect(root: Path) -> pd.DataFrame:
    """Return one row per image: source, kind, group (patient or class), features, coloured."""
    rows = list(_photographs(root))
    for source in (CT, *(name for family in XRAYS for name in family)):
        rows += _scans(source, open_dataset(source, root).table)
        if source != "covid-cxr-segmentations":
            drawn = open_dataset(source, phantom=PhantomSettings(images=120)).table
            rows += _scans(f"phantoms of {source}", drawn)
    return pd.DataFrame(rows)


def _scans(source: str, table: pd.DataFrame) -> Iterator[dict]:
    kind = "ct" if source.endswith(CT) else "cxr"
    for row, path in enumerate(table["path"]):
        grey = to_uint8(read_pixels(path), "minmax")
        patient = table["patient"].fillna(table["sample"]).iloc[row]
        tinted = [off_line(picture) for picture in disguises(grey, row)]
        yield {"source": source, "kind": kind, "group": patient, "features": features(grey)} | {
            "coloured": tinted
        }


def _photographs(root: Path) -> Iterator[dict]:
    table = open_dataset(PHOTOS, root).table.sample(PHOTOS_USED, random_state=0)
    for path, label in zip(table["path"], table["label"], strict=True):
        grey = to_uint8(read_pixels(path), "minmax")
        with Image.open(path) as image:
            colour = [] if image.mode == "L" else [off_line(np.asarray(image.convert("RGB")))]
        yield {"source": PHOTOS, "kind": "photo", "group": label, "features": features(grey)} | {
            "coloured": colour
        }


def disguises(grey: np.ndarray, number: int) -> list[np.ndarray]:
    """Return a grey scan as it may come in colour: a tinted film, and a figure with an arrow.

    The acquired scans at hand are grey, so what colour may do to a scan is drawn: a bluish or
    brownish tint, a saturated arrow over 1/64 of the image, both through JPEG of quality 75.
    """
    small = np.asarray(Image.fromarray(grey).resize((256, 256)), dtype=float)
    tint = ((0.8, 0.9, 1.0), (1.0, 0.85, 0.65))[number % 2]
    tinted = small[:, :, None] * np.array(tint)
    marked = np.repeat(small[:, :, None], 3, axis=2)
    marked[100:132, 100:132] = ((255, 0, 0), (255, 255, 0))[number % 2]
    return [_through_jpeg(picture) for picture in (tinted, marked)]


def _through_jpeg(picture: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(picture.round().astype(np.uint8)).save(file, "JPEG", quality=75)
    with Image.open(file) as image:
        return np.asarray(image.resize((64, 64), Image.Resampling.BOX))


def fit(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return slopes (3, 130) and offsets (3,) for features as they are."""
    described = np.stack(rows["features"])
    kinds = rows["kind"].map(KINDS.index)
    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=1000, class_weight="balanced")
    ).fit(described, kinds)
    scaler, regression = model[0], model[1]
    slopes = regression.coef_ / scaler.scale_
    return slopes, regression.intercept_ - slopes @ scaler.mean_


def unseen(rows: pd.DataFrame) -> np.ndarray:
    """Return the probabilities of every image by a fit that saw nothing of its source. (N, 3)."""
    real = ~rows["source"].str.startswith("phantoms")
    part = pd.Series(-1, rows.index)
    for number, family in enumerate(XRAYS):
        part[rows["source"].isin(family)] = number
    for kind in ("ct", "photo"):
        own = rows.index[(rows["kind"] == kind) & real]
        cut = GroupKFold(PARTS).split(own, groups=rows.loc[own, "group"])
        for number, (_, tested) in enumerate(cut):
            part[own[tested]] = number
    found = np.empty((len(rows), len(KINDS)))
    for number in sorted(part.unique()):
        tested = (part == number).to_numpy()
        slopes, offsets = fit(rows[real & ~tested])
        logits = np.stack(rows["features"][tested]) @ slopes.T + offsets
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        found[tested] = powers / powers.sum(axis=1, keepdims=True)
    return found


def rates(rows: pd.DataFrame) -> list[dict]:
    """Return, per source, how often unseen images are misjudged and which kinds they pass for.

    ``wrong``: the most probable kind is another. ``refused``: the image's own kind is ruled out.
    ``passes``: kinds that neither measurement rules out. ``coloured``: share of pictures found
    coloured, of photographs in colour, or of scans that were tinted or marked (``disguises``).
    """
    found = unseen(rows)
    body = []
    for (source, kind), own in rows.groupby(["source", "kind"]):
        mine = found[own.index]
        place = KINDS.index(kind)
        colours = np.concatenate([np.atleast_1d(values) for values in own["coloured"]])
        # Photographs meet both measurements; scans are grey, and their disguises are no images.
        grey = [kind != "photo" or max(values, default=0) <= COLOURED for values in own["coloured"]]
        passes = ((mine >= RULED_OUT) & np.array(grey)[:, None]).mean(axis=0)
        body.append(
            {
                "source": source,
                "kind": kind,
                "images": len(own),
                "wrong": float((mine.argmax(axis=1) != place).mean()),
                "refused": float((mine[:, place] < RULED_OUT).mean()),
                "passes": dict(zip(KINDS, passes.round(4).tolist(), strict=True)),
                "coloured": float((colours > COLOURED).mean()),
                "colour pictures": len(colours),
            }
        )
    return body


def main(root: str) -> None:
    """Fit, measure, and write ``modality.json`` beside this module."""
    rows = collect(Path(root))
    slopes, offsets = fit(rows[~rows["source"].str.startswith("phantoms")])
    body = {"rates": rates(rows), "slopes": slopes.round(3).tolist()}
    body["offsets"] = offsets.round(3).tolist()
    target = Path(__file__).with_name("modality.json")
    target.write_text(json.dumps(body, indent=None, separators=(",", ":")) + "\n", "utf-8")
    print(pd.DataFrame(body["rates"]).to_string())


if __name__ == "__main__":
    main(*sys.argv[1:])
