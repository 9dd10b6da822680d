# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # What a classifier knows without the lungs
#
# If the surroundings of the lungs, or their mere outline, already give the class away, is it the lungs that a classifier reads?
# {cite}`xu2021manet` removes the surroundings so that "diagnosis-irrelevant features" cannot be used (section 1).
# It does not ask how much they would have told, nor what the shape of the mask still tells; this page does.
#
# ```{admonition} In short
# Balanced accuracy of ResNet50, recorded: on the lungs {glue:text}`recorded_lungs`, on the mask's shape {glue:text}`recorded_shape`, on all but the lungs {glue:text}`recorded_outside`, on the outer eighth {glue:text}`recorded_frame`, on the whole image {glue:text}`recorded_image`; guessing has one over the number of classes.
# One index per model, of the mask's shape, one training each, 1 where the shape tells as much as the lungs: plain {glue:text}`recorded_index_none`, with mask attention {glue:text}`recorded_index_mask`, with CBAM {glue:text}`recorded_index_cbam`.
# The paper prints nothing on this, so no verdicts are due here.
# This run: lungs {glue:text}`here_lungs`, shape {glue:text}`here_shape`, outer eighth {glue:text}`here_frame`.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, figures
from covidlib.pages import shortcuts as parts

page = book.start(profile, data, seed)

# %% [markdown]
# ## Five views of one image
#
# The same network is trained, with the same settings, on five views.
# Two of them, all but the lungs and the shape of the mask, hold none of the lungs that the segmentation finds; the outer eighth holds what of them reaches so far out.
#
# ```{literalinclude} ../../covidlib/training/lungs.py
# :pyobject: show
# ```

# %%
found = parts.results(page)
pictures = parts.views(page, found)

# %% mystnb={"figure": {"name": "fig-manet-views", "caption": "One test image as each network sees it. The last three show no lung, or no more than reaches the outer eighth."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 5, figsize=(10, 2.6))
    parts.draw_views(axes, pictures)
    if page.phantom:
        figures.phantom_stamp(fig)

# %% [markdown]
# ## A shortcut index
#
# Let $a$ be the balanced accuracy of a network on the lungs, $b$ that of the same network trained on another view, and $c$ chance, one over the number of classes.
# The shortcut index of the view is
#
# $$
# s = \frac{b - c}{a - c},
# $$ (eq-manet-shortcut)
#
# 0 where the view says nothing, 1 where it says as much as the lungs, and more where it says more.
# The index of the *shape* is the one that matters for the paper's networks: shape is what blackening the surroundings leaves, and what mask attention is given in every layer.

# %% tags=["table", "hide-input"]
parts.table(found)

# %% tags=["hide-input"]
for name, value in parts.sentences(found).items():
    page.glue(name, value)

# %% mystnb={"figure": {"name": "fig-manet-shortcuts", "caption": "Balanced accuracy of ResNet50 trained on each view, with 95% intervals over patients. Dashed: chance."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 2, figsize=(10.5, 4.4))
    parts.draw_index(axes, found)

# %% [markdown]
# ## How to read this
#
# A high index does not show that a network on the lungs uses the shortcut, only that it could have, and that its accuracy cannot be taken as evidence that it did not.
# In these data the collection says much of the class: bacterial and viral pneumonia are children of one hospital, as a part of the normal images is, COVID-19 comes from publications, normal adults from elsewhere.
# A child's lungs have another shape than an adult's, so a mask alone tells the age.
#
# ## Limits, and where to go next
#
# One training per view says how much a view *can* tell a ResNet50 with this budget, not how much there is.
# In `smoke` only the plain network is trained, on three views and for one epoch, after which it may well be at chance; phantoms are drawn with styles that belong to their collections, as the real ones are.
#
# Back to [](classification.ipynb), or on to [](heatmaps.ipynb).
