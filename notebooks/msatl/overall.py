# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # After all three stages
#
# Six networks are pre-trained on natural images, on chest X-rays and, without labels, on the CT slices themselves; then they learn COVID19-CT.
# How good are they, and does attention make the difference?
# This page covers section 6.3 of {cite}`liu2021msatl` and its Table 2.
#
# ```{admonition} In short
# Recorded on the real images: {glue:text}`recorded_rows` of {glue:text}`rows` rows, {glue:text}`trainings` distinct trainings with all their stages, {glue:text}`minutes:.0f` minutes.
# Verdicts over {glue:text}`cells` cells: {glue:text}`reproduced` reproduced, {glue:text}`below` below, {glue:text}`above` above, {glue:text}`untested` not testable here.
# What attention adds to the AUC of {glue:text}`backbones`, mean of both variants: {glue:text}`attention`; the paper prints {glue:text}`attention_printed:+.3f`.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, figures
from covidlib.pages import overall as parts
from covidlib.pages import results
from covidlib.pages.improvements import improvements, over_plain

page = book.start(profile, data, seed)

# %% [markdown]
# ## The runs
#
# Each row is one specification with the stages it starts from; stages that rows share are trained once, and what is in the store is not repeated.
# In the `smoke` profile this page trains {glue:text}`trained_rows` of the rows; the others show their recorded runs alone.
# All seeds of a row share their pre-training where a profile trains it once, so their spread is that of fine-tuning.

# %%
runs = results.gather(page, parts.NAME, parts.small)

# %% mystnb={"figure": {"name": "fig-msatl-overall-curves", "caption": "Mean training loss per epoch on COVID19-CT, recorded on the real images (left) and in this run (right)."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 2, figsize=(9.5, 4.8))
    results.draw_curves(axes, runs)

# %% [markdown]
# ## Table 2
#
# *Recorded* is the mean over runs on the real images with a 95% interval over test patients and runs.
# A verdict compares the paper's number with that interval.

# %% tags=["table", "hide-input"]
table = runs.table()
table

# %% mystnb={"figure": {"name": "fig-msatl-overall-forest", "caption": "AUC of each row: the paper's number, the recorded interval and this run."}} tags=["hide-input"]
with figures.style():
    fig, ax = plt.subplots(figsize=(8, 4.6))
    figures.forest(ax, table, "AUC")

# %% mystnb={"figure": {"name": "fig-msatl-overall-roc", "caption": "Recorded ROC curves on the 203 test images, and, in grey, two classifiers that know no anatomy."}} tags=["hide-input"]
with figures.style():
    fig, ax = plt.subplots(figsize=(6.5, 7.6))
    results.draw_roc(ax, page, runs.tables(list(runs.shown)))

# %% [markdown]
# The paper's second column of each metric is the improvement over the same backbone without attention.
# It is a difference of two rows, so it has a narrower interval here than the rows themselves suggest.

# %% tags=["table", "hide-input"]
gained = improvements(runs, over_plain)
gained

# %% [markdown]
# ## Which differences are more than chance?
#
# The paper compares rows by eye; all its networks saw the same 203 test images, so differences can be tested in pairs.
# With so few images only large ones can be found: the column *finds* says how large.

# %% tags=["table"]
parts.comparisons(runs)

# %% tags=["hide-input"]
for name, value in (runs.sentences(table, gained) | parts.sentences(runs)).items():
    page.glue(name, value)

# %% [markdown]
# ## Limits, and where to go next
#
# In the small profiles Tiny ImageNet stands in for ImageNet, a composition of public X-ray sets for COVIDx, and images and epochs are few; see the [deviations](../../book/deviations.md).
# A verdict of *below* speaks about this budget.
# A network that does not beat the grey curves of the figure has shown nothing about lungs.
#
# Which self-supervision is best is the question of [](ssl_comparison.ipynb), and whether attention gains more from transfer that of [](attention_benefit.ipynb).
