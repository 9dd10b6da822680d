# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # How many views?
#
# Does each of the three attention-guided views add something?
# This page covers section 4.4.4 of {cite}`li2021magsd` and its Table 7: MAG-SD with mix-up alone, with dimming too, and with patching as well.
#
# ```{admonition} In short
# Recorded on the real images: {glue:text}`recorded_rows` of {glue:text}`rows` rows on the three data sets ({glue:text}`whole_rows` of them with all folds), {glue:text}`trainings` trainings, {glue:text}`minutes:.0f` minutes.
# Verdicts over {glue:text}`cells` cells: {glue:text}`reproduced` reproduced, {glue:text}`below` below, {glue:text}`above` above, {glue:text}`untested` not testable here.
# Recorded with images of {glue:text}`budget`, from random weights; the paper: 224 pixels, 100 epochs, a pre-trained backbone.
# Highest recorded accuracy on A: {glue:text}`leader`; smallest p value of a row against three views, after Holm: {glue:text}`smallest_p`.
# Recorded rows no more accurate than always naming the commonest class: {glue:text}`guessing`.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, figures
from covidlib.pages import attention_augmentation, magsd_fold_tests
from covidlib.pages import magsd_results as parts

page = book.start(profile, data, seed)

# %% [markdown]
# ## Table 7
#
# Folds, preprocessing and what is compared on A are those of [Table 3](architectures.ipynb).
# In the `smoke` profile this page trains {glue:text}`trained_rows` of the rows, one fold each.

# %%
runs = parts.gather(page, "augmentation_count")
tables = {letter: parts.table(runs, letter) for letter in "ABC"}

# %% tags=["table", "hide-input"]
tables["A"]

# %% tags=["table", "hide-input"]
tables["B"]

# %% tags=["table", "hide-input"]
tables["C"]

# %% mystnb={"figure": {"name": "fig-magsd-augmentation-count", "caption": "Table 7: accuracy on the three data sets, the paper's number, the recorded interval over patients and folds, and this run."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 3, figsize=(11, 3.6), sharey=True, layout="constrained")
    parts.draw_forests(axes, tables)

# %% [markdown]
# ## Is the difference more than chance?
#
# Fold differences are tested as for [Table 3](architectures.ipynb), corrected for the training images that folds share.

# %% tags=["table", "hide-input"]
tests = magsd_fold_tests.fold_tests(runs, "mix-up, dimming, patching")
page.glue("smallest_p", magsd_fold_tests.smallest_p(tests))
tests

# %% tags=["hide-input"]
told = parts.sentences(runs, tables) | attention_augmentation.recorded_grid(page)
for name, value in told.items():
    page.glue(name, value)

# %% [markdown]
# ## Limits, and where to go next
#
# What limits [Table 3](architectures.ipynb) limits this one: few images on A, other collections than the paper's, random starting weights, smaller images and fewer epochs.
# The recorded trainings saw {glue:text}`recorded_size`, which give attention maps of {glue:text}`recorded_grid`; the regions and boxes on [](attention_augmentation.ipynb) are those of maps of 7×7, at 224 pixels.
#
# The paper's text names mix-up and patching as the two-view model, its table mix-up and dimming; the table is followed ([deviation](deviation-magsd-two-views)).
# Claim `magsd-Q17` says that three views are better than one or two, `magsd-Q18` that two are better by AUC on A and B.
#
# The views are made on [](attention_augmentation.ipynb); [](soft_distance.ipynb) and [](regularisation.ipynb) tell how the loss ties them to the whole image.
