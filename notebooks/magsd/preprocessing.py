# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # Contrast and grey values
#
# Does levelling the contrast of X-rays from different devices help?
# This page covers sections 4.2 and 4.4.2 of {cite}`li2021magsd` and its Table 4: MAG-SD with and without CLAHE.
#
# ```{admonition} In short
# Recorded on the real images: {glue:text}`recorded_rows` of {glue:text}`rows` rows on the three data sets ({glue:text}`whole_rows` of them with all folds), {glue:text}`trainings` trainings, {glue:text}`minutes:.0f` minutes.
# Verdicts over {glue:text}`cells` cells: {glue:text}`reproduced` reproduced, {glue:text}`below` below, {glue:text}`above` above, {glue:text}`untested` not testable here.
# Recorded with images of {glue:text}`budget`, from random weights; the paper: 224 pixels, 100 epochs, a pre-trained backbone.
# Highest recorded accuracy on A: {glue:text}`leader`; smallest p value of a row against CLAHE, after Holm: {glue:text}`smallest_p`.
# Recorded rows no more accurate than always naming the commonest class: {glue:text}`guessing`.
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

page = book.start(profile, data, seed)

# %% [markdown]
# ## What it does
#
# Contrast-limited adaptive histogram equalisation spreads the grey values of each tile and caps how steep the spreading gets.
# The paper names neither the cap nor the tiles; the released code has a clip limit of 4 and 4×4 tiles.
# Afterwards each image is brought to mean 0 and standard deviation 1 (the released code does that to each *column* of pixels instead).

# %% mystnb={"figure": {"name": "fig-magsd-clahe", "caption": "One image of each class of data set C as it is cached (above) and after CLAHE (below)."}} tags=["hide-input"]
from covidlib.pages import magsd_data

with figures.style():
    fig, ax = plt.subplots(figsize=(9, 5), layout="constrained")
    magsd_data.draw_clahe(ax, page)
    if page.phantom:
        figures.phantom_stamp(fig)

# %% [markdown]
# ## Table 4
#
# Folds, preprocessing and what is compared on A are those of [Table 3](architectures.ipynb), but for CLAHE.
# In the `smoke` profile this page trains {glue:text}`trained_rows` of the rows, one fold each.

# %%
runs = parts.gather(page, "preprocessing")
tables = {letter: parts.table(runs, letter) for letter in "ABC"}

# %% tags=["table", "hide-input"]
tables["A"]

# %% tags=["table", "hide-input"]
tables["B"]

# %% tags=["table", "hide-input"]
tables["C"]

# %% mystnb={"figure": {"name": "fig-magsd-preprocessing", "caption": "Table 4: accuracy on the three data sets, the paper's number, the recorded interval over patients and folds, and this run."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 3, figsize=(11, 3.6), sharey=True, layout="constrained")
    parts.draw_forests(axes, tables)

# %% [markdown]
# ## Is the difference more than chance?
#
# Fold differences are tested as for [Table 3](architectures.ipynb), corrected for the training images that folds share.

# %% tags=["table", "hide-input"]
tests = magsd_fold_tests.fold_tests(runs, "CLAHE")
page.glue("smallest_p", magsd_fold_tests.smallest_p(tests))
tests

# %% tags=["hide-input"]
for name, value in parts.sentences(runs, tables).items():
    page.glue(name, value)

# %% [markdown]
# ## Limits, and where to go next
#
# What limits [Table 3](architectures.ipynb) limits this one: few images on A, other collections than the paper's, random starting weights, smaller images and fewer epochs.
#
# CLAHE may remove a difference between collections as well as one between devices, and on A the class of an image is its collection, on B and C collections tell most of COVID-19 from the rest: an effect in either direction is not yet an effect on reading lungs.
# Claims `magsd-Q11` to `magsd-Q13` say that it helps on all sets, steadies the folds, and helps more on B and C.
#
# The next page is [](ma_net.ipynb).
