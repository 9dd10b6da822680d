"""More tables of ``notebooks/across/benchmark.py``: matrix, sources left out, calibration, cost."""

from collections.abc import Mapping, Sequence

import pandas as pd

from covidlib.benchmark import GROUPS, Board, called, crossed, external, own
from covidlib.benchmark.areas import Cell, Measure, miscalibration
from covidlib.benchmark.costs import BATCHES, Price, price
from covidlib.benchmark.sources import ILL
from covidlib.book import Page
from covidlib.data_page import PlainTable
from covidlib.evaluation.calibration import brier, calibration_error
from covidlib.pages.benchmark import Sides, name_of, rows_of
from covidlib.pages.results import NOT_YET
from covidlib.plans.across import HELD_OUT, LEARNT, NETWORKS, SIZES, TITLES, XRAYS
from covidlib.runs.provenance import hardware
from covidlib.tables import NOTHING, format_interval
from covidlib.training.fit import Resources


def matrix_table(which: Board) -> PlainTable:
    """Return the AUC of every network from every X-ray set on every X-ray test set."""
    rows = {}
    for key, runs in which.items():
        for learnt, line in crossed({n: runs[n] for n in XRAYS if n in runs}).iterrows():
            name = f"{name_of(*key)} from {LEARNT[learnt]}"
            rows[name] = {
                f"on {LEARNT[test]}": format_interval(cell) + ("" if learnt != test else " own")
                for test, cell in line.items()
            }
    frame = pd.DataFrame.from_dict(rows, orient="index")
    if frame.empty:
        frame = pd.DataFrame({"AUC": [NOT_YET]}, index=["all networks"])
    return PlainTable(frame, "AUC with 95% intervals; own: the sources that were learnt from.")


def held_out_table(sides: Sides) -> PlainTable:
    """Return what networks call COVID-19 in a source that they never saw."""
    rows = {}
    for network in ("r50", "ma"):
        for learnt in HELD_OUT:
            missing = [g for g in GROUPS if g.startswith(learnt.removeprefix("all-but-"))]
            for group in missing:
                line = {}
                for name, which in sides.boards.items():
                    runs = which.get((network, "own"), {}).get(learnt)
                    cell = called(runs).get(group) if runs else None
                    line[name] = format_interval(cell) if cell else _absent(name)
                line["should be"] = "1" if group in ILL else "0"
                rows[f"{TITLES[network]}: {GROUPS[group]}"] = line
    frame = pd.DataFrame.from_dict(rows, orient="index")
    return PlainTable(
        frame[["should be", *sides.boards]],
        "Share of a source's test images called COVID-19 at one half, by a network that learnt "
        "from every other source, with 95% intervals over patients.",
    )


def _absent(side: str) -> str:
    return NOT_YET if side == "recorded" else NOTHING


def calibration_table(sides: Sides) -> PlainTable:
    """Return calibration errors at home and elsewhere, before and after a temperature."""
    rows = {
        (name_of(*key), measure): {
            f"{place}, {name}": _warmed(cells(which.get(key, {})), how) or _absent(name)
            for name, which in sides.boards.items()
            for place, cells in (("own", own), ("elsewhere", external))
        }
        for key in rows_of(sides)
        for measure, how in (("ECE", calibration_error), ("Brier", brier))
    }
    frame = pd.DataFrame(list(rows.values()), index=pd.MultiIndex.from_tuples(list(rows)))
    return PlainTable(
        frame,
        "Expected calibration error over ten bins of equal mass, and Brier score, means over "
        "training sets: as given → at the temperature of the run's own validation images.",
    )


def _warmed(cells: Sequence[Cell], measure: Measure) -> str:
    """Return an error before and after the temperature, "" where no run can tell."""
    before, after = (miscalibration(cells, warm, measure) for warm in (False, True))
    return "" if before is None or after is None else f"{before:.3f} → {after:.3f}"


def prices(page: Page) -> dict[str, Price]:
    """Count and time every network at the profile's size."""
    rounds = 3 if page.profile == "smoke" else 9
    return {n: price(s, SIZES[page.profile].size, rounds) for n, s in NETWORKS.items()}


def price_table(found: Mapping[str, Price]) -> PlainTable:
    """Return parameters, multiply-adds and milliseconds of every network."""
    facts = hardware(Resources().device)
    machine = f"{facts['hardware']}, threads: {facts['threads']}"
    rows = {}
    for network, one in found.items():
        rows[TITLES[network]] = {
            "parameters, M": f"{one.parameters / 1e6:.1f}",
            "multiply-adds, M": f"{one.multiply_adds / 1e6:.0f}",
        }
        for batch in BATCHES:
            low, middle, high = one.milliseconds[batch]
            rows[TITLES[network]][f"ms, {batch} at once"] = f"{middle:.1f} [{low:.1f}, {high:.1f}]"
    return PlainTable(
        pd.DataFrame.from_dict(rows, orient="index"),
        "For one image at this profile's size. Milliseconds: median and quartiles, on a CPU of "
        f"processor time; here {machine}. ResNet50 (MA) also needs a segmentation, not counted.",
    )
