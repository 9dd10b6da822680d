# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # What each stage adds
#
# Natural images alone, X-rays alone: which of the supervised stages helps, and does attention help each of them?
# This page covers section 6.6 of {cite}`liu2021msatl` and its Table 5, and adds the rows that the paper does not print.
#
# ```{admonition} In short
# Recorded on the real images: {glue:text}`recorded_rows` of {glue:text}`rows` rows, {glue:text}`trainings` distinct trainings with all their stages, {glue:text}`minutes:.0f` minutes.
# Verdicts over {glue:text}`cells` cells: {glue:text}`reproduced` reproduced, {glue:text}`below` below, {glue:text}`above` above, {glue:text}`untested` not testable here.
# What attention adds to the gain in AUC from natural images: {glue:text}`natural`; from X-rays: {glue:text}`medical`.
# What the paper left out, AUC: X-rays after natural images add {glue:text}`first`; self-supervision after both, {glue:text}`further`; alone, {glue:text}`alone` ({glue:text}`collapsed_alone`); letting it see the test images too, {glue:text}`all`.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, figures
from covidlib.pages import ablation as parts
from covidlib.pages import attention_benefit as benefit
from covidlib.pages import results
from covidlib.pages import self_supervised_transfer as contrast
from covidlib.pages.improvements import improvements, over_scratch

page = book.start(profile, data, seed)

# %% [markdown]
# ## The runs
#
# Stages are shared as on [](overall.ipynb); in the `smoke` profile this page trains {glue:text}`trained_rows` of the rows, and the others show their recorded runs alone.
# In this table STL-M starts from random weights; everywhere else in the paper it follows STL-N.

# %%
runs = results.gather(page, parts.NAME, parts.small)
rest = results.gather(page, parts.UNPRINTED, parts.none)
whole = results.gather(page, "msatl/attention_benefit", parts.none)

# %% mystnb={"figure": {"name": "fig-msatl-ablation-curves", "caption": "Mean training loss per epoch on COVID19-CT, recorded on the real images (left) and in this run (right)."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 2, figsize=(9.5, 4.8))
    results.draw_curves(axes, runs)

# %% [markdown]
# ## Table 5

# %% tags=["table", "hide-input"]
table = runs.table()
table

# %% mystnb={"figure": {"name": "fig-msatl-ablation-forest", "caption": "AUC of each row: the paper's number, the recorded interval and this run."}} tags=["hide-input"]
with figures.style():
    fig, ax = plt.subplots(figsize=(8, 9.5))
    figures.forest(ax, table, "AUC")

# %% [markdown]
# ## Gains of each stage
#
# Against the same network from random weights, which the paper prints in a column of its own.

# %% tags=["table", "hide-input"]
gained = improvements(runs, over_scratch)
gained

# %% [markdown]
# The same gains as paired tests, and how much more attention makes of each stage than the plain network does.
# Natural images alone, STL-N:

# %% tags=["table"]
benefit.gains(runs, ("none", "stl_n"))

# %% [markdown]
# X-rays alone, STL-M:

# %% tags=["table"]
benefit.gains(runs, ("none", "stl_m"))

# %% [markdown]
# ## The rows that were never printed
#
# The paper has no row for both supervised stages *without* self-supervision, so nothing in it says what self-supervision adds.
# Nor does it have self-supervision alone, or say whether that stage saw the test images.
# These rows answer, for the R-50 family; {glue:text}`rest_recorded_rows` of {glue:text}`rest_rows` are recorded:

# %% tags=["table", "hide-input"]
rest.table()

# %% tags=["table"]
parts.unprinted(runs, rest, whole)

# %% tags=["hide-input"]
told = (
    runs.sentences(table, gained)
    | rest.sentences(prefix="rest_")
    | parts.sentences(runs, rest, whole)
)
told |= {"collapsed_alone": contrast.collapsed_alone(page)}
for name, value in told.items():
    page.glue(name, value)

# %% [markdown]
# ## Limits, and where to go next
#
# A collapsed stage gives every slice nearly the same vector: it hands on little but its regions, and its row says little about self-supervision (how each stage ended: [](self_supervised_transfer.ipynb)).
#
# The sources are stand-ins in the small profiles: Tiny ImageNet has fewer and smaller images than ImageNet, and the X-rays are a composition of the sets at hand.
# What a source adds here is a statement about these sources.
#
# The same question without fine-tuning: [](leep_scores.ipynb).
