"""What the page on a person's own images draws and says."""

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from covidlib.book import Page
from covidlib.data.phantoms import PhantomSettings
from covidlib.data.phantoms.writing import generator_digest, write
from covidlib.data_page import PlainTable
from covidlib.errors import CovidlibError
from covidlib.evaluation import Interval
from covidlib.files import digest_text, once
from covidlib.own_images.auditing import Audit, audit
from covidlib.own_images.card import model_card
from covidlib.own_images.choosing import Choice
from covidlib.own_images.inspecting import inspect
from covidlib.own_images.listing import list_images
from covidlib.own_images.modality import NAMES, fitted
from covidlib.own_images.model import Model, save_model
from covidlib.own_images.opening import open_own
from covidlib.paths import cache_root
from covidlib.plans import plan
from covidlib.runs.executor import execute
from covidlib.runs.record import Record
from covidlib.runs.store import Store
from covidlib.tables import format_interval

PHANTOMS = PhantomSettings(images=140, size=96)
EXAMPLE = "chestxray8-subset"
TIMES = Path("across", "your_images", "times.json")
SOURCES = "msatl/without_transfer", ("R-50 baseline",)
TYPED = {
    "a CSV with patients, once": "covidlib list FOLDER images.csv --patient '^(\\d+)_'",
    "the audit alone": "covidlib audit images.csv",
    "audit, training, model card": "covidlib train images.csv",
    "probabilities and heatmaps": "covidlib predict --model images-model IMAGE",
}


def example_images(page: Page) -> Path:
    """Return a CSV of images in the cache: phantoms, or the X-rays under the data root.

    The phantoms are written in the layout of 2 × 500 X-rays of NIH, whose names begin with the
    patient; scanners become the column source.
    """
    home = cache_root() / "your-images"
    if page.phantom:
        target = home / f"phantoms-{PHANTOMS.seed}-{PHANTOMS.images}-{generator_digest()}"
        return once(target, _draw) / "phantom-images.csv"
    target = home / f"real-{digest_text(str(page.root))[:12]}"
    return once(target, lambda folder: _list(page.root / EXAMPLE, folder)) / "real-images.csv"


def _draw(folder: Path) -> None:
    write(EXAMPLE, folder / "images", PHANTOMS)
    listed = list_images(folder / "images", folder / "phantom-images.csv", patient=r"^(\d+)_")
    truth = pd.read_csv(folder / "images" / "phantom_truth.csv", dtype="string")
    styles = truth.set_index("sample")["style"]
    paths = listed.table["path"].str.removeprefix("images/")
    table = listed.table.assign(source=paths.map(styles))
    table.to_csv(folder / "phantom-images.csv", index=False)


def _list(images: Path, folder: Path) -> None:
    list_images(images, folder / "real-images.csv", patient=r"^(\d+)_")


def first_lines(images: Path, count: int = 4) -> PlainTable:
    """Show the first lines of a CSV."""
    frame = pd.read_csv(images, dtype="string")
    place = outside(frame["path"])
    frame["path"] = frame["path"].str.removeprefix(place)
    return PlainTable(frame.head(count).set_index("path"), "The first lines; empty: unknown.")


def outside(paths: pd.Series) -> str:
    """Return where the folder of all images lies, which says nothing to a reader.

    >>> outside(pd.Series(["/home/me/xrays/ill/1.png", "/home/me/xrays/well/2.png"]))
    '/home/me/'
    >>> outside(pd.Series(["xrays/ill/1.png", "xrays/well/2.png"]))
    ''
    """
    shared = Path(os.path.commonpath(paths.tolist()))
    return f"{shared.parent}/" if shared.is_absolute() else ""


def remarks(found: Audit) -> PlainTable:
    """Show what the audit says, the gravest first."""
    place = outside(found.inspection.own.dataset.table["sample"])
    rows = [(r.kind, r.text.replace(place, "") if place else r.text) for r in found.remarks]
    return PlainTable(pd.DataFrame(rows, columns=["", "the audit says"]).set_index(""))


