# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # LEEP of the trained stages
#
# Does the score that is meant to foretell transfer rise with each stage, and faster with attention?
# This page covers section 6.7 of {cite}`liu2021msatl`, its Table 6 and its Figure 3; what LEEP is, and what it cannot be, is in [](transferability.ipynb).
#
# ```{admonition} In short
# Recorded are the scores of {glue:text}`stages` stages, from {glue:text}`trainings` distinct trainings of {glue:text}`minutes:.0f` minutes together. Verdicts over {glue:text}`cells` cells: {glue:text}`reproduced` reproduced, {glue:text}`below` below, {glue:text}`above` above, {glue:text}`untested` not testable here.
# The weaker of the two steps of LEEP, in bits, mean of the recorded networks: {glue:text}`rises`; in print, over all six, {glue:text}`rises_printed:+.3f`.
# The weaker of what attention adds to the two steps: {glue:text}`attention`; in print, over both backbones, {glue:text}`attention_printed:+.3f`.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, figures, stage_scores
from covidlib.pages import leep_agreement
from covidlib.pages import leep_scores as parts

page = book.start(profile, data, seed)

# %% [markdown]
# ## What is scored
#
# A stage's network, classifier included, sees the training images of COVID19-CT without being trained on them: 425 where it was recorded, {glue:text}`scored` in this run.
# STL-N has one source class per kind of natural image, STL-M three; the rows "w/o TL" have none, and the paper prints numbers for them all the same.
# Here an untrained network with its random classifier stands in, so that the first step can be drawn at all; its attention layers add nothing yet, so such rows of one backbone are equal.
#
# Scores need weights, which recorded results do not hold.
# They are computed where the stages were trained, by `python -m covidlib.stage_scores`, and kept as small files:
#
# ```{literalinclude} ../../covidlib/stage_scores/scoring.py
# :pyobject: outputs
# ```

# %%
done = parts.this_run(page)
known = stage_scores.read(page.recorded)

# %% [markdown]
# ## Table 6
#
# The paper's values are set beside bits: in nats none of them is possible.

# %% tags=["table", "hide-input"]
table = parts.table(done, known)
table

# %% [markdown]
# ## Figure 3, with slopes that can be read
#
# The claim is about slopes, so the gain of each step is written above it.

# %% mystnb={"figure": {"name": "fig-msatl-leep-paper", "caption": "The paper's Figure 3 from its Table 6: LEEP by stage, one line per network, a panel per backbone. Above: what each step gains."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 2, figsize=(10, 5.2), sharey=True)
    parts.draw_lines(axes, None, "paper")

# %% mystnb={"figure": {"name": "fig-msatl-leep-recorded", "caption": "The same from the recorded stages, with 95% intervals over patients."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 2, figsize=(10, 5.2), sharey=True)
    parts.draw_lines(axes, known, "recorded")

# %% mystnb={"figure": {"name": "fig-msatl-leep-run", "caption": "The same from the stages of this run."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 2, figsize=(10, 5.2), sharey=True)
    name = "this run" + (", phantoms" if page.phantom else "")
    parts.draw_lines(axes, done, name, "not trained in this profile")

# %% [markdown]
# ## Bounds, chance and relatives
#
# *Labels shuffled* is what a stage scores when its outputs have nothing to do with the labels: LEEP rewards many source classes by itself, so only what lies above that column can be knowledge.
# Labels are shuffled a patient at a time, for images of one patient are alike and share a label.
# The accuracy is that of the expected empirical predictor, on the images that it was fitted to.
# With 2048 features and fewer images the plain H-score is 1 for any labels, and SFDA is 0 unless the features hardly spread: neither says anything about these stages.

# %% tags=["table", "hide-input"]
parts.relatives(known, "Recorded.")

# %% tags=["table", "hide-input"]
parts.relatives(done, "This run, phantoms." if page.phantom else "This run.")

# %% [markdown]
# ## Does a score foretell the result?
#
# What counts is whether networks with a higher score do better after fine-tuning, and more so than what is known without any score: their size, and how well they do on their source task.
# Six networks can hardly tell scores apart: of all orders that chance could give them, many reach a high τ (see [](transferability.ipynb)).

# %% tags=["table"]
leep_agreement.agreement(page, known)

# %% [markdown]
# After both supervised stages, from which no row of the paper goes on:

# %% tags=["table"]
leep_agreement.agreement(page, known, "stl_n+stl_m")

# %% tags=["hide-input"]
for name, value in parts.sentences(page, table, known, done).items():
    page.glue(name, value)

# %% [markdown]
# ## Limits, and where to go next
#
# Scores of stages with different numbers of source classes are not on one scale, yet the paper draws one line through them.
# LEEP sees what a classifier outputs and no features, so it cannot score the self-supervised stage; the scores of features could, and are not computed for it here.
# Intervals are over patients; one training per stage says nothing about another.
# They hold where LEEP is hardly fitted to its images: the further *labels shuffled* lies above −H(Y), the more they lie too high.
#
# Where the finished networks look is shown in [](heatmaps.ipynb).
