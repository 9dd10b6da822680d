# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # Scales of attention, and pooling under it
#
# From how many scales should attention come, and does pooling under it beat plain pooling?
# This page covers section 4.4.3 of {cite}`li2021magsd` and its Tables 5 and 6.
#
# ```{admonition} In short
# Recorded on the real images: {glue:text}`scales_recorded_rows` of {glue:text}`scales_rows` rows of Table 5 and {glue:text}`pooling_recorded_rows` of {glue:text}`pooling_rows` of Table 6 ({glue:text}`scales_whole_rows` and {glue:text}`pooling_whole_rows` with all folds).
# Verdicts over {glue:text}`scales_cells` and {glue:text}`pooling_cells` cells: {glue:text}`scales_reproduced` and {glue:text}`pooling_reproduced` reproduced, {glue:text}`scales_below` and {glue:text}`pooling_below` below, {glue:text}`scales_above` and {glue:text}`pooling_above` above, {glue:text}`scales_untested` and {glue:text}`pooling_untested` not testable here.
# Recorded with images of {glue:text}`scales_budget`, from random weights; the paper: 224 pixels, 100 epochs, a pre-trained backbone.
# Highest recorded accuracy on A, by grids of the attention: {glue:text}`scales_leader`; by pooling: {glue:text}`pooling_leader`.
# Smallest p value after Holm, of a row against grids 7 and 14: {glue:text}`scales_smallest_p`; against attention pooling: {glue:text}`pooling_smallest_p`.
# Recorded rows no more accurate than always naming the commonest class, scales: {glue:text}`scales_guessing`; pooling: {glue:text}`pooling_guessing`.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, figures
from covidlib.pages import magsd_fold_tests
from covidlib.pages import magsd_results as parts
from covidlib.pages import magsd_start as start

page = book.start(profile, data, seed)

# %% [markdown]
# ## Table 5: from how many scales?
#
# "Maps 7 and 14" are the grids of the two deepest stages at 224 pixels.
# The paper's text says three scales, its row called *proposed* has two: two are the default here.
# In the `smoke` profile this page trains one fold of each row on A.
# On the two classes of A only accuracy and F1 are compared, see [the audit](../across/audit.ipynb).

# %%
scales = parts.gather(page, "scales")
by_scales = {letter: parts.table(scales, letter) for letter in "ABC"}

# %% tags=["table", "hide-input"]
by_scales["A"]

# %% tags=["table", "hide-input"]
by_scales["B"]

# %% tags=["table", "hide-input"]
by_scales["C"]

# %% tags=["table", "hide-input"]
tests = magsd_fold_tests.fold_tests(scales, "7 and 14")
page.glue("scales_smallest_p", magsd_fold_tests.smallest_p(tests))
tests

# %% [markdown]
# ## Table 6: which pooling?
#
# With GAP or GMP the classifier sees the pooled features alone; the attention still steers the views, but no gradient reaches it.
# The paper could also mean another pooling *inside* attention pooling; see the [deviations](deviation-magsd-pooling).

# %%
pooling = parts.gather(page, "pooling")
by_pooling = {letter: parts.table(pooling, letter) for letter in "ABC"}

# %% tags=["table", "hide-input"]
by_pooling["A"]

# %% tags=["table", "hide-input"]
by_pooling["B"]

# %% tags=["table", "hide-input"]
by_pooling["C"]

# %% tags=["table", "hide-input"]
tests = magsd_fold_tests.fold_tests(pooling, "attention pooling")
page.glue("pooling_smallest_p", magsd_fold_tests.smallest_p(tests))
tests

# %% mystnb={"figure": {"name": "fig-magsd-scales-pooling", "caption": "Accuracy on data set A by number of scales (above) and by pooling (below): the paper's number, the recorded interval over patients and folds, and this run."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(2, 1, figsize=(8, 7), layout="constrained")
    parts.draw_forests(axes, {"A, scales": by_scales["A"], "A, pooling": by_pooling["A"]})

# %% tags=["hide-input"]
told = {f"scales_{k}": v for k, v in parts.sentences(scales, by_scales).items()}
told |= {f"pooling_{k}": v for k, v in parts.sentences(pooling, by_pooling).items()}
for name, value in told.items():
    page.glue(name, value)

# %% [markdown]
# ## One learning rate for all
#
# As in [Table 3](architectures.ipynb), every row has the paper's learning rate, whatever its classifier is given.
# Scales are summed, so features grow with their number; GAP and GMP hand over those of the backbone alone.
# What the rate means to the classifiers of Tables 5 and 6, from random weights:

# %% tags=["table", "hide-input"]
measured = start.rates(page, start.networks_of(scales, "maps ") | start.networks_of(pooling))
start.table(measured, page.phantom)

# %% tags=["hide-input"]
for label, times in measured["times"].items():
    page.glue(f"times_{label.replace(',', '').replace(' ', '_')}", f"{times:.2g}")

# %% [markdown]
# Measured on a batch of this run, the rate is {glue:text}`times_maps_7` times the largest stable one with one scale, {glue:text}`times_maps_7_and_14` with two and {glue:text}`times_maps_7_14_and_28` with three; {glue:text}`times_GAP` with GAP and {glue:text}`times_GMP` with GMP.
# Far above 1 the first epochs repair what the first steps did, so smaller features alone may put a row ahead: these tables compare starts as well as scales and poolings.

# %% [markdown]
# ## Limits, and where to go next
#
# What limits [Table 3](architectures.ipynb) limits these: few images on A, other collections than the paper's, random starting weights, smaller images and fewer epochs.
# With 64 pixels the three grids are 2, 4 and 8 positions wide, not 7, 14 and 28: what "low-level" means changes with the profile.
# Claims `magsd-Q14` and `magsd-Q15` prefer two scales on all sets and blame the finest maps; `magsd-Q16` prefers attention pooling.
#
# Next: [](augmentation_count.ipynb).
