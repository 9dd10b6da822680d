"""Runs behind the tables of msatl."""

from dataclasses import dataclass, replace

from covidlib.data.augmentation import MSATL_CT
from covidlib.data.cache import Preprocessing
from covidlib.data.phantoms import PhantomSettings
from covidlib.models.attention_resnet import PLACEMENTS, AttentionResNetSettings
from covidlib.plans.plan import Plan, Row
from covidlib.runs.spec import RunSpec
from covidlib.settings import DataSettings, SupervisedSettings

NAMES = {"baseline": "baseline", "attn1": "1 ATTN", "attn5": "5 ATTNs"}


@dataclass(frozen=True)
class Sizes:
    """What a profile changes: pixels, epochs, batch, and the rate that follows the batch."""

    cached: int  # side of the cached images, pixels
    input: int  # side of the crop that enters the network, pixels
    epochs: int
    batch: int
    seeds: dict[str, int]  # runs per network, by slug; "" for all others
    validate_every: int = 5
    rate: float = 0.1  # share of the scaled rate, as ``learning_rate`` found on validation images


SIZES = {
    "smoke": Sizes(73, 64, epochs=2, batch=16, seeds={"": 1}, validate_every=1),
    "laptop": Sizes(73, 64, epochs=60, batch=32, seeds={"": 1, "r50-baseline": 3}),
    "paper": Sizes(256, 224, epochs=200, batch=256, seeds={"": 5}, rate=1.0),  # msatl sec. 6.2
}


PAPER = SupervisedSettings()
# The paper's rate of 0.3 for 256 images, linear in the batch (Goyal et al. 2017), ...
SCALED = {name: PAPER.lr * sizes.batch / PAPER.batch for name, sizes in SIZES.items()}
RATES = (1.0, 0.3, 0.1, 0.03)  # ... and its shares, compared on validation images


def target(profile: str) -> SupervisedSettings:
    """Return the settings of training on COVID19-CT (msatl sec. 6.2)."""
    sizes = SIZES[profile]
    return replace(
        PAPER,
        size=sizes.input,
        augmentation=MSATL_CT,
        epochs=sizes.epochs,
        batch=sizes.batch,
        lr=SCALED[profile] * sizes.rate,
        validate_every=sizes.validate_every,
    )


def covid_ct(profile: str, phantoms: bool) -> DataSettings:
    """Return COVID19-CT with its official split, scaled to a square (msatl sec. 6.2)."""
    return DataSettings(
        "covid-ct",
        preprocessing=Preprocessing(size=SIZES[profile].cached),
        phantom=PhantomSettings() if phantoms else None,
    )


def without_transfer(profile: str, *, phantoms: bool, seeds: int | None = None) -> Plan:
    """Return the "w/o TL" rows of Table 4: six networks from random weights (msatl sec. 6.5)."""
    counts = SIZES[profile].seeds
    rows = []
    for depth in (50, 101):
        for variant in PLACEMENTS:
            network = AttentionResNetSettings(depth, variant)
            count = seeds or counts.get(network.slug, counts[""])
            specs = tuple(
                RunSpec(network, covid_ct(profile, phantoms), target(profile), seed)
                for seed in range(count)
            )
            cell = (("model", f"r{depth}"), ("variant", variant), ("stages", "none"))
            rows.append(Row(f"R-{depth} {NAMES[variant]}", cell, specs))
    return Plan("msatl/without_transfer", "msatl_table4", tuple(rows))


def learning_rate(profile: str, *, phantoms: bool, seeds: int | None = None) -> Plan:
    """Return short runs of R-50 at several rates; the validation images choose among them."""
    full = target(profile)
    network = AttentionResNetSettings(50, "baseline")
    rows = []
    for share in RATES:
        settings = replace(full, lr=SCALED[profile] * share, epochs=max(1, full.epochs * 5 // 8))
        specs = tuple(
            RunSpec(network, covid_ct(profile, phantoms), settings, seed)
            for seed in range(seeds or 1)
        )
        rows.append(Row(f"rate {settings.lr:g}", (), specs))
    return Plan("msatl/learning_rate", "", tuple(rows))


PLANS = {
    "msatl/learning_rate": learning_rate,
    "msatl/without_transfer": without_transfer,
}
