# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # Training without transfer
#
# How well do six networks tell COVID-19 apart on CT slices when they start from random weights and see 425 images?
# These are the "w/o TL" rows of Table 4 in {cite}`liu2021msatl` (section 6.5): the level that every later stage of transfer is measured against.
#
# ```{admonition} In short
# Recorded on the real images: {glue:text}`trainings` trainings in {glue:text}`minutes:.0f` minutes, with AUCs from {glue:text}`auc_low:.2f` to {glue:text}`auc_high:.2f`; the paper prints {glue:text}`paper_low:.3f` to {glue:text}`paper_high:.3f`.
# Verdicts over {glue:text}`cells` cells: {glue:text}`reproduced` reproduced, {glue:text}`below` below, {glue:text}`above` above, {glue:text}`untested` not testable here.
# A forest that sees only 16 grey statistics of each image reaches an AUC of {glue:text}`floor_auc:.2f`.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, figures
from covidlib.pages import rates, results
from covidlib.pages import without_transfer as parts

page = book.start(profile, data, seed)

# %% [markdown]
# ## Settings
#
# The paper trains for 200 epochs at a rate of 0.3 with 256 images per step, "the same optimizer and hyperparameters as in the SSTL-M" (section 6.2).
# A profile changes sizes only; the networks are the same in all of them.
# The rate follows the batch, and a share of that rate is chosen below.

# %% tags=["table"]
parts.settings_table(profile)

# %% [markdown]
# The rate with the highest AUC on the 118 validation images was chosen, from short runs of R-50; by validation loss another would have won.
# What else was tried, and what was seen of the test images, is in the [deviations](deviation-rate).
# The table shows the recorded runs of the `laptop` profile.

# %% tags=["table"]
rates.rate_table(page, "msatl/learning_rate")

# %% [markdown]
# ## The runs
#
# Each network is one specification; a run that is already in the store is not repeated.
# The whole training step, augmentation included, happens in batches on the device:
#
# ```{literalinclude} ../../covidlib/training/method.py
# :pyobject: Method.training_step
# ```

# %%
runs = results.gather(page, parts.NAME)

# %% mystnb={"figure": {"name": "fig-msatl-curves", "caption": "Mean training loss per epoch, recorded on the real images (left) and in this run (right)."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 2, figsize=(9.5, 4.6))
    results.draw_curves(axes, runs)

# %% [markdown]
# ## Table 4, the rows without transfer
#
# *Recorded* is the mean over runs on the real images with a 95% interval over test patients and runs; *this run* is what the cells above just trained.
# A verdict compares the paper's number with the recorded interval.

# %% tags=["table", "hide-input"]
table = runs.table()
table

# %% mystnb={"figure": {"name": "fig-msatl-forest", "caption": "AUC of each network: the paper's number, the recorded interval and this run."}} tags=["hide-input"]
with figures.style():
    fig, ax = plt.subplots(figsize=(8, 4.4))
    figures.forest(ax, table, "AUC")

# %% mystnb={"figure": {"name": "fig-msatl-roc", "caption": "Recorded ROC curves on the 203 test images of COVID19-CT, and, in grey, two classifiers that know no anatomy. AUCs with 95% intervals."}} tags=["hide-input"]
with figures.style():
    fig, ax = plt.subplots(figsize=(6.5, 7.4))
    results.draw_roc(ax, page, runs.tables(list(runs.shown)))

# %% [markdown]
# ## Does attention help without transfer?
#
# The paper's own rows disagree: with attention the accuracy is higher, and in three of four the F1 lower.
# Here each pair of variants is compared on the same test images, with patients drawn as a whole; p values are corrected by Holm over the table.

# %% tags=["table"]
parts.attention_table(runs)

# %% [markdown]
# Papers mostly compare two trainings, by DeLong's test of two AUCs {cite}`delong1988comparing` or by McNemar's of two lists of errors {cite}`mcnemar1947note`.
# What such tests find between two trainings of the *same* network is chance in the seed, and none of their p values allows for it.

# %% tags=["table"]
parts.usual_tests(runs)

# %% tags=["hide-input"]
for name, value in parts.sentences(page, runs, table).items():
    page.glue(name, value)

# %% [markdown]
# ## Limits, and where to go next
#
# The recorded runs see images of {glue:text}`budget`, so a verdict of *below* says that this budget does not reach the paper's numbers, not that no budget does.
# One run cannot show how much the seed matters; the rows with several runs can.
# The paper does not say how many runs are behind a row, and most of its accuracies cannot come from a single run on these test images; [the audit](../across/audit.ipynb) counts them.
#
# The command for the paper's own settings, on a machine with a GPU, is in the [deviations](../../book/deviations.md).
# Back to [the data](data.ipynb) or to [the layer](attention_resnet.ipynb).
