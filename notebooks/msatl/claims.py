# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # What msatl claims, and what holds
#
# What does the paper say in words, and does it hold here?
# Each sentence that could be wrong becomes an experiment with a number above 0 if the sentence is right.
#
# ```{admonition} In short
# Of {glue:text}`claims` claims of {cite}`liu2021msatl`, {glue:text}`supported` are supported, {glue:text}`not_supported` not supported, {glue:text}`inconclusive` inconclusive and {glue:text}`not_testable_here` not testable here.
# Supported: {glue:text}`which_supported`. Not supported: {glue:text}`which_not_supported`.
# {glue:text}`measured` claims have a measured effect; for {glue:text}`asked` of them the paper prints numbers, and in {glue:text}`seeing` of these the test could see an effect as large as printed.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, figures
from covidlib.claims import EXPERIMENTS, ledger
from covidlib.pages import claims as parts
from covidlib.pages import claims_blocks

page = book.start(profile, data, seed)
found = ledger("msatl", EXPERIMENTS["msatl"], page.recorded)

# %% [markdown]
# ## At a glance
#
# Everything here is computed from recorded runs on real images, whatever images this page was made from.
# How a verdict is found stands on [the page of all claims](../across/claims.ipynb).

# %% tags=["table", "hide-input"]
claims_blocks.glance(found)

# %% [markdown]
# ## How large, beside what could be seen
#
# Measures differ, so each effect is divided by the smallest one that its own test finds in four of five cases.
# An effect in the grey band is too small for its test; a diamond in it is an effect of the paper that this test would miss.
# What lies beyond the edge is drawn at the edge.

# %% mystnb={"figure": {"name": "fig-msatl-claims", "caption": "Effects of the claims of msatl with 95% intervals, in multiples of the smallest effect that each test could see. Above 0 agrees with the claim. The marks are those of the verdicts."}} tags=["hide-input"]
with figures.style():
    fig, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    parts.draw_effects(ax, {"msatl": found})

# %% [markdown]
# ## Claim by claim
#
# Where a claim speaks of several networks, they are the units of one experiment; networks that are not recorded are left out.
# The measure is the AUC on the 203 test images unless a claim says otherwise: it needs no threshold.

# %% tags=["hide-input"]
claims_blocks.blocks(found)

# %% tags=["hide-input"]
for name, value in parts.sentences({"msatl": found}).items():
    page.glue(name, value)

# %% [markdown]
# ## Limits, and where to go next
#
# One metric decides each experiment, fixed before any run with transfer was recorded; the runs without transfer were there already.
# *Not supported* speaks about these images, sizes and budgets: Tiny ImageNet stands in for ImageNet, and a composition of public sets for COVIDx.
# The claims of all papers side by side are on [](../across/claims.ipynb); what the printed numbers alone allow is in [the audit](../across/audit.ipynb).
