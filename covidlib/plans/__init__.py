"""Which runs each table of each paper needs."""

from collections.abc import Callable

from covidlib.plans import across, magsd, magsd_ours, manet, msatl
from covidlib.plans.plan import Plan, Row

PLANS: dict[str, Callable[..., Plan]] = {
    **msatl.PLANS,
    **magsd.PLANS,
    **magsd_ours.PLANS,
    **manet.PLANS,
    **across.PLANS,
}

__all__ = ["PLANS", "Plan", "Row", "plan"]


def plan(name: str, profile: str, *, phantoms: bool, seeds: int | None = None) -> Plan:
    """Return a plan by its name, "paper/topic".

    Args:
        name: one of ``PLANS``.
        profile: "smoke", "laptop" or "paper": sizes only, never architectures.
        phantoms: whether the images are drawn.
        seeds: how many seeds every row gets; None means the profile's own number.

    Raises:
        KeyError: no such plan; the message lists those there are.
    """
    if name not in PLANS:
        raise KeyError(f"no plan {name!r}; there are {', '.join(sorted(PLANS))}")
    return PLANS[name](profile, phantoms=phantoms, seeds=seeds)
