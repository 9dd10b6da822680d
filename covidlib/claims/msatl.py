"""The qualitative claims of msatl as experiments.

Networks that a claim speaks of together are units of one experiment. The measure is the AUC on the
203 test images of COVID19-CT unless a claim says otherwise: of the paper's three metrics it is the
one that needs no threshold.
"""

from covidlib.claims.claim import Claim
from covidlib.claims.experiments import Contrast, Every, Unit, unmeasured
from covidlib.claims.rows import Cell
from covidlib.claims.stages import attention_gains, heat_in_lungs, rising
from covidlib.plans.msatl_target import NAMES

PLANS = tuple(
    f"msatl/{topic}"
    for topic in (
        "overall", "ssl_comparison", "attention_benefit", "without_transfer", "ablation",
        "unprinted",
    )
)  # fmt: skip
MODELS, VARIANTS = ("r50", "r101"), ("baseline", "attn1", "attn5")
ATTENTIVE = VARIANTS[1:]
BOTH = "stl_n+stl_m"
MARGIN = 0.02  # of "at least as good": ours; the printed AUCs of Table 2 differ by less


def _cell(model: str, variant: str, stages: str, ssl: str = "") -> Cell:
    if stages == BOTH:  # a row that the paper does not print
        name = f"{model.upper().replace('R', 'R-')} {NAMES[variant]}"
        return {"label": f"{name} w STL-N w STL-M"}
    named = {"model": model, "variant": variant, "stages": stages}
    if stages == "full":
        named["ssl"] = ssl or "ours"
    return named


def _contrast(*units: Unit, margin: float = 0.0) -> Contrast:
    return Contrast(PLANS, units, margin=margin)


def _each(first: str, second: str, models: tuple[str, ...] = MODELS) -> Contrast:
    """Return first stages minus second, with every network as a unit."""
    return _contrast(
        *(
            [(1.0, _cell(model, variant, first)), (-1.0, _cell(model, variant, second))]
            for model in models
            for variant in VARIANTS
        )
    )


def _attention(stages: str, without: str | None = None) -> Contrast:
    """Return what attention adds: mean of both variants minus plain, a unit per backbone.

    Args:
        stages: with which transfer.
        without: stages to subtract, which makes it the difference of two differences.
    """
    units = []
    for model in MODELS:
        unit = []
        for sign, used in ((1.0, stages), (-1.0, without)):
            if used:
                share = sign / len(ATTENTIVE)
                unit += [(share, _cell(model, variant, used)) for variant in ATTENTIVE]
                unit.append((-sign, _cell(model, "baseline", used)))
        units.append(unit)
    return _contrast(*units)


def _rivals(first: str, rivals: tuple[str, ...]) -> Contrast:
    """Return one self-supervised method minus the mean of others, six networks."""
    share = -1.0 / len(rivals)
    return _contrast(
        *(
            [
                (1.0, _cell(model, variant, "full", first)),
                *((share, _cell(model, variant, "full", other)) for other in rivals),
            ]
            for model in MODELS
            for variant in VARIANTS
        )
    )


def _no_use() -> Contrast:
    """Return the stages without self-supervision minus those with MoCo or SimCLR, and a margin."""
    return _contrast(
        *(
            [
                (1.0, _cell(model, variant, BOTH)),
                (-0.5, _cell(model, variant, "full", "moco")),
                (-0.5, _cell(model, variant, "full", "simclr")),
            ]
            for model in MODELS[:1]  # the rows that the paper does not print are of R-50
            for variant in VARIANTS
        ),
        margin=MARGIN,
    )


def _claim(
    number: str, page: str, statement: str, found: Contrast | Every, **options: object
) -> Claim:
    chosen = {"printed": found.printed, "page": page} | options
    return Claim(f"msatl-Q{number}", statement, found, **chosen)


def _reason(number: str, page: str, statement: str, reason: str, needs: str) -> Claim:
    found = unmeasured(reason)
    return Claim(f"msatl-Q{number}", statement, found, measure="", page=page, needs=needs)


SCORES = "`make scores PAPER=msatl PROFILE=laptop DATA=FOLDER`, where the networks were trained"
ALONE = "Slices count as independent where the kept scores do not name patients."
SOURCES = "Natural images are Tiny ImageNet here, X-rays a composition of public sets."
DEEPER = _contrast(
    *([(1.0, _cell("r101", v, "full")), (-1.0, _cell("r50", v, "full"))] for v in VARIANTS),
    margin=MARGIN,
)
MORE = _contrast(
    *([(1.0, _cell(m, "attn5", "full")), (-1.0, _cell(m, "attn1", "full"))] for m in MODELS)
)
EACH_STAGE = Every((_attention("stl_n", "none"), _attention("stl_m", "none")))

