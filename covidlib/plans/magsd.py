"""Runs behind the tables of magsd."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from covidlib.data.phantoms import PhantomSettings
from covidlib.data.preprocessing import Preprocessing
from covidlib.models.bilinear import BilinearSettings
from covidlib.models.covid_net import COVIDNetSettings
from covidlib.models.ma_net import MANetSettings
from covidlib.models.plain_classifiers import PlainSettings
from covidlib.models.pyramid import FPNSettings, UNetSettings
from covidlib.models.transfer_classifiers import TransferSettings
from covidlib.plans.plan import Plan, Row
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

# Label, model of the published table, network; in the paper's order.
RIVALS: tuple[tuple[str, str, NetworkSettings], ...] = (
    ("VGG16", "vgg16", PlainSettings("vgg16")),
    ("ResNet18", "resnet18", PlainSettings("resnet18")),
    ("ResNet50", "resnet50", PlainSettings("resnet50")),
    ("InceptionV3", "inceptionv3", PlainSettings("inception_v3")),
    ("Narin et al., ResNet", "narin_resnet", TransferSettings("resnet50")),
    ("Narin et al., Inception", "narin_inceptionv3", TransferSettings("inception_v3")),
    ("COVID-Net", "covid_net", COVIDNetSettings()),
    ("BCNN", "bcnn", BilinearSettings()),
    ("BCNN with attention", "bcnn_attention", BilinearSettings(attention=True)),
    ("FPN", "fpn", FPNSettings()),
    ("U-Net", "unet", UNetSettings()),
)
PROPOSED, PLAIN = "MAG-SD", "MAG-SD without augmentation"


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


def _rows(
    label: str,
    cell: dict[str, str],
    network: NetworkSettings,
    change: Change,
    options: tuple,
    ranks: tuple[int, int],
) -> tuple[Row, ...]:
    """Return one line of a table on the data sets; ranks of A and of the others."""
    profile, phantoms, seeds = options
    count = min(seeds or FOLDS, SIZES[profile].folds)
    return tuple(
        Row(
            f"{letter}: {label}",
            tuple((cell | {"dataset": letter}).items()),
            tuple(
                change(run_of(network, letter, profile, phantoms, fold)) for fold in range(count)
            ),
            rank=ranks[letter != "A"],
        )
        for letter in SETS
    )


def _in_sets(rows: list[Row]) -> tuple[Row, ...]:
    """Sort rows by data set: A is worth most and costs least."""
    return tuple(sorted(rows, key=lambda row: row.label[0]))


def architectures(profile: str, *, phantoms: bool, seeds: int | None = None) -> Plan:
    """Return the runs of Table 3 and Figure 6: MAG-SD and its twelve rivals on A, B and C.

    In each data set MAG-SD, MAG-SD without augmentation and ResNet50 come first.
    """
    options = (profile, phantoms, seeds)
    none = trained(views=())
    rows = [
        *_rows(PROPOSED, {"model": "magsd"}, MANetSettings(), same, options, (0, 2)),
        *_rows(PLAIN, {"model": "magsd_0aug"}, MANetSettings(), none, options, (0, 2)),
    ]
    for label, model, network in sorted(RIVALS, key=lambda rival: rival[1] != "resnet50"):
        ranks = (0, 2) if model == "resnet50" else (4, 4)
        rows += _rows(label, {"model": model}, network, same, options, ranks)
    return Plan("magsd/architectures", "magsd_table3", _in_sets(rows))


# Rows of Tables 4 to 8: (label, variant of the published table, what is changed), by topic.
ABLATIONS: dict[str, tuple[str, tuple[tuple[str, str, Change], ...]]] = {
    "preprocessing": (
        "magsd_table4",
        (("without CLAHE", "no_clahe", without_clahe), ("CLAHE", "clahe", same)),
    ),
    "scales": (
        "magsd_table5",
        (
            ("7", "maps_7", built(scales=1)),
            ("7 and 14", "maps_7_14", same),
            ("7, 14 and 28", "maps_7_14_28", built(scales=3)),
        ),
    ),
    "pooling": (
        "magsd_table6",
        (
            ("GMP", "gmp", built(pooling="gmp")),
            ("GAP", "gap", built(pooling="gap")),
            ("attention pooling", "attention_pooling", same),
        ),
    ),
    "augmentation_count": (
        "magsd_table7",
        (
            ("mix-up", "am", trained(views=("mixup",))),
            ("mix-up, dimming", "am_ad", trained(views=("mixup", "dimming"))),
            ("mix-up, dimming, patching", "am_ad_ap", same),
        ),
    ),
    "regularisation": (
        "magsd_table8",
        (
            ("L2", "l2", trained(regularisation="l2")),
            ("soft distance", "soft_distance", same),
            ("none (ours)", "none", trained(regularisation="none")),
        ),
    ),
}


def ablation(topic: str) -> Callable[..., Plan]:
    """Return the plan of one of Tables 4 to 8: MAG-SD with one part changed."""
    table, lines = ABLATIONS[topic]

    def made(profile: str, *, phantoms: bool, seeds: int | None = None) -> Plan:
        options = (profile, phantoms, seeds)
        rows: list[Row] = []
        for label, variant, change in lines:
            cell = {"model": "magsd", "variant": variant}
            rows += _rows(label, cell, MANetSettings(), change, options, (1, 3))
        return Plan(f"magsd/{topic}", table, _in_sets(rows))

    return made


RATES = (0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001)  # ours, beside the paper's


def learning_rate(profile: str, *, phantoms: bool, seeds: int | None = None) -> Plan:
    """Return short runs of ResNet50 and MAG-SD on A at several rates, to choose on validation."""
    rows = []
    for label, network in ((PROPOSED, MANetSettings()), ("ResNet50", PlainSettings("resnet50"))):
        spec = run_of(network, "A", profile, phantoms, 0)
        short = max(1, spec.training.epochs // 2)
        for rate in RATES:
            training = replace(spec.training, lr=rate, epochs=short)
            specs = tuple(replace(spec, training=training, seed=s) for s in range(seeds or 1))
            rows.append(Row(f"{label}, rate {rate:g}", (), specs))
    return Plan("magsd/learning_rate", "", tuple(rows), on_request=True)


PLANS: dict[str, Callable[..., Plan]] = {
    **{f"magsd/{topic}": ablation(topic) for topic in ABLATIONS},
    "magsd/architectures": architectures,
    "magsd/learning_rate": learning_rate,
}
