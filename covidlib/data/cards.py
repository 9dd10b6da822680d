"""One card per data set: where it comes from, what it holds, what to beware of."""

from collections.abc import Mapping
from types import MappingProxyType

from covidlib.data.card_types import ANY, Card, Download
from covidlib.data.cards_other import OTHER
from covidlib.data.cards_xray import XRAY
from covidlib.errors import DataError

__all__ = ["ANY", "CARDS", "Card", "Download", "card"]

CARDS: Mapping[str, Card] = MappingProxyType({c.name: c for c in (*OTHER, *XRAY)})


def card(name: str) -> Card:
    """Return the card of one data set.

    Raises:
        DataError: there is no such card; the message lists those there are.

    >>> card("covid-ct").classes
    ('NonCOVID', 'COVID')
    """
    if name not in CARDS:
        raise DataError(f"no card for {name!r}; known data sets: {', '.join(sorted(CARDS))}")
    return CARDS[name]
