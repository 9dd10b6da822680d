# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # Every claim and its verdict
#
# What do the three papers say in words, and does it hold here?
# Each qualitative claim of {cite}`liu2021msatl`, {cite}`li2021magsd` and {cite}`xu2021manet` becomes an experiment with a number above 0 if the claim is right.
#
# ```{admonition} In short
# Of {glue:text}`claims` claims, {glue:text}`supported` are supported, {glue:text}`not_supported` not supported, {glue:text}`inconclusive` inconclusive and {glue:text}`not_testable_here` not testable here; {glue:text}`waiting` have no experiment yet.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
from covidlib import book, claims
from covidlib.pages import claims as parts

page = book.start(profile, data, seed)

# %% [markdown]
# ## How a verdict is found
#
# An experiment reads recorded runs on real images, whatever this page was made from.
# It gives an effect with its interval, drawing patients, runs and networks anew; where the runs are folds of a cross-validation (magsd), fold is compared with fold, by the $t$ test corrected for overlapping training sets (Nadeau and Bengio 2003). It also gives a p value, corrected by Holm over the claims of the paper that can be tested; and the effect that it would find in four of five cases. Intervals that draw two or three networks or runs anew are too narrow: few draws cannot show how much further ones would differ.
# What counting decides, such as parameters, needs no run and has no p value.
#
# ```{literalinclude} ../../covidlib/claims/claim.py
# :pyobject: judge
# ```

# %% tags=["table"]
ledgers = claims.ledgers(page.recorded)
parts.overview(ledgers)

# %% [markdown]
# ## Multi-stage attentive transfer learning (msatl)
#
# Where a claim speaks of several networks, they are the units of one experiment; networks that are not recorded are left out and the column *networks, runs* says how many are in.

# %% tags=["table", "hide-input"]
parts.table(ledgers["msatl"])

# %% [markdown]
# ## Multiscale attention guided network (magsd)
#
# Units are the data sets A, B and C here, so the column *networks, runs* counts data sets.
# A claim about all of them needs all of them: while one is not recorded, the others can only contradict it.

# %% tags=["table", "hide-input"]
parts.table(ledgers["magsd"])

# %% [markdown]
# ## Two stages with mask attention (manet)

# %% tags=["table", "hide-input"]
parts.table(ledgers["manet"])

# %% tags=["hide-input"]
for name, value in parts.sentences(ledgers).items():
    page.glue(name, value)

# %% [markdown]
# ## Limits, and where to go next
#
# *Inconclusive* is the honest verdict of a small experiment: it says that this test could not have told.
# *Not supported* speaks about these images, sizes and budgets.
# One metric decides each experiment, fixed before any run with transfer was recorded (the runs without transfer of msatl were there already), for magsd before any of its runs; the pages of the papers show the others.
# What the printed numbers themselves allow is in [the audit](audit.ipynb).
