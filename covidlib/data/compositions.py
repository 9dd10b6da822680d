"""Compositions: named data sets put together from several cards.

Papers train on sets that nobody publishes as such. A composition says which images of which card
play which class; ``covidlib.data.composing`` puts it together from what is under the data root.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class Part:
    """Images of one card that join a composition.

    Args:
        datasets: names of cards, the first that is under the data root is taken; a phantom stands
            for the last. Several names are releases of the same images.
        labels: value of ``column`` in the card's table -> class of the composition; rows with
            other values stay out.
        column: what ``labels`` speaks of.
        where: further columns and the values they must have.
        named_like: a card that has the same images under the same stems; its labels, patients and
            sources hold where the part has none of its own.
        limit: most images of this part, None for all.
        group: what ``Composition.subsets`` call it.
    """

    datasets: tuple[str, ...]
    labels: Mapping[str, str]
    column: str = "label"
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    named_like: str | None = None
    limit: int | None = None
    group: str = ""


@dataclass(frozen=True)
class Composition:
    """A data set made of parts.

    Args:
        name: what ``open_dataset`` calls it.
        title: one line for a reader.
        source: the paper and section that composed it so.
        classes: fixed order, positive last when binary.
        parts: in order of preference: a class takes from the first part before the second.
        sizes: images per class in the paper; 0 where no paper composed it.
        capped: whether a class takes no more images than the paper's; otherwise all there are.
        optional: classes that may be absent; the set then has fewer classes and says so.
        traps: what a reader should beware of.
        subsets: groups of parts that a network may learn from while it is tested on all of them;
            see ``DataSettings.learn_from``.
    """

    name: str
    title: str
    source: str
    classes: tuple[str, ...]
    parts: tuple[Part, ...]
    sizes: Mapping[str, int]
    capped: bool = True
    optional: tuple[str, ...] = ()
    traps: tuple[str, ...] = ()
    subsets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def group_of(self, card: str, label: str) -> str:
        """Return the group of a card's images of one class, "" where no part has one."""
        for part in self.parts:
            if card in part.datasets and label in part.labels.values():
                return part.group
        return ""


# Releases of one collection. RSNA's images are those of ChestX-ray8 under new names, and the
# subset of Ozturk et al. is a part of it: the largest that is here is taken.
_COHEN, _CXNET = ("covid-chestxray-dataset",), ("covid-cxnet",)
_NIH = ("rsna", "chestxray8", "chestxray8-subset")
_CHILDREN = ("kermany", "kermany-subset")
_SICK = ("Lung Opacity", "Pneumonia")
_WELL = ("Normal", "No Finding", "No_findings")
_CAUSES = {"pneumonia_bac": "bacterial pneumonia", "pneumonia_vir": "viral pneumonia"}
_ORIGIN = "Class and collection are nearly the same variable: a network may learn the collection."
_AGE = "The children of Kermany et al. are in some classes only: age gives the class away."


def _all(values: tuple[str, ...], label: str) -> dict[str, str]:
    return dict.fromkeys(values, label)


_COVID = {"COVID-19": "COVID-19"}
# Cohen's set stands first: where COVID-CXNet has the same picture, Cohen's label holds.
_MORE_COVID = Part(_CXNET, _COVID)

COVIDX_HERE = Composition(
    name="covidx-here",
    title="COVIDx as far as its collections are here",
    source="msatl sec. 6.1, after Wang et al. 2020",
    classes=("normal", "pneumonia", "COVID-19"),
    parts=(
        Part(_COHEN, {c: c for c in ("normal", "pneumonia", "COVID-19")}),
        _MORE_COVID,
        Part(_NIH, _all(_WELL, "normal") | _all(_SICK, "pneumonia")),
    ),
    sizes={"normal": 8_066, "pneumonia": 5_559, "COVID-19": 573},
    traps=(
        _ORIGIN,
        "Of COVIDx's five collections, RSNA gives nearly all normal images and pneumonias; without "
        "it other images of ChestX-ray8 stand in, and COVID-CXNet for the three small collections.",
    ),
)

MAGSD_A = Composition(
    name="magsd-a",
    title="Data set A of magsd: COVID-19 against other pneumonia",
    source="magsd sec. 4.1, Table 1",
    classes=("pneumonia", "COVID-19"),
    parts=(Part(_COHEN, _COVID), _MORE_COVID, Part(_NIH, _all(_SICK, "pneumonia"))),
    sizes={"COVID-19": 90, "pneumonia": 168},
    traps=(_ORIGIN,),
)

