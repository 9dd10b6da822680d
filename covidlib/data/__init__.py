"""Data sets: cards, the table, opening, downloading."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from covidlib.data.cards import CARDS, Card, card
    from covidlib.data.opening import open_dataset
    from covidlib.data.table import Dataset

_HOMES = {
    "CARDS": "cards",
    "Card": "cards",
    "card": "cards",
    "open_dataset": "opening",
    "Dataset": "table",
}

__all__ = ["CARDS", "Card", "Dataset", "card", "open_dataset"]


def __getattr__(name: str) -> object:
    """Import a name on first use, so that importing the package costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
