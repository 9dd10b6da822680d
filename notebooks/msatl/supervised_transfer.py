# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # Supervised transfer: natural images, then X-rays
#
# What does a network learn before it meets a CT slice?
# {cite}`liu2021msatl` (sections 4 and 6.2) trains all six networks first on ImageNet (*STL-N*), then on chest X-rays (*STL-M*), and Table 1 says how well they know ImageNet.
#
# ```{admonition} In short
# The paper's point about Table 1 is that attention adds at most 1.2 points on ImageNet itself, so that what it adds on CT must come through transfer.
# Recorded: {glue:text}`stl_recorded_rows` of {glue:text}`stl_rows` rows, {glue:text}`stl_trainings` distinct trainings, {glue:text}`stl_minutes:.0f` minutes.
# Verdicts over {glue:text}`stl_cells` cells: {glue:text}`stl_reproduced` reproduced, {glue:text}`stl_below` below, {glue:text}`stl_above` above, {glue:text}`stl_untested` not testable here.
# {glue:text}`stl_best`.
# On this page, STL-N learns {glue:text}`stl_natural_classes` classes from {glue:text}`stl_natural_images` images, and STL-M {glue:text}`stl_medical_classes` classes from {glue:text}`stl_medical_images`.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, diagrams, figures
from covidlib.pages import stage_sources
from covidlib.pages import supervised_transfer as parts

page = book.start(profile, data, seed)

# %% mystnb={"figure": {"name": "fig-msatl-framework", "caption": "The stages before the target, drawn from the specifications of R-50: with the paper's images, and with those of this profile. Compare figure 1a of the paper."}} tags=["hide-input"]
with figures.style():
    fig, ax = plt.subplots(figsize=(10, 3.4))
    diagrams.framework(ax, stage_sources.chains(profile))

# %% [markdown]
# ## What the two stages see
#
# ImageNet asks for an account, so the `smoke` and `laptop` profiles take every second class of Tiny ImageNet in its place; COVIDx is put together from the collections that are here.
# The `paper` profile wants ImageNet and COVIDx themselves.
# ImageNet's test labels are secret: as in the paper, its validation images are scored, and a fiftieth of the training images is looked at while learning.
# The paper's count of COVIDx, 16,898, is a slip: its three classes sum to 14,198.

# %% tags=["table"]
stage_sources.seen_table(page)

# %% mystnb={"figure": {"name": "fig-msatl-sources", "caption": "Training images as the caches of the two stages hold them: in colour for STL-N, grey for STL-M."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(2, 1, figsize=(9, 4.6))
    for ax, (stage, images, classes) in zip(axes, stage_sources.pictures(page), strict=True):
        figures.image_grid(ax, images, classes, columns=6)
        ax.set_title(stage, loc="left")
    if page.phantom:
        figures.phantom_stamp(fig)

# %% [markdown]
# ## The recipes
#
# Profiles change sizes only.
# The paper's "dropout with a rate of 0.8" is read as the share that is *kept*, like the "keep rate of 0.5" eleven lines later.
# What the paper leaves open is in the [deviations](deviation-stages).

# %% tags=["table"]
stage_sources.settings_table(profile)

# %% [markdown]
# ## A chain is a specification
#
# Each stage names the one it starts from, and everything but the classifier is carried over.
# Rows that begin alike share their first stages: one training of STL-N serves them all.
#
# ```{literalinclude} ../../covidlib/plans/msatl_stages.py
# :pyobject: chain
# ```

# %%
runs = parts.this_run(page)

# %% [markdown]
# ## Table 1
#
# Of the probabilities of up to 1000 classes a record keeps one number per image: the rank of the right class.
# Top-1 and top-5 need no more.

# %% tags=["table", "hide-input"]
table = parts.table(runs.done, runs.known)
table

# %% [markdown]
# The claim is about differences, which the paper prints in a column of their own: what attention adds to its own backbone, on the same images.

# %% tags=["table", "hide-input"]
gained = parts.gains_table(runs.done, runs.known)
gained

# %% mystnb={"figure": {"name": "fig-msatl-stln-loss", "caption": "STL-N: mean training loss per epoch, recorded (left) and in this run (right)."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 2, figsize=(9.5, 4.6))
    parts.draw_curves(axes, runs.known, runs.done, "loss", "training loss")

# %% [markdown]
# ## STL-M after STL-N
#
# Three classes of X-rays.
# In COVIDx the collection that an image comes from nearly gives COVID-19 away (see [the data sets](../../book/data.md)), and so it does in the composition that is used here; most normal and most pneumonia images come from one collection in both.
# Whether this helps CT is not decided here but by [the ablation](ablation.ipynb).

# %%
medical = parts.this_run_medical(page)
known_medical = parts.recorded_medical(page)

# %% mystnb={"figure": {"name": "fig-msatl-stlm", "caption": "STL-M: accuracy on its validation images, recorded (left) and in this run (right)."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 2, figsize=(9.5, 4.2))
    parts.draw_curves(axes, known_medical, medical, "val_accuracy", "validation accuracy")

# %% tags=["hide-input"]
for name, value in parts.sentences(page, runs, table, gained).items():
    page.glue(name, value)

# %% [markdown]
# ## Weights from elsewhere
#
# Whoever has torchvision's ImageNet weights, as a file or through a network, need not train STL-N.
# They are put under attention layers whose output starts at zero, so the network's outputs are torchvision's, to the last bit:
#
# ```{literalinclude} ../../covidlib/training/graft.py
# :pyobject: graft
# ```
#
# `covidlib run msatl/torchvision_start --profile laptop --data FOLDER` trains the chains that begin there; `COVIDLIB_WEIGHTS` names the file or its folder.
# The weights' name, file and SHA-256 are in the record of every run that descends from them, and such rows never stand in the paper's tables: their attention has not seen ImageNet.
#
# ## Limits, and where to go next
#
# Recorded STL-N runs of the `laptop` profile see 100 classes at 64 pixels for four epochs; the paper's see 1000 at 224 for ninety.
# Their rows in later tables say how a *little* natural training transfers, not how ImageNet does.
#
# Next: [self-supervision on the slices themselves](self_supervised_transfer.ipynb). Back to [training without transfer](without_transfer.ipynb).