def sources_table(found: Audit) -> PlainTable:
    """Count images by class and set, and by source."""
    counts = found.findings.counts
    frame = counts.loc[counts.any(axis=1), counts.any(axis=0)]
    if found.sources is not None:
        frame = pd.concat({"set": frame, "source": found.sources.T}, axis=1)
    return PlainTable(frame, "Images by class: in each set, and of each source where it is known.")


def refusals(images: Path) -> PlainTable:
    """Try what must not work, and show what a person is told."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        tries = {
            "CT slices, and X-rays are meant": lambda: _ct(home / "ct"),
            "colour photographs": lambda: _colour(home / "colour"),
            "a class with four patients": lambda: _few(images, home / "few.csv"),
            "a CSV without labels": lambda: _unlabelled(images, home / "unlabelled.csv"),
        }
        rows = {what: _told(attempt, home) for what, attempt in tries.items()}
    return PlainTable(pd.DataFrame({"what a person is told": rows}))


def _told(attempt, home: Path) -> str:
    try:
        attempt()
    except CovidlibError as error:
        # The folder of these tries is a temporary one, and says nothing to a reader.
        return str(error).replace(f"{home}/", "")
    raise CovidlibError("something was accepted that must be refused")


def _ct(folder: Path) -> None:
    write("covid-ct", folder / "drawn", PhantomSettings(images=40, size=96))
    slices = folder / "drawn" / "Images-processed"
    inspect(open_own(slices), "cxr")


def _colour(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(40):
        blobs = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        target = folder / ("cats", "dogs")[number % 2] / f"{number}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(blobs).resize((96, 96), Image.Resampling.BICUBIC).save(target)
    inspect(open_own(folder))


def _few(images: Path, target: Path) -> None:
    table = _absolute(images)
    rare = table["label"] == table["label"].iloc[0]
    table[~rare | (table["patient"].isin(table.loc[rare, "patient"].unique()[:4]))].to_csv(
        target, index=False
    )
    open_own(target)


def _unlabelled(images: Path, target: Path) -> None:
    _absolute(images).drop(columns="label").to_csv(target, index=False)
    open_own(target)


def _absolute(images: Path) -> pd.DataFrame:
    table = pd.read_csv(images, dtype="string")
    return table.assign(path=[str(images.parent / path) for path in table["path"]])


def rates_table() -> PlainTable:
    """Show how often images of unseen sources are misjudged."""
    rows = pd.DataFrame(fitted()["rates"])
    passes = pd.DataFrame(rows["passes"].tolist())
    frame = pd.DataFrame(
        {
            "is a": rows["kind"].map(NAMES),
            "images": rows["images"],
            "taken for another kind": rows["wrong"].map("{:.1%}".format),
            "refused as what it is": rows["refused"].map("{:.1%}".format),
            "accepted as CT": passes["ct"].map("{:.1%}".format),
            "accepted as X-ray": passes["cxr"].map("{:.1%}".format),
        }
    )
    return PlainTable(frame.set_index(rows["source"]).rename_axis(None))


def sources(page: Page) -> list[str]:
    """Return the keys of the runs that may be started from, after training what is missing."""
    name, labels = SOURCES
    chosen = plan(name, page.profile, phantoms=page.phantom, seeds=1)
    specs = [row.specs[0] for row in chosen.rows if row.label in labels]
    execute(specs, Store(page.store), page.root, profile=page.profile)
    return [spec.key for spec in specs]


def choice_table(choice: Choice) -> PlainTable:
    """Show the scores of every start, the best first."""
    frame = choice.scores.drop(columns="drawn").map("{:.3f}".format)
    return PlainTable(frame, f"More is better. Scored on {choice.images} training images.")


def metrics_table(found: dict[str, Interval]) -> PlainTable:
    """Show the metrics of the test images."""
    rows = {name: format_interval(interval) for name, interval in found.items()}
    return PlainTable(pd.DataFrame({"this run, test images": rows}))


def saved(record: Record, model: Model, found: Audit, choice: Choice) -> PlainTable:
    """Write the model's folder, as the command does, and list what is in it."""
    card = model_card(model, found, choice)
    own, modality = found.inspection.own, found.inspection.modality
    with tempfile.TemporaryDirectory() as home:
        target = save_model(
            Path(home) / "model", record, positive=own.positive, modality=modality, card=card
        )
        sizes = {path.name: path.stat().st_size for path in sorted(target.iterdir())}
    rows = {name: f"{size / 1e3:,.0f} kB" for name, size in sizes.items()}
    return PlainTable(pd.DataFrame({"size": rows}), "The folder that `covidlib train` writes.")


