"""Chains of stages of msatl: what is learnt before COVID19-CT, and from which images."""

from dataclasses import dataclass, replace

from covidlib.data.phantoms import PhantomSettings
from covidlib.data.preprocessing import Preprocessing
from covidlib.models.attention_resnet import AttentionResNetSettings
from covidlib.runs.spec import RunSpec
from covidlib.settings import (
    DataSettings,
    GraftSettings,
    MocoSettings,
    SimclrSettings,
    SstlmSettings,
    StlmSettings,
    StlnSettings,
    TrainingSettings,
)
from covidlib.settings.stl import STLM_DROPOUT, STLN_DROPOUT

SELF_SUPERVISED = {"ours": SstlmSettings, "moco": MocoSettings, "simclr": SimclrSettings}
SSL_STAGES = {"ours": "sstl-m", "moco": "moco", "simclr": "simclr"}


@dataclass(frozen=True)
class Sources:
    """Which images the supervised stages learn from.

    Args:
        natural: data set of STL-N; "torchvision" takes finished weights instead.
        medical: data set of STL-M.
    """

    natural: str = "tiny-imagenet-100"
    medical: str = "covidx-here"


STAND_INS = Sources()
PAPERS = Sources("imagenet", "covidx")  # msatl sec. 6.1
TORCHVISION = "torchvision"


@dataclass(frozen=True)
class StageSizes:
    """What a profile changes in the stages before the target.

    Args:
        pixels: side of every network input.
        stln_epochs, stln_batch, stlm_epochs, stlm_batch, ssl_epochs, ssl_batch: their lengths.
        stlm_rate, sstlm_rate: shares of these stages' rates, scaled to the batch.
        queue, regions, neighbours: see ``SstlmSettings``; None leaves the paper's.
        seeds: how many chains have pre-training of their own; STL-N is always trained once.
    """

    pixels: int
    stln_epochs: int
    stln_batch: int
    stlm_epochs: int
    stlm_batch: int
    ssl_epochs: int
    ssl_batch: int
    stlm_rate: float = 1.0
    sstlm_rate: float = 1.0
    queue: int = 256
    regions: int | None = None
    neighbours: int = 20
    seeds: int = 1


SIZES = {
    "smoke": StageSizes(40, 1, 8, 1, 8, 1, 8, sstlm_rate=0.1, queue=16, regions=1, neighbours=3),
    # A core takes 16 ms for an image of 64 pixels, forward and back: 12, 6 and 12 minutes. STL-M
    # takes a tenth of the paper's 6,660 steps, so its rate is ten times the paper's for a step.
    # SSTL-M has the target's rate in the paper, and a tenth of it here, as the target has.
    "laptop": StageSizes(64, 4, 32, 18, 32, 40, 32, stlm_rate=20.0, sstlm_rate=0.1, regions=8),
    "paper": StageSizes(224, 90, 512, 30, 64, 200, 256, regions=64, seeds=5),
}
# Images of each class in each split in smoke; pictures of 12 or 100 classes are few anyway.
LIMITS = {"tiny-imagenet-100": 1, "imagenet": 1, "covid-ct": 12}
LIMIT = 8


def images(name: str, profile: str, phantoms: bool, number: int = 40, **fields) -> DataSettings:
    """Return the images of one stage; ``smoke`` takes few, drawn or acquired.

    Args:
        name: of the data set.
        profile: which sizes.
        phantoms: whether they are drawn.
        number: how many are drawn in ``smoke``.
        **fields: of ``DataSettings``.
    """
    smoke = profile == "smoke"
    drawn = PhantomSettings(images=number, size=48) if smoke else PhantomSettings()
    limit = LIMITS.get(name, LIMIT) if smoke else None
    if phantoms and name in LIMITS:
        limit = None  # so few are drawn
    return DataSettings(name, phantom=drawn if phantoms else None, limit=limit, **fields)


def cached(pixels: int) -> int:
    """Return the side of which a crop of so many pixels is 0.875 (msatl sec. 6.2: 224 of 256).

    >>> cached(224), cached(64)
    (256, 73)
    """
    return round(pixels * 8 / 7)


def stl_n(
    network: AttentionResNetSettings, profile: str, phantoms: bool, sources: Sources = STAND_INS
) -> RunSpec:
    """Return STL-N of one network: seed 0, whatever the seed of the rest (ours: its cost).

    With ``sources.natural`` "torchvision" it is a run that trains nothing and takes weights.
    """
    sizes = SIZES[profile]
    if sources.natural == TORCHVISION:
        # The stage needs no image; the target's stand in, because they are there.
        settings, data = GraftSettings(size=sizes.pixels), target_images(profile, phantoms)
        return RunSpec(network, data, settings, 0, stage="torchvision")
    data = images(
        sources.natural,
        profile,
        phantoms,
        number=48,
        split="val-as-test",
        preprocessing=Preprocessing(size=cached(sizes.pixels), colour=True),
    )
    whole = StlnSettings()
    settings = replace(
        whole,
        size=sizes.pixels,
        epochs=sizes.stln_epochs,
        batch=sizes.stln_batch,
        lr=whole.lr * sizes.stln_batch / whole.batch,
        validate_every=1 if sizes.stln_epochs < 10 else 5,
    )
    return RunSpec(replace(network, dropout=STLN_DROPOUT), data, settings, 0, stage="stl-n")


