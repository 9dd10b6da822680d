"""The distinct result rows of magsd Tables 3 to 8."""

from functools import cache

import pandas as pd

from covidlib.published import published

TABLES = (3, 4, 5, 6, 7, 8)
METRICS = ("acc", "sen", "spc", "f1")
# The variant of each ablation table that repeats the proposed row of Table 3.
PROPOSED = {4: "clahe", 5: "maps_7_14", 6: "attention_pooling", 7: "am_ad_ap", 8: "soft_distance"}
NAMES = {
    "vgg16": "VGG16", "resnet18": "ResNet18", "resnet50": "ResNet50",
    "inceptionv3": "InceptionV3", "narin_resnet": "[51](ResNet)",
    "narin_inceptionv3": "[51](InceptionV3)", "covid_net": "COVID-Net", "bcnn": "BCNN",
    "bcnn_attention": "BCNN(Attention)", "fpn": "FPN", "unet": "U-Net",
    "magsd_0aug": "MAG-SD(0AUG)", "magsd": "MAG-SD", "no_clahe": "no CLAHE", "maps_7": "map 7",
    "maps_7_14_28": "maps 7, 14, 28", "gmp": "GMP", "gap": "GAP", "am": "mix-up",
    "am_ad": "mix-up, dimming", "l2": "L2",
}  # fmt: skip


def all_rows() -> pd.DataFrame:
    """Return one row per printed row and data set.

    Returns:
        Columns table, dataset, name, variant, then acc, sen, spc, f1 (percent) and the standard
        deviations acc_std, sen_std, spc_std, f1_std.
    """
    return _all_rows().copy()


@cache
def _all_rows() -> pd.DataFrame:
    rows = []
    for table in TABLES:
        groups = published("magsd", table).groupby(["model", "variant", "dataset"], sort=False)
        for (model, variant, dataset), group in groups:
            same = table == 3 or variant == PROPOSED[table]
            row = {"table": table, "dataset": dataset, "variant": variant}
            row |= {"name": NAMES[model if same else variant]}
            for cell in group.itertuples():
                row |= {cell.metric: float(cell.value), f"{cell.metric}_std": float(cell.std)}
            rows.append(row)
    return pd.DataFrame(rows)


def distinct_rows() -> pd.DataFrame:
    """Return ``all_rows`` without the repeats of the proposed row: 21 per data set."""
    return all_rows().drop_duplicates(["dataset", "name"]).reset_index(drop=True)


def proposed_rows_agree() -> tuple[int, int]:
    """Return how many cells repeat the proposed row of Table 3, and how many are equal to it.

    Means and standard deviations both count.
    """
    rows = all_rows()
    columns = [f"{metric}{end}" for metric in METRICS for end in ("", "_std")]
    proposed = rows[rows["name"] == NAMES["magsd"]]
    first = proposed[proposed["table"] == 3].set_index("dataset")[columns]
    again = proposed[proposed["table"] != 3].set_index("dataset")[columns]
    equal = again.to_numpy() == first.loc[again.index].to_numpy()
    return equal.size, int(equal.sum())
