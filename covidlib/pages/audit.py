"""Tables and sentences of the paper audit (``notebooks/across/audit.py``)."""

import pandas as pd

from covidlib.audit import averages, class_mixes, prose, specificity, spread
from covidlib.audit.configurations import configurations, set_sizes
from covidlib.audit.f1_cap import f1_table, least_uneven
from covidlib.audit.grim import chance, grim
from covidlib.audit.improvements import all_improvements
from covidlib.audit.overview import manet_test_images, manet_trials, noise_overview, overview
from covidlib.audit.rounding import EXACT, OFF
from covidlib.data_page import PlainTable

RUNS = (1, 2, 3, 4, 5)
# Why some sentences differ from their cells; all others agree with the improvement cells.
REMARKS = {
    "msatl-P28": "it follows from the improvement cell above that does not subtract",
    "msatl-P07": "differences of unrounded results may give it",
    "msatl-P34": "differences of unrounded results may give it",
}
ELSE = "the improvement cells give the computed number"


def overview_table() -> PlainTable:
    """List every check with what was found consistent, and what not."""
    frame = overview()
    total = frame[["checked", "consistent", "not"]].sum()
    last = {"paper": "all", "what was checked": "everything above"} | total.to_dict()
    frame = pd.concat([frame, pd.DataFrame([last])], ignore_index=True)
    note = (
        "Consistent: the printed number follows, exactly or within rounding. The two LEEP lines "
        "are two readings of the same numbers. Section: of this page."
    )
    return PlainTable(frame.set_index("paper").rename_axis(None), note)


def grim_table() -> PlainTable:
    """Count the accuracies that counts of images can give, beside what chance gives."""
    accuracies = configurations()["accuracy"].to_dict()
    images, every = sum(set_sizes("test")), sum(set_sizes("all"))
    found = grim(accuracies, images, RUNS)
    rows = {}
    for runs in RUNS:
        name = "one run" if runs == 1 else f"mean of {runs} runs"
        rows[f"msatl, {name} on {images} images"] = _hits(found[runs], chance(images, runs))
    other = grim(accuracies, every, (1,))[1]
    rows[f"msatl, one run on all {every} images"] = _hits(other, chance(every))
    size = manet_test_images()
    single = grim(manet_trials(), size, (1,))[1]
    rows[f"manet, one run on {size} images"] = _hits(single, chance(size, 1, 2, 90))
    note = "By chance: the share of all printable percentages that some count of images gives."
    return PlainTable(pd.DataFrame.from_dict(rows, orient="index"), note)


def _hits(possible: pd.Series, share: float) -> dict[str, object]:
    return {
        "accuracies": len(possible),
        "possible": int(possible.sum()),
        "not possible": int((~possible).sum()),
        "by chance": f"{100 * share:.0f} %",
    }


def f1_rows() -> PlainTable:
    """List the rows above both caps, with the most even runs that would explain them."""
    covid, other = set_sizes("test")
    frame = f1_table()
    rows = {}
    for name, row in frame[frame["above_either"]].iterrows():
        line = {
            "accuracy": row["accuracy"],
            "F1": row["f1"],
            "cap, COVID": f"{row['cap_covid']:.1f}",
            "cap, either": f"{row['cap_either']:.1f}",
        }
        for runs in RUNS[1:]:
            errors = least_uneven(row["accuracy"], row["f1"], other, covid, runs)
            line[f"{runs} runs"] = None if errors is None else ", ".join(map(str, errors))
        rows[name] = line
    note = (
        "Percent. Runs: errors of each run, the most even ones whose mean accuracy and F1 are the "
        "printed ones, each run with the F1 of its cap; a dash: there are none."
    )
    return PlainTable(pd.DataFrame.from_dict(rows, orient="index"), note)


def differences_table() -> PlainTable:
    """List improvement cells and sentences that are not the difference of their cells."""
    rows = {}
    cells = all_improvements()
    for cell in cells[cells["verdict"] != EXACT].itertuples():
        where = f"Table {cell.table}, {cell.model}, {cell.variant}, {cell.stages}, {cell.metric}"
        remark = "further off than rounding can be"
        sides = (cell.printed, f"{cell.value} - {cell.base}", cell.computed)
        rows[where] = (*sides, cell.verdict, remark)
    for name, said in prose.wrong_sentences().iterrows():
        where = f"{said['where']} ({name})"
        computed = f"{float(said['computed']):.1f}"
        sides = (said["printed"], said["cells"], computed, said["verdict"])
        rows[where] = (*sides, REMARKS.get(str(name), ELSE))
    columns = ["printed", "cells", "computed", "verdict", "remark"]
    return PlainTable(pd.DataFrame.from_dict(rows, orient="index", columns=columns))


def averages_table() -> PlainTable:
    """List averages and totals that do not follow, and both readings of the overall IoU."""
    frames = [averages.trial_averages(), averages.overall_iou(), averages.sums()]
    frames[0]["where"] = "manet Table 2, average of " + frames[0]["where"]
    frames[1]["where"] = "manet sec. 4.1, overall IoU, " + frames[1]["where"]
    frame = pd.concat(frames)
    frame = frame[frame["verdict"] == OFF].set_index("where").rename_axis(None)
    ends = frame.pop("high"), frame.pop("low")
    frame.insert(1, "parts give", [_range(low, high) for high, low in zip(*ends, strict=True)])
    return PlainTable(frame, "Ranges: the parts are printed with rounding.")


def _range(low: float, high: float) -> str:
    return f"{low:.0f}" if low == high else f"{low:.3f} to {high:.3f}"


def readings_table() -> PlainTable:
    """Compare readings of SPC: exactly on set A, by drawn confusion matrices on B and C."""
    rows = {}
    for name, error in specificity.reading_errors().items():
        rows[f"A: {name}"] = {"rows": 21, "mean distance, points": f"{error:.2f}"}
    for dataset in "BC":
        found = class_mixes.spc_readings(dataset)
        found = found[found["matrices"] > 0]
        for reading, text in (
            ("specificity", "TN / (TN + FP), specificity"),
            ("negative_value", "TN / (TN + FN)"),
        ):
            off = found[f"{reading}_off"]
            rows[f"{dataset}: SPC as macro {text}"] = {
                "rows": len(off),
                "mean distance, points": f"{off.mean():.2f}",
                "largest": f"{off.max():.2f}",
                "within 0.05": str(int((off <= 0.05).sum())),
            }
    note = (
        "A: distance of the reconstructed score from the printed one. B and C: distance of SPC "
        "from the range over confusion matrices that fit ACC, SEN and F1 of the row."
    )
    return PlainTable(pd.DataFrame.from_dict(rows, orient="index"), note)


def noise_table() -> PlainTable:
    """List how many printed margins cannot stand out from noise."""
    return PlainTable(noise_overview().set_index("paper").rename_axis(None))


def trials_table() -> PlainTable:
    """List what three trials say about mask attention."""
    found = spread.trial_tests()
    shown = pd.DataFrame(
        {
            "gain, points": found["gain"].map("{:+.2f}".format),
            "in test images": found["images"].map("{:+.1f}".format),
            "std with": found["std"].map("{:.2f}".format),
            "std without": found["base_std"].map("{:.2f}".format),
            "trials won": found["wins"],
            "p, paired": found["p_paired"].map("{:.2f}".format),
            "p, Welch": found["p_welch"].map("{:.2f}".format),
            "p, Holm": found["holm"].map("{:.2f}".format),
        }
    )
    note = "Three trials a side; std without: of the network compared with. Holm: of the paired p."
    return PlainTable(shown, note)