def stl_m(
    network: AttentionResNetSettings,
    profile: str,
    phantoms: bool,
    seed: int = 0,
    init: RunSpec | None = None,
    sources: Sources = STAND_INS,
) -> RunSpec:
    """Return STL-M of one network, from random weights unless it follows another stage."""
    sizes = SIZES[profile]
    covidx = sources.medical == "covidx"
    data = images(
        sources.medical,
        profile,
        phantoms,
        split="official+val" if covidx else "holdout",
        preprocessing=Preprocessing(size=sizes.pixels),
    )
    whole = StlmSettings()
    settings = replace(
        whole,
        size=sizes.pixels,
        epochs=sizes.stlm_epochs,
        batch=sizes.stlm_batch,
        lr=whole.lr * sizes.stlm_batch / whole.batch * sizes.stlm_rate,
        validate_every=1 if sizes.stlm_epochs < 10 else 5,
    )
    own = seed % sizes.seeds
    return RunSpec(replace(network, dropout=STLM_DROPOUT), data, settings, own, init, "stl-m")


def self_supervised(
    network: AttentionResNetSettings,
    profile: str,
    phantoms: bool,
    kind: str = "ours",
    seed: int = 0,
    init: RunSpec | None = None,
    transductive: bool = False,
) -> RunSpec:
    """Return self-supervision of one network on COVID19-CT (msatl sec. 5 and 6.4).

    Args:
        network, profile, phantoms, seed, init: as for the other stages.
        kind: "ours" (SSTL-M), "moco" or "simclr".
        transductive: whether validation and test images are learnt from too, without labels.
    """
    sizes = SIZES[profile]
    whole = SELF_SUPERVISED[kind]()
    own: dict[str, object] = {"neighbours": sizes.neighbours}
    if kind != "simclr":
        own["queue"] = sizes.queue
    if kind == "ours":
        own["region_images"] = sizes.regions
    if transductive:
        own["images"] = "all"
    settings: TrainingSettings = replace(
        whole,
        size=sizes.pixels,
        epochs=sizes.ssl_epochs,
        batch=sizes.ssl_batch,
        lr=whole.lr * sizes.ssl_batch / whole.batch * (sizes.sstlm_rate if kind == "ours" else 1),
        validate_every=1 if sizes.ssl_epochs < 10 else 5,
        **own,
    )
    stage = SSL_STAGES[kind] + ("-all" if transductive else "")
    data = target_images(profile, phantoms)
    return RunSpec(network, data, settings, seed % sizes.seeds, init, stage)


def target_images(profile: str, phantoms: bool) -> DataSettings:
    """Return COVID19-CT with its official split, scaled to a square (msatl sec. 6.2)."""
    size = cached(SIZES[profile].pixels)
    return images("covid-ct", profile, phantoms, preprocessing=Preprocessing(size=size))


def chain(
    stages: str,
    network: AttentionResNetSettings,
    profile: str,
    phantoms: bool,
    seed: int = 0,
    ssl: str = "ours",
    sources: Sources = STAND_INS,
) -> RunSpec | None:
    """Return the last stage before the target, by the words of the published tables.

    Args:
        stages: "none", "stl_n", "stl_m" (from random weights: "separately", msatl sec. 6.6),
            "stl_n+stl_m", "full", "sstl_m" (alone) or "full_all" (the transductive variant).
        network, profile, phantoms, seed: as for the stages.
        ssl: which self-supervision "full" ends with.
        sources: the images of the supervised stages.

    Raises:
        KeyError: no such chain.
    """
    options = (network, profile, phantoms)

    def natural() -> RunSpec:
        return stl_n(*options, sources)

    def both() -> RunSpec:
        return stl_m(*options, seed, natural(), sources)

    return {
        "none": lambda: None,
        "stl_n": natural,
        "stl_m": lambda: stl_m(*options, seed, None, sources),
        "stl_n+stl_m": both,
        "full": lambda: self_supervised(*options, ssl, seed, both()),
        "sstl_m": lambda: self_supervised(*options, "ours", seed),
        "full_all": lambda: self_supervised(*options, "ours", seed, both(), transductive=True),
    }[stages]()
