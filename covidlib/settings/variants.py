"""What a paper's text says, and what its authors' code does."""

from dataclasses import replace
from typing import Any, ClassVar, Self


class Variants:
    """Settings whose defaults follow the paper's text, with the released code beside them.

    ``replace(settings, **AUTHORS[name])`` makes one of the differences, ``variant("authors")`` all.
    """

    AUTHORS: ClassVar[dict[str, dict[str, Any]]]  # by name of the difference

    @classmethod
    def variant(cls, name: str = "paper", **changes: Any) -> Self:
        """Return the settings of the paper's text or of the authors' released code.

        Args:
            name: "paper" or "authors".
            changes: of single fields.

        Raises:
            ValueError: another name.
        """
        if name not in ("paper", "authors"):
            raise ValueError(f'variant is "paper" or "authors", not {name!r}')
        found = cls()
        if name == "authors":
            for change in cls.AUTHORS.values():
                found = replace(found, **change)
        return replace(found, **changes)