def answers(table: pd.DataFrame, refused: Sequence) -> PlainTable:
    """Show what a model said of images, and which it refused."""
    shown = table.assign(image=[Path(path).name for path in table["path"]]).drop(columns="path")
    numbers = [column for column in shown if column.startswith("p_")]
    shown[numbers] = shown[numbers].map("{:.2f}".format)
    shown = shown.set_index("image")
    for problem in refused:
        shown.loc[problem.path.name] = ["–"] * len(numbers) + ["refused", problem.reason]
    return PlainTable(shown.rename_axis(None))


def as_saved(model: Model, found: Audit) -> Model:
    """Return a model of the store with what its saved folder would say."""
    own, modality = found.inspection.own, found.inspection.modality
    return replace(model, modality=modality, positive=own.positive)


def ct_slice(page: Page) -> Path:
    """Return one CT slice, which a model of X-rays must refuse."""
    return Path(page.dataset("covid-ct").table["path"].iloc[0])


def typing_table(page: Page) -> PlainTable:
    """Show what has to be typed and, where it was measured on real images, how long it took."""
    rows = {what: {"command": text, "characters": len(text)} for what, text in TYPED.items()}
    frame = pd.DataFrame.from_dict(rows, orient="index")
    path = page.recorded / TIMES
    if not path.is_file():
        return PlainTable(frame, "How long it takes on real images is not recorded yet.")
    body = json.loads(path.read_text("utf-8"))
    for name, title in (("seconds", "seconds"), ("cpu_seconds", "of CPU")):
        frame[title] = [f"{body['steps'][text.split()[1]][name]:.0f}" for text in TYPED.values()]
    return PlainTable(frame, body["about"])


def sentences(found: Audit, choice: Choice, metrics: dict[str, Interval]) -> dict[str, float | str]:
    """Return the numbers of the page's sentences."""
    rates = pd.DataFrame(fitted()["rates"])
    real = rates[~rates["source"].str.startswith("phantoms")]
    photographs = real[real["kind"] == "photo"].iloc[0]
    own = found.inspection.own
    return {
        "images": len(own.dataset.table),
        "patients": int(own.dataset.table["patient"].nunique()),
        "beware": sum(remark.kind == "beware" for remark in found.remarks),
        "chosen": "random weights" if choice.spec is None else choice.spec.slug,
        "auc": metrics["auc"].value,
        "auc_low": metrics["auc"].low,
        "auc_high": metrics["auc"].high,
        "tested": metrics["auc"].images,
        "commands": len(TYPED),
        "characters": sum(len(text) for text in TYPED.values()),
        "scans_refused": 100 * real.loc[real["kind"] != "photo", "refused"].max(),
        "scans_accepted": 100
        * max(
            row["passes"]["ct" if row["kind"] == "cxr" else "cxr"]
            for row in real.to_dict("records")
            if row["kind"] != "photo"
        ),
        "photos_accepted": 100 * max(photographs["passes"][kind] for kind in ("ct", "cxr")),
    }


def audited(images: Path, page: Page) -> Audit:
    """Open and audit the images, as ``covidlib audit`` does."""
    return audit(open_own(images, seed=page.seed))
