"""Rows of Tables 1 to 6 of msatl, and those that the paper never printed."""

from collections.abc import Callable, Iterable

from covidlib.models.attention_resnet import PLACEMENTS, AttentionResNetSettings
from covidlib.plans.msatl_sizes import PAPERS, STAND_INS, TORCHVISION, Sources, target_images
from covidlib.plans.msatl_stages import chain
from covidlib.plans.msatl_target import NAMES, SIZES, target
from covidlib.plans.plan import Plan, Row
from covidlib.runs.spec import RunSpec

# The words of the paper's tables.
STAGES = {
    "none": "w/o TL",
    "stl_n": "w STL-N",
    "stl_m": "w STL-M",
    "stl_n+stl_m": "w STL-N w STL-M",
    "full": "w TL",
    "sstl_m": "w SSTL-M alone",
    "full_all": "w TL, SSTL-M on all images",
}
SSL = {"moco": "MoCo", "simclr": "SimCLR", "ours": "Ours"}
NETWORKS = tuple(AttentionResNetSettings(depth, v) for depth in (50, 101) for v in PLACEMENTS)


def sources(profile: str) -> Sources:
    """Return the images of the supervised stages: the paper's own in "paper", else stand-ins."""
    return PAPERS if profile == "paper" else STAND_INS


def runs(
    network: AttentionResNetSettings,
    stages: str,
    profile: str,
    phantoms: bool,
    count: int,
    ssl: str = "ours",
    origin: Sources | None = None,
) -> tuple[RunSpec, ...]:
    """Return the runs on COVID19-CT behind one row, each fine-tuned from its chain of stages."""
    origin = origin or sources(profile)
    data, training = target_images(profile, phantoms), target(profile)
    return tuple(
        RunSpec(
            network, data, training, s, chain(stages, network, profile, phantoms, s, ssl, origin)
        )
        for s in range(count)
    )


def seeds_of(
    network: AttentionResNetSettings, stages: str, ssl: str, profile: str, seeds: int | None
) -> int:
    """Return how many seeds a row has: several for Table 4, as many in all rows of "paper"."""
    counts = SIZES[profile].seeds
    table4 = stages == "none" or (stages == "full" and ssl == "ours")
    return seeds or (counts.get(network.slug, counts[""]) if table4 else counts[""])


def _label(network: AttentionResNetSettings, words: str) -> str:
    return f"R-{network.depth} {NAMES[network.variant]} {words}".rstrip()


def _row(
    network, stages, profile, phantoms, seeds, *, ssl="ours", label=None, printed=None, origin=None
) -> Row:
    words = printed if printed is not None else {"stages": stages}
    if stages == "full" and printed is None:
        words["ssl"] = ssl
    cell = {"model": f"r{network.depth}", "variant": network.variant, **words} if words else {}
    return Row(
        _label(network, STAGES[stages] if label is None else label),
        tuple(cell.items()),
        runs(
            network,
            stages,
            profile,
            phantoms,
            seeds_of(network, stages, ssl, profile, seeds),
            ssl,
            origin,
        ),
        rank=0 if network.depth == 50 else 1,
    )


def _plan(name: str, table: str, rows: Iterable[Row], on_request: bool = False) -> Plan:
    return Plan(f"msatl/{name}", table, tuple(rows), on_request)


def _each(kinds: Iterable[str], profile, phantoms, seeds, networks=NETWORKS, **options):
    """Yield the rows of several chains, network by network, as the paper's tables do."""
    return [_row(n, k, profile, phantoms, seeds, **options) for n in networks for k in kinds]


def without_transfer(profile: str, *, phantoms: bool, seeds: int | None = None) -> Plan:
    """Return the "w/o TL" rows of Table 4: six networks from random weights (msatl sec. 6.5)."""
    rows = [_row(n, "none", profile, phantoms, seeds, label="") for n in NETWORKS]
    return _plan("without_transfer", "msatl_table4", rows)


def attention_benefit(profile: str, *, phantoms: bool, seeds: int | None = None) -> Plan:
    """Return Table 4: all six networks without transfer and after all stages (msatl sec. 6.5)."""
    rows = _each(("none", "full"), profile, phantoms, seeds)
    return _plan("attention_benefit", "msatl_table4", rows)


def overall(profile: str, *, phantoms: bool, seeds: int | None = None) -> Plan:
    """Return Table 2: all six networks after all stages (msatl sec. 6.3), runs of Table 4."""
    rows = [_row(n, "full", profile, phantoms, seeds, label="") for n in NETWORKS]
    return _plan("overall", "msatl_table2", rows)


