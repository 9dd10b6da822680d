"""The qualitative claims of manet as experiments.

The measure is the accuracy on the test images of "manet-classes" unless a claim says otherwise: it
is the only one that the paper prints for all networks. Networks are units; where one speaks, its
trials are.
"""

from covidlib.claims.claim import Claim
from covidlib.claims.experiments import Contrast, Every, Experiment, Unit, unmeasured
from covidlib.claims.manet_experiments import (
    CurveExperiment,
    HeatExperiment,
    accuracy_jumps,
    cleaning,
    loss_jumps,
    slowness,
)
from covidlib.claims.manet_measures import (
    by_size,
    by_size_in_print,
    dealt_anew,
    light,
    light_in_print,
    parameters,
    slight,
    trainable,
)
from covidlib.claims.rows import Cell
from covidlib.models.cxr_classifiers import PAPER_MODELS
from covidlib.plans.manet import BACKBONES, VARIANTS

PLANS = ("manet/classification",)
RESNETS = ("resnet34", "resnet50")
RUNS = "`make reference PAPER=manet PROFILE=laptop DATA=FOLDER`"
SCORES = "`make scores PAPER=manet PROFILE=laptop DATA=FOLDER`, where the networks were trained"


def _cell(backbone: str, attention: str) -> Cell:
    model = backbone if attention == "none" else f"{backbone}_{VARIANTS[attention]}"
    return {"model": model, "trial": "average"}


def _minus(backbone: str, first: str, second: str) -> Unit:
    return [(1.0, _cell(backbone, first)), (-1.0, _cell(backbone, second))]


def _contrast(*units: Unit) -> Contrast:
    return Contrast(PLANS, units, metric="accuracy")


def _claim(
    number: str, page: str, statement: str, found: Contrast | Every, **options: object
) -> Claim:
    chosen = {"measure": "accuracy", "printed": found.printed} | options
    return Claim(f"manet-Q{number}", statement, found, page=page, **chosen)


def _measured(
    number: str, page: str, statement: str, experiment: Experiment, measure: str, **options: object
) -> Claim:
    return Claim(f"manet-Q{number}", statement, experiment, measure=measure, page=page, **options)


def _reason(number: str, page: str, statement: str, reason: str, needs: str) -> Claim:
    found = unmeasured(reason)
    return Claim(f"manet-Q{number}", statement, found, measure="", page=page, needs=needs)


_EACH = Every(tuple(_contrast(_minus(b, "mask", "none")) for b in BACKBONES))
_RIVALS = [
    *((b, "mask", "none") for b in BACKBONES),
    *((b, "mask", "cbam") for b in RESNETS),
]
_BEST = Every(
    tuple(
        _contrast([(1.0, _cell("resnet50", "mask")), (-1.0, _cell(*model))])
        for model in PAPER_MODELS
        if model != ("resnet50", "mask")
    )
)
_LUNGS = Contrast(
    ("manet/shortcuts",),
    ([(1.0, {"label": "ResNet50: lungs"}), (-1.0, {"label": "ResNet50: image"})],),
    metric="accuracy",
)
_STEADY = CurveExperiment(accuracy_jumps, more="none", less="mask")
_STEADY_LOSS = CurveExperiment(loss_jumps, more="none", less="mask")
_FASTER = CurveExperiment(slowness, more="cbam", less="mask")
_EDGES = HeatExperiment(
    lambda scores: scores["resnet50"]["edge"] - scores["resnet50"]["edge_area"], ("resnet50",)
)
_SCATTER = HeatExperiment(
    lambda scores: scores["resnet50-cbam"]["half"] - scores["resnet50"]["half"],
    ("resnet50", "resnet50-cbam"),
)
_INSIDE = HeatExperiment(
    lambda scores: scores["resnet50-mask"]["inside"] - scores["resnet50"]["inside"],
    ("resnet50", "resnet50-mask"),
)