MAGSD_B = Composition(
    name="magsd-b",
    title="Data set B of magsd: healthy, other pneumonia, COVID-19",
    source="magsd sec. 4.1, Table 1",
    classes=("healthy", "pneumonia", "COVID-19"),
    parts=(
        Part(_COHEN, _COVID | {"normal": "healthy", "pneumonia": "pneumonia"}),
        _MORE_COVID,
        Part(_NIH, _all(_WELL, "healthy") | _all(_SICK, "pneumonia")),
    ),
    sizes={"COVID-19": 462, "pneumonia": 1_567, "healthy": 1_602},
    traps=(_ORIGIN,),
)

MAGSD_C = Composition(
    name="magsd-c",
    title="Data set C of magsd: healthy, bacterial, viral, COVID-19",
    source="magsd sec. 4.1, Table 1",
    classes=("healthy", "bacterial pneumonia", "viral pneumonia", "COVID-19"),
    parts=(
        Part(_COHEN, _COVID | {"normal": "healthy"}),
        Part(
            _COHEN,
            {"bacterial": "bacterial pneumonia", "viral": "viral pneumonia"},
            column="cause",
            where={"label": ("pneumonia",)},
        ),
        _MORE_COVID,
        Part(_CHILDREN, {"normal": "healthy", **_CAUSES}),
        Part(_NIH, _all(_WELL, "healthy")),
    ),
    sizes={
        "COVID-19": 462,
        "viral pneumonia": 1_449,
        "bacterial pneumonia": 2_816,
        "healthy": 1_602,
    },
    traps=(_ORIGIN, _AGE),
)

MAGSD_LOCALIZATION = Composition(
    name="magsd-localization",
    title="Localization set of magsd: COVID-19 and other pneumonia with outlines",
    source="magsd sec. 4.1, Table 1",
    classes=("pneumonia", "COVID-19"),
    parts=(
        Part(
            ("covid-cxr-segmentations",),
            {"COVID-19": "COVID-19", "pneumonia": "pneumonia"},
            named_like="covid-chestxray-dataset",
        ),
    ),
    sizes={"COVID-19": 13, "pneumonia": 118},
    capped=False,  # more outlines only narrow the intervals
    traps=(
        "The images are Cohen's: a network that trained on them has seen what it is asked about.",
        "The paper's other pneumonias have boxes; here all have outlines.",
    ),
)

MANET_CLASSES = Composition(
    name="manet-classes",
    title="The five classes of manet",
    source="manet sec. 2.1 and 2.3, Table 1",
    classes=("normal", "COVID-19", "TB", "bacterial pneumonia", "viral pneumonia"),
    parts=(
        Part(("montgomery",), {"normal": "normal", "tuberculosis": "TB"}),
        Part(("shenzhen",), {"normal": "normal", "tuberculosis": "TB"}),
        Part(_CHILDREN, {"normal": "normal", **_CAUSES}),
        Part(_COHEN, _COVID),
        _MORE_COVID,
        # Adults without a finding, whom the paper takes from Montgomery (80) and Shenzhen (326).
        Part(_NIH, _all(_WELL, "normal"), limit=406),
    ),
    sizes={
        "normal": 1_840,
        "COVID-19": 433,
        "TB": 394,
        "bacterial pneumonia": 2_780,
        "viral pneumonia": 1_345,
    },
    optional=("TB",),
    traps=(_ORIGIN, _AGE),
)

_GROUPS = ("cohen-covid", "cohen-other", "cxnet", "nih", "kermany")

XRAY_SOURCES = Composition(
    name="xray-sources",
    title="Every X-ray collection that is here: COVID-19 against all else",
    source="ours, for external validation",
    classes=("other", "COVID-19"),
    parts=(
        Part(_COHEN, _COVID, group="cohen-covid"),
        Part(_COHEN, _all(("normal", "pneumonia"), "other"), group="cohen-other"),
        Part(_CXNET, _COVID, group="cxnet"),
        Part(_NIH, _all(_WELL + _SICK, "other"), group="nih"),
        Part(_CHILDREN, _all(("normal", *_CAUSES), "other"), group="kermany"),
    ),
    sizes={"other": 0, "COVID-19": 0},
    capped=False,
    traps=(_ORIGIN, _AGE),
    subsets={
        "cohen": ("cohen-covid", "cohen-other"),
        "cxnet-nih": ("cxnet", "nih"),
        "cohen-kermany": ("cohen-covid", "kermany"),
        "all-but-cohen": ("cxnet", "nih", "kermany"),
        "all-but-cxnet": tuple(group for group in _GROUPS if group != "cxnet"),
        "all-but-nih": tuple(group for group in _GROUPS if group != "nih"),
        "all-but-kermany": tuple(group for group in _GROUPS if group != "kermany"),
    },
)

COMPOSITIONS: Mapping[str, Composition] = MappingProxyType(
    {
        c.name: c
        for c in (
            COVIDX_HERE,
            MAGSD_A,
            MAGSD_B,
            MAGSD_C,
            MAGSD_LOCALIZATION,
            MANET_CLASSES,
            XRAY_SOURCES,
        )
    }
)
