# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # Thresholds and augmentation, to play with
#
# What does a probability become when somebody has to act on it, and what does a network see of an image that it is shown two hundred times?
# Two sliders answer by trying; everything that they show stands below them once more, for print and for readers without scripts.
#
# ```{admonition} In short
# Of the recorded run below (test AUC {glue:text}`auc:.2f`), a threshold of one half finds {glue:text}`found` of {glue:text}`ill` images with COVID-19 and raises {glue:text}`alarms` false alarms.
# Where 2 % of those examined are ill, {glue:text}`rare:.0f` of 100 such alarms would be right.
# At {glue:text}`useful:.0%` of the thresholds between 2 and 98 %, following this network is worth more than calling everybody or nobody positive.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, figures
from covidlib.pages import playground as parts

page = book.start(profile, data, seed)
name, run = parts.recorded_run(page)
page.glue("network", name)

# %% [markdown]
# ## A threshold
#
# The probabilities are those of a recorded run of {glue:text}`network` from random weights, for the real test images of COVID19-CT; [its page](../msatl/without_transfer.ipynb) says how it was trained.
# It is the first run of the first network that has most runs, not the best one.
#
# Move the slider: everything right of the line is called COVID-19.

# %% tags=["hide-input"]
parts.threshold_browser(run)

# %% [markdown]
# The same thresholds in numbers:

# %% tags=["table", "hide-input"]
parts.threshold_table(run)

# %% mystnb={"figure": {"name": "fig-playground-thresholds", "caption": "All nine thresholds at once, from 0.1 (right end of the ROC curve) to 0.9: scores, ROC, decision curve. Recorded on the real test images."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 3, figsize=(11, 4))
    parts.draw_scores(axes[0], run)
    parts.draw_curve(axes[1], run, parts.THRESHOLDS)
    parts.draw_benefit(axes[2], run, parts.THRESHOLDS)

# %% [markdown]
# Three things to notice:
#
# - Moving the threshold trades missed patients for false alarms; it does not make the network better. The ROC curve is the list of all such trades.
# - *Right of 100 alarms* depends on how many of those examined are ill. The test set is nearly half ill; a screening is not. The same network and threshold give another answer there, and no ROC curve shows it.
# - The decision curve takes the threshold itself as the price: whoever acts from 20 % on holds one missed patient to be as bad as four false alarms. Below the dashed line or below zero, the network does harm in that currency {cite}`vickers2006decision`.
#
# ```{literalinclude} ../../covidlib/evaluation/decisions.py
# :pyobject: _row
# ```

# %% tags=["hide-input"]
for key, value in parts.facts(run).items():
    page.glue(key, value)

# %% [markdown]
# ## An augmentation
#
# One slice, one operation at a time, from the weakest to the strongest value that any of the three papers' settings draws.

# %%
image = parts.slice_of(page.dataset("covid-ct"))
parts.operation_browser(image, phantom=page.phantom)

# %% [markdown]
# All operations below each other:

# %% mystnb={"figure": {"name": "fig-playground-operations", "caption": "Every operation alone, from its weakest to its strongest value in the settings of the papers."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(len(parts.OPERATIONS), 1, figsize=(7, 13))
    for ax, operation in zip(axes, parts.OPERATIONS, strict=True):
        parts.draw_strengths(ax, image, operation)
    if page.phantom:
        figures.phantom_stamp(fig)

# %% [markdown]
# A training never shows one operation alone.
# Six draws of each setting: rotations up to 120 degrees (magsd) leave no patient upright, and a flip puts the heart on the right.

# %% mystnb={"figure": {"name": "fig-playground-presets", "caption": "What a network sees of one slice in six epochs, under four settings of the papers."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(len(parts.SHOWN), 1, figsize=(7.5, 6.6))
    for ax, preset in zip(axes, parts.SHOWN, strict=True):
        parts.draw_preset(ax, image, preset, page.seed)
    if page.phantom:
        figures.phantom_stamp(fig)

# %% [markdown]
# ## Limits, and where to go next
#
# One run on {glue:text}`ill` positive test images is a small basis for any threshold, and a threshold chosen on test images is no result.
# Predictive values assume that sensitivity and specificity stay what they are when the patients change, which they seldom do.
# The decision curve takes the network's probabilities as they are; nothing here has calibrated them.
#
# Back to [training without transfer](../msatl/without_transfer.ipynb), on to [the memory of results](history.ipynb), or to the [start](../../book/intro.md).
