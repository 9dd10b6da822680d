# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # Does attention find the pneumonia?
#
# A network learns classes; do its attention maps lie where radiologists drew the lesions?
# This page covers section 4.4.6 of {cite}`li2021magsd` and its Figure 7.
#
# ```{admonition} In short
# The paper says that attention finds the lesions' place "with over {glue:text}`claimed` IoU score", and shows examples.
# Recorded mean IoU of the attention above half of its range ({glue:text}`networks`): COVID-19, masks {glue:text}`covid`; other pneumonia, boxes {glue:text}`pneumonia`.
# Two baselines without a network: the lung mask reaches {glue:text}`covid_lungs` and {glue:text}`pneumonia_lungs`, a blob in the middle of every image {glue:text}`covid_blob` and {glue:text}`pneumonia_blob`.
# Attention has the higher mean than both for {glue:text}`located`.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, figures
from covidlib.localization_scores import read, speaking
from covidlib.pages import localization as parts
from covidlib.pages import localization_pictures as pictures

page = book.start(profile, data, seed)

# %% [markdown]
# ## The maps and the outlines
#
# MAG-SD is trained on data set B; the mean of its attention maps is stretched from 7×7 to 224×224 and thresholded.
# What remains is compared with the mask of a COVID-19 image, and the rectangle around it with the box of another pneumonia.
# Outlines of ground-glass opacity and consolidation are the radiologists' {cite}`generalblockchain2020`; the paper has boxes for the other pneumonias, here those are the rectangles around the outlines.
# The outlined images belong to the collection that set B takes its COVID-19 images from: those whose file or patient the network was trained on are left out, which the paper does not say of its own.
# The paper gives no threshold, so three are shown.
# These maps need weights, which recorded results do not have: `python -m covidlib.localization_scores` measures them where the networks were trained, and keeps numbers alone.
#
# ```{literalinclude} ../../covidlib/evaluation/overlap.py
# :pyobject: iou
# ```

# %%
located = parts.locate(page)
kept = read(page.recorded)
known = speaking(kept)

# %% mystnb={"figure": {"name": "fig-magsd-localization", "caption": "Mean attention of this run over the first two images of each class that the network was not trained on, with the two shapes whose overlap stands above. COVID-19: the outline of the lesions (blue) and of the attention above 0.5 (white). Other pneumonia: the rectangles around both."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 4, figsize=(11, 3.6), layout="constrained")
    pictures.draw(axes, located)
    if page.phantom:
        figures.phantom_stamp(fig)

# %% [markdown]
# ## Overlap, and two floors
#
# The lung mask knows where lungs are and nothing of this patient's lesions; the centre blob knows not even that.
# Attention that does not beat both has not located pneumonia.
# The paper trained on set B, the most expensive training here.
# Networks of B are shown if at least {glue:text}`fewest`, and as many as of A, are recorded; otherwise those of A, which never saw a healthy chest.
# Recorded: {glue:text}`each`; shown below: {glue:text}`networks`.
# Networks that learnt from small images are shown images of 224 pixels, for maps of 7×7 as in the paper, and images of their own size as well, whose maps are coarser still.

# %% tags=["table", "hide-input"]
parts.table([located.found], known)

# %% mystnb={"figure": {"name": "fig-magsd-overlaps", "caption": "Mean overlap with the outlines at three thresholds, in the measure that the paper takes for each class; recorded where there are runs, else of this run. Bands: 95% intervals over patients and networks."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
    parts.draw_overlaps(axes, known or [located.found])
    figures.legend_below(axes[0], ncols=1)
    if page.phantom and not known:
        figures.phantom_stamp(fig)

# %% tags=["hide-input"]
for name, value in parts.sentences(located.found, known, kept).items():
    page.glue(name, value)

# %% [markdown]
# ## Limits, and where to go next
#
# This run scores {glue:text}`images` images.
# A grid of 7×7 cannot follow an outline: a region of whole cells overlaps a small lesion little, however well it is placed.
# Large rectangles overlap other large rectangles, so the boxes flatter every source, the floors too.
#
# How the maps come about is shown on [](ma_net.ipynb); which classes the network confuses, on [](distribution.ipynb).