def ssl_comparison(profile: str, *, phantoms: bool, seeds: int | None = None) -> Plan:
    """Return Table 3: MoCo, SimCLR or SSTL-M after STL-N and STL-M (msatl sec. 6.4)."""
    rows = [
        _row(n, "full", profile, phantoms, seeds, ssl=ssl, label=f"w {words}")
        for n in NETWORKS
        for ssl, words in SSL.items()
    ]
    return _plan("ssl_comparison", "msatl_table3", rows)


def ablation(profile: str, *, phantoms: bool, seeds: int | None = None) -> Plan:
    """Return Table 5: STL-N and STL-M, each alone (msatl sec. 6.6)."""
    rows = _each(("none", "stl_n", "stl_m"), profile, phantoms, seeds)
    return _plan("ablation", "msatl_table5", rows)


def unprinted(profile: str, *, phantoms: bool, seeds: int | None = None) -> Plan:
    """Return rows that the paper never printed, for the R-50 family.

    STL-N and STL-M without SSTL-M, against which SSTL-M has to show what it adds; SSTL-M alone;
    and SSTL-M that has also seen the validation and test images, which the paper does not exclude.
    """
    kinds = ("stl_n+stl_m", "sstl_m", "full_all")
    rows = _each(kinds, profile, phantoms, seeds, NETWORKS[:3], printed={})
    return _plan("unprinted", "", rows)


def supervised_transfer(profile: str, *, phantoms: bool, seeds: int | None = None) -> Plan:
    """Return Table 1: STL-N of all six networks, scored on ImageNet's validation images.

    ``seeds`` changes nothing: STL-N is trained once per network.
    """
    rows = [
        _source_row(n, "stl_n", profile, phantoms, {"stages": "stl_n"}, label="") for n in NETWORKS
    ]
    return _plan("supervised_transfer", "msatl_table1", rows)


def leep_scores(profile: str, *, phantoms: bool, seeds: int | None = None) -> Plan:
    """Return Table 6: the networks whose outputs on COVID19-CT LEEP is computed from.

    A row's runs are the last stage before the target, never a fine-tuned network. Rows "w/o TL"
    have no source task and so no run; the paper prints a number for them all the same.
    """
    rows = [
        _source_row(n, k, profile, phantoms, {"stages": k})
        for n in NETWORKS
        for k in ("none", "stl_n", "stl_n+stl_m")
    ]
    return _plan("leep_scores", "msatl_table6", rows)


def _source_row(network, stages, profile, phantoms, words, label=None) -> Row:
    last = chain(stages, network, profile, phantoms, sources=sources(profile))
    cell = {"model": f"r{network.depth}", "variant": network.variant, **words}
    return Row(
        _label(network, STAGES[stages] if label is None else label),
        tuple(cell.items()),
        () if last is None else (last,),
        rank=0 if network.depth == 50 else 1,
    )


def _from(
    origin: Sources, name: str, words: str, profile: str, *, phantoms: bool, seeds: int | None
) -> Plan:
    kinds = ("stl_n", "stl_n+stl_m", "full")
    rows = [
        _row(
            n,
            k,
            profile,
            phantoms,
            seeds,
            label=f"{STAGES[k]} ({words})",
            printed={},
            origin=origin,
        )
        for n in NETWORKS
        for k in kinds
    ]
    return _plan(name, "", rows, on_request=True)


def torchvision_start(profile: str, *, phantoms: bool, seeds: int | None = None) -> Plan:
    """Return chains whose STL-N is torchvision's ImageNet weights under untrained attention."""
    origin = Sources(TORCHVISION, sources(profile).medical)
    words = "ImageNet weights of torchvision"
    return _from(origin, "torchvision_start", words, profile, phantoms=phantoms, seeds=seeds)


def stand_ins(profile: str, *, phantoms: bool, seeds: int | None = None) -> Plan:
    """Return chains from the stand-ins, for a GPU runner that has neither ImageNet nor COVIDx."""
    words = "stand-ins for ImageNet and COVIDx"
    return _from(STAND_INS, "stand_ins", words, profile, phantoms=phantoms, seeds=seeds)


TABLES: dict[str, Callable[..., Plan]] = {
    "msatl/attention_benefit": attention_benefit,
    "msatl/overall": overall,
    "msatl/supervised_transfer": supervised_transfer,
    "msatl/leep_scores": leep_scores,
    "msatl/ablation": ablation,
    "msatl/unprinted": unprinted,
    "msatl/ssl_comparison": ssl_comparison,
    "msatl/torchvision_start": torchvision_start,
    "msatl/stand_ins": stand_ins,
}
