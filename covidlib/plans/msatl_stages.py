"""Chains of stages of msatl: what is learnt before COVID19-CT."""

from dataclasses import replace

from covidlib.data.preprocessing import Preprocessing
from covidlib.models.attention_resnet import AttentionResNetSettings
from covidlib.plans.msatl_sizes import (
    SIZES,
    STAND_INS,
    TORCHVISION,
    Sources,
    cached,
    images,
    target_images,
)
from covidlib.runs.spec import RunSpec
from covidlib.settings import (
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
