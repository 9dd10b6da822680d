# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # Which self-supervision?
#
# After the supervised stages, three methods learn from the CT slices without labels: MoCo {cite}`he2020moco`, SimCLR {cite}`chen2020simclr`, and the paper's own SSTL-M with its lobe regions.
# This page covers section 6.4 of {cite}`liu2021msatl` and its Table 3.
#
# ```{admonition} In short
# Recorded on the real images: {glue:text}`recorded_rows` of {glue:text}`rows` rows, {glue:text}`trainings` distinct trainings with all their stages, {glue:text}`minutes:.0f` minutes.
# Verdicts over {glue:text}`cells` cells: {glue:text}`reproduced` reproduced, {glue:text}`below` below, {glue:text}`above` above, {glue:text}`untested` not testable here.
# SSTL-M minus MoCo, AUC, over {glue:text}`moco_networks` of six networks: {glue:text}`moco_told`; minus SimCLR, over {glue:text}`simclr_networks`: {glue:text}`simclr_told`.
# Recorded rows that cannot be told from chance: {glue:text}`at_chance`; such a row can decide a mean over so few networks.
# In print SSTL-M is ahead by at most {glue:text}`largest:.1f` points of accuracy, which is {glue:text}`images_of_largest:.1f` of 203 images.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, figures
from covidlib.pages import results
from covidlib.pages import ssl_comparison as parts

page = book.start(profile, data, seed)

# %% [markdown]
# ## How large are the printed margins?
#
# The paper calls its method consistently better.
# On {glue:text}`discordant:.0%` of the test images exactly one of SSTL-M and a rival is right ({glue:text}`pairs`).
# Two such models would have to differ by {glue:text}`detectable:.1f` points for a paired test to notice in four of five cases.

# %% tags=["table"]
parts.margins()

# %% [markdown]
# ## The runs
#
# Stages are shared as on [](overall.ipynb); in the `smoke` profile this page trains {glue:text}`trained_rows` of the rows, and the others show their recorded runs alone.
# Settings that MoCo and SimCLR were made for, such as 65,536 negatives, do not fit 425 images; what was changed is in the [deviations](../../book/deviations.md).

# %%
runs = results.gather(page, parts.NAME, parts.small)

# %% mystnb={"figure": {"name": "fig-msatl-ssl-curves", "caption": "Mean training loss per epoch on COVID19-CT, recorded on the real images (left) and in this run (right)."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 2, figsize=(9.5, 4.8))
    results.draw_curves(axes, runs)

# %% [markdown]
# ## Table 3

# %% tags=["table", "hide-input"]
table = runs.table()
table

# %% mystnb={"figure": {"name": "fig-msatl-ssl-forest", "caption": "AUC of each row: the paper's number, the recorded interval and this run."}} tags=["hide-input"]
with figures.style():
    fig, ax = plt.subplots(figsize=(8, 9.5))
    figures.forest(ax, table, "AUC")

# %% [markdown]
# ## SSTL-M against each rival
#
# Paired on the same images, and p values corrected by Holm over the table.
# Where several networks are recorded, one more line for each rival takes them together, each a draw from the networks that might have been used.

# %% tags=["table"]
parts.comparisons(runs)

# %% tags=["hide-input"]
for name, value in (runs.sentences(table) | parts.sentences(runs)).items():
    page.glue(name, value)
page.glue("at_chance", results.at_chance(table))

# %% [markdown]
# ## Limits, and where to go next
#
# The comparison with *no* self-supervision, which the paper does not print, is in [](ablation.ipynb).
# All three methods learn from the training images only here.
#
# The next page asks what transfer adds: [](attention_benefit.ipynb).
