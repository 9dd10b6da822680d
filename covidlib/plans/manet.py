"""Runs behind the tables of manet."""

from dataclasses import dataclass

from covidlib.data.lung_masks import NAME as MASKS
from covidlib.data.phantoms import PhantomSettings
from covidlib.data.preprocessing import Preprocessing
from covidlib.models.cxr_classifiers import PAPER_MODELS, CxrClassifierSettings
from covidlib.models.res_unet import ResUNetSettings
from covidlib.plans.plan import Plan, Row
from covidlib.runs.spec import RunSpec
from covidlib.settings import CxrSettings, DataSettings, SegmentationSettings

CLASSES = "manet-classes"
BACKBONES = {
    "resnet34": "ResNet34",
    "resnet50": "ResNet50",
    "vgg16": "VGG16",
    "inceptionv3": "Inceptionv3",
}
ATTENTIONS = {"none": "", "mask": " (MA)", "cbam": " (CBAM)"}
VARIANTS = {"none": "baseline", "mask": "ma", "cbam": "cbam"}  # in the published tables
# What is recorded first: the networks that the paper says most about, last the dearest one.
RANKS = {"resnet50": 0, "resnet34": 1, "inceptionv3": 2, "vgg16": 3}
# Of Inceptionv3's maps, fewer than 224 pixels leave nothing to train with (see the page on mask
# attention).
LEAST = {"inceptionv3": {"laptop": 224}}


@dataclass(frozen=True)
class Stage:
    """What a profile changes of one stage: pixels, epochs, batch and its rate."""

    size: int
    epochs: int
    batch: int
    lr: float


@dataclass(frozen=True)
class Sizes:
    """What a profile changes.

    Args:
        segmentation, classification: sizes of the two stages.
        folds: how many of the five folds of the segmentation are run.
        trials: runs per classifier (manet sec. 4.2: three).
    """

    segmentation: Stage
    classification: Stage
    folds: int
    trials: int


# The paper's 815 images make 650 steps of the segmentation; 57 images make 50. The small profiles
# take smaller batches and larger rates instead of more epochs: ours.
SIZES = {
    "smoke": Sizes(Stage(32, 3, 8, 1e-2), Stage(32, 1, 32, 0.01), folds=1, trials=1),
    "laptop": Sizes(Stage(128, 50, 8, 1e-3), Stage(96, 12, 32, 0.01), folds=5, trials=3),
    "paper": Sizes(Stage(512, 50, 64, 2e-4), Stage(512, 200, 64, 0.01), folds=5, trials=3),
}
FOLDS = 5
DRAWN_MASKS = PhantomSettings(images=40, size=64)  # the fewest that fill five folds of each class
DRAWN_CLASSES = PhantomSettings(images=80, size=64)  # the fewest that fill a tenth of each class


def segmenter(profile: str, phantoms: bool, fold: int = 0, seed: int = 0) -> RunSpec:
    """Return the training of the ResUNet on the images outside one fold (manet sec. 4.1)."""
    stage = SIZES[profile].segmentation
    return RunSpec(
        ResUNetSettings(),
        DataSettings(
            MASKS,
            "kfold",
            fold,
            FOLDS,
            preprocessing=Preprocessing(size=stage.size),
            phantom=DRAWN_MASKS if phantoms else None,
            masks=True,
        ),
        SegmentationSettings(
            size=stage.size,
            epochs=stage.epochs,
            batch=stage.batch,
            lr=stage.lr,
            validate_every=1,
        ),
        seed,
        stage="lungs",
    )


def pixels(profile: str, backbone: str) -> int:
    """Return the side of the images that a classifier sees."""
    least = max(CxrClassifierSettings(backbone).least, LEAST.get(backbone, {}).get(profile, 0))
    return max(SIZES[profile].classification.size, least)


def classifier(
    profile: str,
    phantoms: bool,
    backbone: str,
    attention: str = "none",
    seed: int = 0,
    view: str = "lungs",
) -> RunSpec:
    """Return the training of one classifier on what ``view`` shows (manet sec. 4.2).

    The lungs are those that the first fold's segmentation finds.
    """
    stage = SIZES[profile].classification
    size = pixels(profile, backbone)
    return RunSpec(
        CxrClassifierSettings(backbone, attention),
        DataSettings(
            CLASSES,
            "holdout",
            preprocessing=Preprocessing(size=size),
            phantom=DRAWN_CLASSES if phantoms else None,
            lungs=segmenter(profile, phantoms),
            view=view,
        ),
        CxrSettings(size=size, epochs=stage.epochs, batch=stage.batch, lr=stage.lr),
        seed,
    )


def segmentation(profile: str, *, phantoms: bool, seeds: int | None = None) -> Plan:
    """Return the folds of the lung segmentation (manet sec. 4.1)."""
    specs = tuple(
        segmenter(profile, phantoms, fold, seed)
        for seed in range(seeds or 1)
        for fold in range(SIZES[profile].folds)
    )
    return Plan("manet/segmentation", "", (Row("ResUNet", (), specs),))


def label(backbone: str, attention: str) -> str:
    """Return what manet's tables call a network: "ResNet50 (MA)"."""
    return BACKBONES[backbone] + ATTENTIONS[attention]


def _classifiers(name: str, models, profile: str, phantoms: bool, seeds: int | None) -> Plan:
    rows = []
    for backbone, attention in models:
        specs = tuple(
            classifier(profile, phantoms, backbone, attention, seed)
            for seed in range(seeds or SIZES[profile].trials)
        )
        published = backbone if attention == "none" else f"{backbone}_{VARIANTS[attention]}"
        cell = (("model", published), ("trial", "average"))
        rows.append(Row(label(backbone, attention), cell, specs, RANKS[backbone]))
    return Plan(name, "manet_table2", tuple(rows))


def resnet50(profile: str, *, phantoms: bool, seeds: int | None = None) -> Plan:
    """Return the three networks that the paper says most about, to be run first."""
    models = [pair for pair in PAPER_MODELS if pair[0] == "resnet50"]
    return _classifiers("manet/resnet50", models, profile, phantoms, seeds)


def classification(profile: str, *, phantoms: bool, seeds: int | None = None) -> Plan:
    """Return the ten rows of Table 2."""
    return _classifiers("manet/classification", PAPER_MODELS, profile, phantoms, seeds)


SHORTCUTS = (
    ("none", "lungs"), ("none", "shape"), ("none", "outside"), ("none", "frame"),
    ("none", "image"), ("mask", "lungs"), ("mask", "shape"), ("cbam", "lungs"), ("cbam", "shape"),
)  # fmt: skip


def shortcuts(profile: str, *, phantoms: bool, seeds: int | None = None) -> Plan:
    """Return ResNet50 shown parts of each image: what could it know without the lungs? (ours)."""
    rows = [
        Row(
            f"{label('resnet50', attention)}: {view}",
            (("attention", attention), ("view", view)),
            tuple(
                classifier(profile, phantoms, "resnet50", attention, seed, view)
                for seed in range(seeds or 1)
            ),
            rank=0 if view == "lungs" else 1,
        )
        for attention, view in SHORTCUTS
    ]
    return Plan("manet/shortcuts", "", tuple(rows))


PLANS = {
    "manet/segmentation": segmentation,
    "manet/resnet50": resnet50,
    "manet/classification": classification,
    "manet/shortcuts": shortcuts,
}
