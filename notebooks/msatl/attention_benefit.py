# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # Does attention transfer better?
#
# The paper's title claim is about a difference of differences: transfer helps every network, and networks with attention *more*.
# This page covers section 6.5 of {cite}`liu2021msatl` and its Table 4.
#
# ```{admonition} In short
# Recorded on the real images: {glue:text}`recorded_rows` of {glue:text}`rows` rows, {glue:text}`trainings` distinct trainings with all their stages, {glue:text}`minutes:.0f` minutes.
# Verdicts over {glue:text}`cells` cells: {glue:text}`reproduced` reproduced, {glue:text}`below` below, {glue:text}`above` above, {glue:text}`untested` not testable here.
# How much more AUC transfer adds to {glue:text}`backbones` with attention than without, mean of both variants: {glue:text}`benefit`; the paper prints {glue:text}`benefit_printed:+.3f`.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, figures
from covidlib.pages import attention_benefit as parts
from covidlib.pages import overall, results
from covidlib.pages.improvements import improvements, over_scratch

page = book.start(profile, data, seed)

# %% [markdown]
# ## The question as one number
#
# With $s$ the score of a network, the benefit is
#
# $$
# \Delta = (s_{\text{attention, TL}} - s_{\text{attention, w/o}}) - (s_{\text{plain, TL}} - s_{\text{plain, w/o}}).
# $$ (eq-benefit)
#
# Four noisy numbers enter, so its interval is wider than that of any one score.
# All four models see the same test images, so patients are drawn once for all four.
# The runs of each model are repeats: how much they differ is added (see the [deviations](deviation-few)).
#
# ```{literalinclude} ../../covidlib/evaluation/contrasts.py
# :pyobject: _effect
# ```

# %% [markdown]
# ## The runs
#
# Stages are shared as on [](overall.ipynb); in the `smoke` profile this page trains {glue:text}`trained_rows` of the rows, and the others show their recorded runs alone.

# %%
runs = results.gather(page, parts.NAME, overall.small)

# %% mystnb={"figure": {"name": "fig-msatl-benefit-curves", "caption": "Mean training loss per epoch on COVID19-CT, recorded on the real images (left) and in this run (right)."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 2, figsize=(9.5, 4.8))
    results.draw_curves(axes, runs)

# %% [markdown]
# ## Table 4

# %% tags=["table", "hide-input"]
table = runs.table()
table

# %% mystnb={"figure": {"name": "fig-msatl-benefit-gains", "caption": "Recorded AUC without and with transfer, with 95% intervals; above each panel what transfer adds. Diamonds: the paper's numbers. If attention transfers better, its lines rise more steeply."}} tags=["hide-input"]
with figures.style():
    fig, axes = parts.panels()
    parts.draw_gains(axes, runs, table)

# %% [markdown]
# ## Gains, and the difference between them
#
# The paper prints what transfer adds to each network in a column of its own.

# %% tags=["table", "hide-input"]
gained = improvements(runs, over_scratch)
gained

# %% [markdown]
# A line that ends in *gain* says what transfer adds to a network, one that ends in *gain beyond baseline* how much more it adds with attention.
# Section 6.5 prints some of these differences wrongly; [the audit](../across/audit.ipynb) recomputes them.

# %% tags=["table"]
parts.gains(runs)

# %% tags=["hide-input"]
for name, value in (runs.sentences(table, gained) | parts.sentences(runs)).items():
    page.glue(name, value)

# %% [markdown]
# ## Limits, and where to go next
#
# A gain can be larger because the start is lower: a network with attention that does badly without transfer has more to win.
# All rows with transfer rest on few pre-trainings, so the seeds of a row tell less than their number suggests.
#
# Where the gain comes from is the question of [](ablation.ipynb); [](leep_scores.ipynb) asks it without fine-tuning.
