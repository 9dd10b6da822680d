"""Runs behind the tables of msatl.

Of rows of one rank and one seed, ``covidlib reference`` records those first that come first here.
"""

from dataclasses import replace

from covidlib.models.attention_resnet import AttentionResNetSettings
from covidlib.plans.msatl_sizes import target_images
from covidlib.plans.msatl_tables import TABLES, without_transfer
from covidlib.plans.msatl_target import RATES, SCALED, target
from covidlib.plans.plan import Plan, Row
from covidlib.runs.spec import RunSpec


def learning_rate(profile: str, *, phantoms: bool, seeds: int | None = None) -> Plan:
    """Return short runs of R-50 at several rates; the validation images choose among them."""
    full = target(profile)
    network = AttentionResNetSettings(50, "baseline")
    rows = []
    for share in RATES:
        settings = replace(full, lr=SCALED[profile] * share, epochs=max(1, full.epochs * 5 // 8))
        specs = tuple(
            RunSpec(network, target_images(profile, phantoms), settings, seed)
            for seed in range(seeds or 1)
        )
        rows.append(Row(f"rate {settings.lr:g}", (), specs))
    return Plan("msatl/learning_rate", "", tuple(rows))


PLANS = {
    "msatl/without_transfer": without_transfer,
    **TABLES,
    "msatl/learning_rate": learning_rate,
}