CLAIMS: tuple[Claim, ...] = (
    _claim(
        "01", "classification", "MA raises the mean test accuracy of each of the four CNNs", _EACH
    ),
    _claim(
        "02",
        "classification",
        "MA beats plain and CBAM on average over the six pairs",
        _contrast(*(_minus(*pair) for pair in _RIVALS)),
        note="The claim says 'in most cases'; the mean over the pairs is what can be tested.",
    ),
    _claim(
        "03",
        "classification",
        "CBAM is worse than no attention in both ResNets",
        Every(tuple(_contrast(_minus(b, "none", "cbam")) for b in RESNETS)),
    ),
    _claim("04", "classification", "ResNet50 with MA beats each of the nine other networks", _BEST),
    _measured(
        "05",
        "classification",
        "With MA validation accuracy jumps less late in training",
        _STEADY,
        "fluctuation of accuracy",
        note="Fluctuation is defined on the page on classification; the paper defines none.",
    ),
    _measured(
        "06",
        "classification",
        "With MA both loss and accuracy of the validation images jump less",
        Every((_STEADY, _STEADY_LOSS)),
        "fluctuation",
        note="The weaker of the two speaks.",
    ),
    _measured(
        "07",
        "classification",
        "Validation accuracy rises sooner with MA than with CBAM",
        _FASTER,
        "speed",
    ),
    _measured("08", "cost", "MA adds no trainable parameters", parameters, ""),
    _measured(
        "09",
        "cost",
        "MA adds less than a hundredth to the FLOPs, and a step takes less time than with CBAM",
        light,
        "log of seconds with CBAM over seconds with MA",
        printed=light_in_print(),
        note="Products with the maps are counted, which the paper leaves out; a hundredth is ours. "
        "Steps of both ResNets took turns; runs are rounds. Finding the masks is not in it.",
        needs="`python -m covidlib.overheads`",
    ),
    _measured(
        "10",
        "classification",
        "ResNet50 with MA is better on the classes with most images",
        by_size,
        "F1",
        printed=by_size_in_print(),
        necessary=True,
        note="The larger half of the classes minus the others. Most classes come from one "
        "collection each, so size and collection can hardly be told apart.",
        needs=RUNS,
    ),
    _reason(
        "11",
        "segmentation",
        "ResUNet segments the lungs nearly as well as the ground truth",
        "'nearly' names no number; its page shows the IoU",
        "two people who draw the same lungs, whose agreement says what nearly is",
    ),
    _reason(
        "12",
        "segmentation",
        "Lung segmentation is worst for COVID-19",
        "no normal and no tuberculosis image here has drawn lungs",
        "normal and tuberculosis images with lungs: the sets of Montgomery and Shenzhen",
    ),
    _measured(
        "13",
        "segmentation",
        "Post-processing raises the IoU of the masks",
        cleaning,
        "IoU",
        note="Better for the second stage is another question.",
        needs=RUNS,
    ),
    _measured(
        "14",
        "heatmaps",
        "Plain ResNet50 has more heat around the outline than an even map",
        _EDGES,
        "share of heat at the outline",
        needs=SCORES,
    ),
    _measured(
        "15",
        "heatmaps",
        "With CBAM the heat is spread over more of the picture",
        _SCATTER,
        "picture that holds half the heat",
        needs=SCORES,
    ),
    _measured(
        "16",
        "heatmaps",
        "With MA more of the heat lies in the lungs",
        _INSIDE,
        "share of heat in the lungs",
        needs=SCORES,
    ),
    _measured(
        "17",
        "classification",
        "On other collections ResNet50 names more classes rightly with MA than without",
        dealt_anew,
        "balanced accuracy",
        note="COVID-19 of another collection, pneumonias of adults from the one that gave "
        "COVID-19; both networks see lungs only. See the page on classification.",
        needs=SCORES,
    ),
    _measured(
        "18",
        "mask_attention",
        "The maps that meet at a skip connection differ by less than a twentieth of their range",
        slight,
        "",
        note="The paper says trivial; a twentieth is ours. It holds if the largest difference is "
        "below, and does not if a block's mean is above. See the page on mask attention.",
        needs="`python -m covidlib.mask_findings`",
    ),
    _measured(
        "19",
        "cost",
        "CBAM adds more parameters and FLOPs than MA, the masks being given",
        trainable,
        "",
    ),
    _claim(
        "20",
        "shortcuts",
        "ResNet50 is more accurate on the lungs than on the whole image",
        _LUNGS,
        necessary=True,
        note="The whole image may win by shortcuts; see the page on shortcuts.",
    ),
)
