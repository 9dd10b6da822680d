"""Write phantom data sets in their original layouts, and keep them in the cache."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from covidlib.data.phantoms import plan_covid_xray, plan_ct, plan_other, plan_xray
from covidlib.data.phantoms.acquisition import MARKER_SIDE
from covidlib.data.phantoms.rendering import MASKS, TRUTH, Plan, render
from covidlib.data.phantoms.settings import LOBES, PhantomSettings
from covidlib.errors import DataError
from covidlib.files import once
from covidlib.paths import cache_root

PLANS: dict[str, Callable[[np.random.Generator, PhantomSettings], Plan]] = {
    "covid-ct": plan_ct.covid_ct,
    "covid-chestxray-dataset": plan_covid_xray.cohen,
    "covid-cxnet": plan_covid_xray.cxnet,
    "chestxray8": plan_xray.chestxray8,
    "chestxray8-subset": plan_xray.chestxray8_subset,
    "kermany": plan_xray.kermany,
    "kermany-subset": plan_xray.kermany_subset,
    "covidx": plan_covid_xray.covidx,
    "montgomery": plan_other.montgomery,
    "shenzhen": plan_other.shenzhen,
    "covid-cxr-segmentations": plan_other.segmentations,
    "rsna": plan_other.rsna,
}
IMAGE_FOLDERS = ("imagenet", "tiny-imagenet", "tiny-imagenet-100")
NAMES = (*PLANS, *IMAGE_FOLDERS)


def write(name: str, folder: str | Path, settings: PhantomSettings | None = None) -> None:
    """Write the phantom of a data set in the layout in which the original is published.

    Beside the original's files there are ``phantom_masks/{lung,lesion,lobe}/<sample>.png`` (lobes
    are 0 to 5, the others 0 or 255), ``phantom_truth.csv`` (per image: class and finding drawn,
    marker, areas in pixels, patient, source, style) and ``phantom.json`` (the settings).

    Args:
        name: one of ``NAMES``.
        folder: where to write; created if need be.
        settings: None means the defaults.

    Raises:
        DataError: there is no phantom of that name.
    """
    if name not in NAMES:
        raise DataError(f"no phantom of {name!r}; there are {', '.join(NAMES)}")
    folder, settings = Path(folder), settings or PhantomSettings()
    folder.mkdir(parents=True, exist_ok=True)
    if name in IMAGE_FOLDERS:
        plan_other.write_image_folder(folder, settings)
    else:
        # Data sets of one seed must not share patients' anatomy: each has a seed of its own.
        own = PhantomSettings(**asdict(settings) | {"seed": _own_seed(name, settings.seed)})
        render(PLANS[name](np.random.default_rng([own.seed, 21]), own), folder, own)
    about = {
        "note": "Drawn by covidlib: not images of patients.", "name": name,
        "settings": asdict(settings), "generator": generator_digest(), "truth": TRUTH,
        "masks": MASKS, "lobes": dict(enumerate(LOBES, 1)),
        "marker": {"corner": "lower right", "side": MARKER_SIDE},
    }  # fmt: skip
    (folder / "phantom.json").write_text(json.dumps(about, indent=1) + "\n", "utf-8")


def materialise(name: str, settings: PhantomSettings | None = None) -> Path:
    """Return the folder of a phantom data set in the cache; write it on the first call.

    The folder's name holds a hash of the settings and of the generator's code, so that a changed
    generator never serves old images. Two processes may call at once: both draw, one wins, both
    return the same folder. A killed process leaves a hidden folder and no half data set.

    Raises:
        DataError: there is no phantom of that name.
    """
    settings = settings or PhantomSettings()
    key = json.dumps([name, asdict(settings), generator_digest()], sort_keys=True)
    home = cache_root() / "phantoms"
    target = home / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    return once(target, lambda folder: write(name, folder, settings))


def generator_digest() -> str:
    """Return a hash of the code that draws phantoms."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _own_seed(name: str, seed: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{name} {seed}".encode()).digest()[:6], "big")
