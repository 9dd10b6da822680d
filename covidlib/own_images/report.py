"""The audit as text for a terminal and as one HTML file."""

from collections.abc import Iterator

import pandas as pd

from covidlib.data.floors import FLOORS
from covidlib.own_images import html
from covidlib.own_images.auditing import Audit
from covidlib.own_images.modality import NAMES, fitted
from covidlib.own_images.remarks import brief
from covidlib.tables import format_interval

MOST = 20  # lines of a list in the report


def summary(audit: Audit) -> str:
    """Return what was audited, in one sentence."""
    own = audit.inspection.own
    table = own.dataset.table
    people = table["patient"].nunique() + int(table["patient"].isna().sum())
    drawn = "Phantoms, drawn images and no patients: " if own.dataset.phantom else ""
    split = "the split as given" if own.scheme.startswith("official") else "a drawn split, 8:1:1"
    return (
        f"{drawn}{len(table)} readable images of {people} patients in "
        f"{len(own.dataset.classes)} classes, {NAMES[audit.inspection.modality]}s, {split}. "
        f"Audited in {audit.seconds:.0f} s."
    )


def counts(audit: Audit) -> pd.DataFrame:
    """Return images per class and set, without empty rows and columns."""
    frame = audit.findings.counts
    return frame.loc[frame.any(axis=1), frame.any(axis=0)]


def floors(audit: Audit) -> pd.DataFrame:
    """Return the AUC of each classifier that knows no anatomy."""
    rows = {
        name: {
            "AUC": format_interval(found).removesuffix(f" (n={found.runs})")
            if found.value == found.value
            else found.reason,
            "a network could use it": FLOORS[name].exploitable,
            "because": FLOORS[name].why,
        }
        for name, found in audit.floors.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def pairs(audit: Audit) -> pd.DataFrame:
    """Return the images that look the same, those in different sets first."""
    found = audit.findings.pairs.head(MOST)
    return pd.DataFrame(
        {
            "one": found["sample_a"].map(brief),
            "its set and class": found["split_a"] + ", " + found["label_a"],
            "the other": found["sample_b"].map(brief),
            "its set and class ": found["split_b"] + ", " + found["label_b"],
            "how": found["kind"],
        }
    ).set_index("one")


def strangers(audit: Audit) -> pd.DataFrame:
    """Return the images that are of another kind than the rest, those in colour first."""
    found = audit.inspection.strangers.sort_values("coloured", ascending=False).head(MOST)
    kinds = found["kind"].map(NAMES)
    shares = [f"{share:.0%}" for share in found["coloured"]]
    table = {"image": found["sample"].map(brief), "looks like": kinds, "coloured pixels": shares}
    return pd.DataFrame(table).set_index("image")


def verdict(audit: Audit) -> str:
    """Return what to make of all remarks, in one sentence."""
    stops = len(audit.stops)
    warnings = sum(remark.kind == "beware" for remark in audit.remarks)
    others = f"; {warnings} other things would weaken its result" if warnings else ""
    if stops:
        return f"Do not train on these images yet: mend the {stops} marked stop{others}."
    if warnings:
        return f"Nothing forbids training; {warnings} things weaken what its result can say."
    return "Nothing forbids training, and nothing was found that weakens its result."


def audit_page(audit: Audit) -> str:
    """Return the report as one HTML file."""
    name = audit.inspection.own.dataset.name
    return html.document(f"Audit of {name}", _sections(audit))


def _sections(audit: Audit) -> Iterator[str]:
    yield html.paragraph(summary(audit), "warning" if _drawn(audit) else "")
    yield html.paragraph(verdict(audit), "" if not audit.stops else "warning")
    yield html.listing((remark.kind, remark.text) for remark in audit.remarks)
    yield from sections(audit)
    if audit.inspection.problems:
        yield html.heading("Files that cannot be decoded")
        lines = [(p.path.name, p.reason) for p in audit.inspection.problems[:MOST]]
        yield html.table(pd.DataFrame(lines, columns=["file", "why"]).set_index("file"))
    if len(audit.inspection.strangers):
        yield html.heading("Images that look like something else")
        yield html.table(strangers(audit), f"The first {MOST} at most.")
    yield html.heading("How images are told apart")
    yield html.paragraph(
        "An image is a photograph where more than a tenth of its pixels cannot belong to a tinted "
        "grey picture. Otherwise a logistic regression on 32×32 pixels tells CT slices, chest "
        "X-rays and photographs apart. Rates on images of sources that the fit did not see:"
    )
    rates = (
        pd.DataFrame(fitted()["rates"])
        .set_index("source")[["kind", "images", "wrong", "refused"]]
        .replace({"kind": NAMES})
    )
    yield html.table(rates.round(3), "wrong: taken for another kind; refused: own kind ruled out.")


def sections(audit: Audit) -> Iterator[str]:
    """Return what the audit and the model card both show: counts, sources, leaks, floors."""
    yield html.heading("Images")
    yield html.table(counts(audit), "Images by class and set.")
    if audit.sources is not None:
        yield html.table(audit.sources, "Images by source and class.")
    yield html.heading("Leaks between the sets")
    yield html.table(
        audit.findings.leaks.astype(object),
        "Patients, sources or pairs of images in both sets; not checked: unknown.",
    )
    if len(audit.findings.pairs):
        yield html.table(pairs(audit), f"The first {MOST} pairs at most.")
    yield html.heading("Floors: classifiers that know no anatomy")
    yield html.table(
        floors(audit), "Random forests of three seeds on the test images, with 95% intervals."
    )


def _drawn(audit: Audit) -> bool:
    return audit.inspection.own.dataset.phantom
