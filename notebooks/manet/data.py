# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # Five classes from three collections
#
# What does a classifier learn from when each class comes from a place of its own?
# Section 2 of {cite}`xu2021manet` puts normal, COVID-19, tuberculosis, bacterial and viral pneumonia together from public collections, and cuts out the lungs because the collections look different.
#
# ```{admonition} In short
# The paper has {glue:text}`paper_images` images of five classes; this run has {glue:text}`images` of {glue:text}`classes` (missing: {glue:text}`absent`).
# Verdicts over {glue:text}`cells` counts of Table 1: {glue:text}`reproduced` reproduced, {glue:text}`below` below, {glue:text}`above` above, {glue:text}`untested` not testable here.
# Who knows nothing of an image but its collection, and names that collection's commonest class, is right for {glue:text}`by_collection:.0%` of them.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, figures
from covidlib.pages import manet_data as parts

page = book.start(profile, data, seed)
images = parts.images(page)

# %% [markdown]
# ## Table 1: how many
#
# The paper splits 8:1:1; its counts are neither stratified nor said to keep patients apart.
# Here the sets are stratified and hold whole patients, and pictures that are in two collections are taken once.

# %% tags=["table"]
table = parts.counts_table(images, page.phantom, page.recorded)
table

# %% [markdown]
# Counts are the paper's only where its collections are there in full: *below* says that fewer images are at hand, not that the paper is wrong.
# Tuberculosis comes from Montgomery and Shenzhen, and so does part of the normal images; without these two folders there are four classes, and normal adults come from ChestX-ray8.
#
# ## Class and collection
#
# "Images from multiple datasets differ in terms of some features", says the paper below its figure 1, and "DL models trained on such a dataset may classify images according to these diagnosis-irrelevant features".
# The table shows why: the collection almost names the class.

# %% tags=["table"]
parts.sources_table(images)

# %% tags=["hide-input"]
for name, value in parts.sentences(images, table).items():
    page.glue(name, value)

# %% mystnb={"figure": {"name": "fig-manet-data-examples", "caption": "Three training images of each class. Compare figure 1 of the paper."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(3, len(images.classes), figsize=(10, 6.2))
    parts.draw_examples(axes, parts.examples(images))
    if page.phantom:
        figures.phantom_stamp(fig)

# %% [markdown]
# ## What the second stage sees
#
# Each image passes the segmentation, its mask is repaired, and what lies outside turns black.
# The network here is that of this run's first fold; [](segmentation.ipynb) tells how good it is.

# %% mystnb={"figure": {"name": "fig-manet-data-steps", "caption": "One test image of each class on its way to the classifier: image, predicted lungs, lungs after post-processing, segmentation. Compare figure 3 of the paper."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(4, len(images.classes), figsize=(10, 8.2))
    parts.draw_processed(axes, parts.processed(page, images))
    if page.phantom:
        figures.phantom_stamp(fig)

# %% [markdown]
# ## The whole way as one object
#
# A trained classifier and the segmentation behind it can be saved as one folder, loaded again, and applied to a folder of X-rays: `Workflow` in Python, `covidlib workflow save` and `apply` on the command line.
# An image that does not look like a chest X-ray, or in which no lungs are found, gets a label all the same, and a warning.
#
# ```{literalinclude} ../../covidlib/workflow/two_stages.py
# :pyobject: Workflow.apply
# ```
#
# ## Limits, and where to go next
#
# Black surroundings remove the collection's frame, marks and borders; they do not remove what the lungs themselves tell about it: children's lungs are smaller, portable images are blurred.
# [](shortcuts.ipynb) measures how much of the class is in the mask alone.
#
# Next: [](segmentation.ipynb) finds the lungs.
