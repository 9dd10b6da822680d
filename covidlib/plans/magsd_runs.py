"""One run of magsd: its sizes by profile, its images, its training, and what may be changed."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from covidlib.data.phantoms import PhantomSettings
from covidlib.data.preprocessing import Preprocessing
from covidlib.models.ma_net import MANetSettings
from covidlib.models.transfer_classifiers import TransferSettings
from covidlib.runs.spec import RunSpec
from covidlib.settings import DataSettings, MAGSDSettings, NetworkSettings, SupervisedSettings
from covidlib.settings.stl import StlnSettings

SETS = ("A", "B", "C")
FOLDS = 5  # magsd sec. 4.1
CLAHE = 4.0  # magsd's released code: clip limit 4 and a grid of 4x4; the paper gives neither


@dataclass(frozen=True)
class Sizes:
    """What a profile changes.

    Args:
        size: side of the images, pixels; a network that needs more gets what it needs.
        epochs: by data set.
        batch: images per step.
        lr: learning rate; the paper's. In smoke the first milestone is the start of its only epoch,
            which therefore has a tenth of what stands here: the paper's rate too.
        folds: how many of the five are trained.
        natural: epochs of the stage on photographs before the transfer models.
        limit: images per class and split, None for all.
    """

    size: int
    epochs: dict[str, int]
    batch: int
    lr: float
    folds: int
    natural: int
    limit: int | None = None


PAPER = MAGSDSettings()
SIZES = {
    "smoke": Sizes(48, {"A": 1, "B": 1, "C": 1}, batch=8, lr=0.01, folds=1, natural=1, limit=8),
    "laptop": Sizes(64, {"A": 30, "B": 6, "C": 6}, batch=16, lr=PAPER.lr, folds=FOLDS, natural=2),
    "paper": Sizes(
        PAPER.size,
        dict.fromkeys(SETS, PAPER.epochs),
        batch=PAPER.batch,
        lr=PAPER.lr,
        folds=FOLDS,
        natural=90,
    ),
}
PHANTOM = PhantomSettings(images=64, size=64)


def images(letter: str, profile: str, phantoms: bool, fold: int, size: int) -> DataSettings:
    """Return one fold of a data set of magsd Table 1, preprocessed as in sec. 4.2."""
    return DataSettings(
        f"magsd-{letter.lower()}",
        split="kfold",
        fold=fold,
        folds=FOLDS,
        preprocessing=Preprocessing(size=size, clahe_clip=CLAHE),
        phantom=PHANTOM if phantoms else None,
        limit=SIZES[profile].limit,
    )


def proposed(profile: str, letter: str) -> MAGSDSettings:
    """Return MAG-SD's settings at the sizes of a profile (magsd sec. 4.1)."""
    sizes = SIZES[profile]
    return replace(
        PAPER,
        size=sizes.size,
        epochs=sizes.epochs[letter],
        batch=sizes.batch,
        lr=sizes.lr,
        # The last batch may hold one image, of which batch norm has no variance; so does the
        # authors' code.
        drop_last=True,
        validate_every=max(1, sizes.epochs[letter] // 5),
    )


def supervised(profile: str, letter: str, size: int) -> SupervisedSettings:
    """Return plain training with everything else as in MAG-SD ("maintained unchanged as possible
    for condition control", magsd sec. 4.4)."""
    like = proposed(profile, letter)
    names = (
        "augmentation", "epochs", "batch", "lr", "momentum", "weight_decay", "milestones", "gamma",
        "drop_last", "validate_every",
    )  # fmt: skip
    return SupervisedSettings(size=size, **{name: getattr(like, name) for name in names})


def natural(network: NetworkSettings, profile: str, phantoms: bool, size: int) -> RunSpec:
    """Return the stage on photographs before a transfer model.

    Tiny ImageNet stands in for ImageNet in every profile (ours: ImageNet for two rivals of one
    table would cost more than all the rest).
    """
    sizes, whole = SIZES[profile], StlnSettings()
    few = None if sizes.limit is None else sizes.limit if phantoms else 1  # of a hundred classes
    data = DataSettings(
        "tiny-imagenet-100",
        split="val-as-test",
        preprocessing=Preprocessing(size=size * 8 // 7, colour=True),  # room for the crop
        phantom=PHANTOM if phantoms else None,
        limit=few,
    )
    training = replace(
        whole,
        size=size,
        epochs=sizes.natural,
        batch=2 * sizes.batch,
        lr=whole.lr * 2 * sizes.batch / whole.batch,
        drop_last=True,
    )
    return RunSpec(network, data, training, stage="stl-n")


Change = Callable[[RunSpec], RunSpec]


def run_of(
    network: NetworkSettings, letter: str, profile: str, phantoms: bool, fold: int
) -> RunSpec:
    """Return a network of Table 3 on one fold."""
    size = max(SIZES[profile].size, getattr(network, "least", 0))
    data = images(letter, profile, phantoms, fold, size)
    if isinstance(network, MANetSettings):
        return RunSpec(network, data, proposed(profile, letter))
    init = None
    if isinstance(network, TransferSettings):
        init = natural(network, profile, phantoms, size)
    return RunSpec(network, data, supervised(profile, letter, size), init=init)


def trained(**changes: object) -> Change:
    """Return what changes settings of the training."""
    return lambda spec: replace(spec, training=replace(spec.training, **changes))


def built(**changes: object) -> Change:
    """Return what changes settings of the network."""
    return lambda spec: replace(spec, network=replace(spec.network, **changes))


def without_clahe(spec: RunSpec) -> RunSpec:
    """Return the same run on images whose contrast is left alone (magsd Table 4)."""
    plain = replace(spec.data.preprocessing, clahe_clip=None)
    return replace(spec, data=replace(spec.data, preprocessing=plain))


def same(spec: RunSpec) -> RunSpec:
    """Return MAG-SD as proposed."""
    return spec
