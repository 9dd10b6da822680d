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
# Of {glue:text}`claims` claims of {glue:text}`papers` papers, {glue:text}`supported` are supported, {glue:text}`not_supported` not supported, {glue:text}`inconclusive` inconclusive and {glue:text}`not_testable_here` not testable here.
# {glue:text}`measured` have a measured effect; for {glue:text}`asked` of them the paper prints numbers, and in {glue:text}`seeing` of these the test could see an effect as large as printed.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, claims, figures
from covidlib.pages import claims as parts

page = book.start(profile, data, seed)

# %% [markdown]
# ## By paper
#
# Each paper's page shows its claims one by one: [msatl](../msatl/claims.ipynb), [magsd](../magsd/claims.ipynb), [manet](../manet/claims.ipynb).

# %% tags=["table", "hide-input"]
ledgers = claims.ledgers(page.recorded)
parts.overview(ledgers)

# %% [markdown]
# ## How a verdict is found
#
# An experiment reads recorded runs on real images, whatever this page was made from.
# It gives an effect with its interval and p value, corrected by Holm over the claims of the paper that give an effect, and the effect that it would find in four of five cases after that correction.
# The interval is not corrected for the number of claims; where the worst of several comparisons speaks for a claim, it is for their number before it is said to exclude what the paper prints of that comparison.
# Which test it is depends on what may vary:
#
# - patients alone, where each side has one training: they are drawn anew, and such an effect decides nothing;
#   runs that go on from one pre-trained network are one training, and decide nothing either;
# - a few trainings or networks on the same patients: a $t$ interval from the variance between them and what the patients share {cite}`hillis2007comparison`;
# - the folds of a cross-validation (magsd): fold against fold, by the $t$ test corrected for overlapping training sets (Nadeau and Bengio 2003);
# - numbers that each training has one of, such as the unrest of its curve: a $t$ test.
#
# What counting decides, such as parameters, needs no run and has no p value.
#
# ```{literalinclude} ../../covidlib/claims/claim.py
# :pyobject: judge
# ```

# %% [markdown]
# ## How large, beside what could be seen
#
# Measures differ, so each effect is divided by the smallest one that its own test finds in four of five cases.
# An effect in the grey band is too small for its test; a diamond in it is an effect of the paper that this test would miss.
# What lies beyond the edge is drawn at the edge.

# %% mystnb={"figure": {"name": "fig-claims-effects", "caption": "Effects of all claims that have one, with 95% intervals, in multiples of the smallest effect that each test could see. Above 0 agrees with the claim."}} tags=["hide-input"]
with figures.style():
    fig, ax = plt.subplots(figsize=(6.4, 7.6), layout="constrained")
    parts.draw_effects(ax, ledgers)

# %% [markdown]
# ## All claims

# %% tags=["table", "hide-input"]
parts.directory(ledgers)

# %% tags=["hide-input"]
for name, value in parts.sentences(ledgers).items():
    page.glue(name, value)

# %% [markdown]
# ## Limits, and where to go next
#
# *Inconclusive* is the honest verdict of a small experiment: it says that this test could not have told.
# *Not supported* speaks about these images, sizes and budgets.
# One metric decides each experiment; the pages of the papers show the others.
# For msatl it was fixed before any run with transfer was recorded, for magsd before any of its runs; of manet, claims 8 to 10 and 17 to 19 got their experiments, and 9 and 18 their thresholds, when runs of the paper were recorded already.
# Claim 24 of magsd was read as nine right predictions in ten until its runs were recorded, which contradicted that on A; the paper says "most", and half is asked for now; claim 3 had to hold on each data set, now in their mean.
# What the printed numbers themselves allow is in [the audit](audit.ipynb).
