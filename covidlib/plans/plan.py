"""A plan: the rows of a table and the runs behind each."""

from dataclasses import dataclass

from covidlib.runs.spec import RunSpec


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Args:
        label: what a reader sees.
        cell: column values that find the paper's numbers in its published table.
        specs: one run per seed; none where the row stands for no training.
        rank: of several, all rows of rank 0 are recorded before any of rank 1.
    """

    label: str
    cell: tuple[tuple[str, str], ...]
    specs: tuple[RunSpec, ...]
    rank: int = 0


@dataclass(frozen=True)
class Plan:
    """The rows of one table.

    Args:
        name: "paper/topic".
        table: the published table that holds the paper's numbers.
        rows: in the paper's order.
        on_request: whether ``covidlib reference`` leaves it out unless it is named.
    """

    name: str
    table: str
    rows: tuple[Row, ...]
    on_request: bool = False

    @property
    def paper(self) -> str:
        """Short name of the paper."""
        return self.name.split("/")[0]

    @property
    def specs(self) -> list[RunSpec]:
        """Every run, each once, first seeds of all rows before second seeds of any."""
        longest = max(len(row.specs) for row in self.rows)
        ordered = [r.specs[i] for i in range(longest) for r in self.rows if i < len(r.specs)]
        return list({spec.key: spec for spec in ordered}.values())