CLAIMS = (
    _claim(
        "01", "attention_benefit",
        "Transfer gains more for networks with attention than for plain ones",
        _attention("full", "none"), note="Difference of differences. " + SOURCES,
    ),
    _claim(
        "02", "overall",
        "After all stages, attention beats the plain network", _attention("full"),
    ),
    _claim("03", "overall", "After all stages, five attention layers beat one", MORE),
    _claim(
        "04", "overall", "After all stages, ResNet-101 is not worse than ResNet-50", DEEPER,
        note=f"Not worse by more than {MARGIN:g}, which is added to the effect.",
    ),
    _claim(
        "05", "ssl_comparison", "Lobe-aware self-supervision beats MoCo and SimCLR",
        _rivals("ours", ("moco", "simclr")),
    ),
    _claim(
        "06", "ssl_comparison",
        "MoCo and SimCLR on CT add nothing to the supervised stages", _no_use(),
        note=f"Against the row that the paper does not print. Adding nothing: at most {MARGIN:g}, "
        "which is added to the effect.",
    ),
    _claim(
        "07", "ssl_comparison", "What the lobes add to contrast of whole images is a gain",
        _rivals("ours", ("moco",)),
        note="MoCo is the image scale alone. Whether lobes or any crops matter is not told apart.",
    ),
    _reason(
        "08", "self_supervised_transfer",
        "Augmenting whole slices does not teach features of regions",
        "it speaks of what features hold, and no table tests it",
        "slices with labelled regions, and a probe of the features that tells them apart",
    ),
    _claim("09", "attention_benefit", "All stages together beat training on the target alone",
           _each("full", "none"), note=SOURCES),
    _claim(
        "10", "ablation",
        "Attention raises the gain from STL-N and that from STL-M, each alone", EACH_STAGE,
        note="Both must hold; the weaker is shown. " + SOURCES,
    ),
    _claim(
        "11", "ablation",
        "It does so whether the source resembles the target (X-rays) or not", EACH_STAGE,
        note="The same two differences of differences as in Q10: the paper has no other evidence.",
    ),
    _claim(
        "12", "ablation",
        "Pre-training on X-rays helps CT", _each("stl_m", "none"), note=SOURCES,
    ),
    _claim(
        "13", "ablation", "X-rays add to natural images", _each(BOTH, "stl_n", MODELS[:1]),
        note="STL-N and STL-M without self-supervision: a row that the paper does not print. "
        + SOURCES,
    ),
    Claim(
        "msatl-Q14", "LEEP rises more for attention than for plain networks, at both stages",
        attention_gains, measure="LEEP, bits", printed=attention_gains.printed, page="leep_scores",
        needs=SCORES,
        note=f"Both must hold; the weaker is shown. Per-image log-likelihoods, paired. {ALONE}",
    ),
    Claim(
        "msatl-Q15", "LEEP rises with each supervised stage", rising, measure="LEEP, bits",
        printed=rising.printed, page="leep_scores", needs=SCORES,
        note="Both steps must hold; the weaker is shown. An untrained network has no source "
        f"classes; its random classifier stands in. {ALONE}",
    ),
    _reason(
        "16", "supervised_transfer",
        "Attention gains little on ImageNet itself, so that transfer explains the CT gain",
        "ImageNet is not at hand, and Tiny ImageNet at small sizes cannot speak for it",
        "networks with and without attention trained on ImageNet",
    ),
    _reason(
        "17", "attention_resnet", "Attention works best in res3 and res4",
        "taken over from other work; neither the paper nor this book trains other placements",
        "the same networks with attention in other stages, several seeds each",
    ),
    Claim(
        "msatl-Q18", "The res5 attention map has more of its heat inside the lungs than Grad-CAM",
        heat_in_lungs, measure="share of heat", necessary=True, page="heatmaps", needs=SCORES,
        note="No lesion of COVID19-CT is drawn, so whether infected regions are marked cannot be "
        "tested. Lungs are hulls of what a threshold finds. Maps are drawn at 224 pixels, at "
        "which networks that learnt from smaller images classify otherwise, see the page.",
    ),
)  # fmt: skip
