"""The numbers that the sentences of the audit page quote, by the names they are glued."""

import pandas as pd
from scipy import stats

from covidlib.audit import class_mixes, leep_bound, specificity, spread
from covidlib.audit.configurations import configurations, set_sizes
from covidlib.audit.f1_cap import f1_table
from covidlib.audit.grim import chance, grim, nearest
from covidlib.audit.improvements import all_improvements
from covidlib.audit.overview import manet_test_images, manet_trials, overview

Numbers = dict[str, float | int]


def sentences() -> Numbers:
    """Return all numbers of the page."""
    checks = overview()
    totals = {
        "checked": int(checks["checked"].sum()),
        "consistent": int(checks["consistent"].sum()),
    }
    return totals | _counts() | _msatl() | _readings() | _mixes() | _noise()


def _counts() -> Numbers:
    images = sum(set_sizes("test"))
    accuracies = configurations()["accuracy"]
    single = grim(accuracies.to_dict(), images, (1, 4))
    distinct = grim({text: text for text in accuracies}, images, (1,))[1]
    hits, share = int(single[1].sum()), chance(images)
    # The one accuracy of manet that is no count of images.
    size = manet_test_images()
    trials = grim(manet_trials(), size, (1,))
    (slip,) = trials.loc[~trials[1], "printed"]
    below, above = nearest(slip, size)
    return {
        "grim_off": len(single) - hits,
        "grim_all": len(single),
        "grim_hits": hits,
        "grim_expected": share * len(single),
        "grim_luck": float(stats.binom.sf(hits - 1, len(single), share)),
        "grim_distinct": len(distinct),
        "grim_distinct_off": int((~distinct).sum()),
        "grim_four": int((~single[4]).sum()),
        "vgg_printed": float(slip),
        "vgg_low": 100 * below / size,
        "vgg_high": 100 * above / size,
    }


def _msatl() -> Numbers:
    caps, trivial = f1_table(), all_improvements()["trivial"]
    least, cells = leep_bound.leep_bounds().loc["all"], leep_bound.leep_cells()
    return {
        "cap_covid": int(caps["above_covid"].sum()),
        "cap_either": int(caps["above_either"].sum()),
        "improved": len(trivial),
        "improved_trivial": int(trivial.sum()),
        "leep_low": float(cells["value"].min()),
        "leep_high": float(cells["value"].max()),
        "leep_nats": float(least["nats"]),
        "leep_bits": float(least["bits"]),
    }


def _readings() -> Numbers:
    gaps, recalls = specificity.harmonic_gaps(), specificity.as_class_recalls()
    return {
        "gap_a": float(gaps.loc["A", ["least", "most"]].abs().max()),
        "gap_b": float(gaps.loc["B", "mean"]),
        "gap_c": float(gaps.loc["C", "mean"]),
        "outside": int((~recalls["between"]).sum()),
        "weight_low": float(recalls["weight"].min()),
        "weight_high": float(recalls["weight"].max()),
    }


def _mixes() -> Numbers:
    recalls, bcnn = class_mixes.recall_table(), class_mixes.spc_readings("B").loc["BCNN"]
    images: dict[str, pd.Series] = {
        name: group.loc[~group["possible"], "images"] for name, group in recalls.groupby("dataset")
    }
    return {
        "recall_a": len(images["A"]),
        "recall_a_clear": int((images["A"] > 0.1).sum()),
        "recall_a_most": float(images["A"].max()),
        "recall_b": len(images["B"]),
        "recall_b_images": float(images["B"].max()),
        "bcnn_f1": float(bcnn["f1"]),
        "bcnn_most": float(bcnn["f1_most"]),
    }


def _noise() -> Numbers:
    margins, folds, trials = spread.accuracy_margins(), spread.ablations(), spread.trial_tests()
    other = margins.loc[margins["comparison"] == "proposed over other SSL", "most"]
    return {
        "needed": spread.images_needed(),
        "ssl_most": int(other.max()),
        "folds": len(folds),
        "folds_small": int(folds["within_smaller"].sum()),
        "folds_large": int(folds["within_larger"].sum()),
        "folds_never": int((folds["correlation"] > 1).sum()),
        "trials_noise": int((trials["p_paired"] > 0.05).sum()),
        "trials_all": len(trials),
    }
