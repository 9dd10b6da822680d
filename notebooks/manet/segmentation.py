# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # Finding the lungs
#
# Can a small network outline the lungs on a chest X-ray well enough for a second network to trust it?
# This page covers sections 2.2, 3.2 and 4.1 of {cite}`xu2021manet`: the ResUNet, its training, its IoU, and what is repaired in its masks.
#
# ```{admonition} In short
# The paper prints a mean test IoU of {glue:text}`paper_iou`.
# Recorded on real images, over {glue:text}`recorded_folds` folds and {glue:text}`recorded_images` test images: IoU {glue:text}`recorded_iou`, Dice {glue:text}`recorded_dice`, and {glue:text}`recorded_iou_clean` after post-processing.
# This run, {glue:text}`here_images` test images: IoU {glue:text}`here_iou`.
# Verdicts over {glue:text}`cells` printed numbers: {glue:text}`reproduced` reproduced, {glue:text}`below` below, {glue:text}`above` above, {glue:text}`untested` not testable here.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, figures
from covidlib.pages import res_unet_diagram, results
from covidlib.pages import segmentation as parts
from covidlib.pages import segmentation_masks as masks

page = book.start(profile, data, seed)

# %% [markdown]
# ## The network
#
# A U-Net goes down through five levels and comes up again, and each level hands its features across.
# The paper replaces its pairs of convolutions by residual blocks, on both ways; it gives neither widths nor depth, so these are ours (see the [deviations](deviation-resunet)).
#
# ```{literalinclude} ../../covidlib/models/res_unet.py
# :pyobject: ResidualBlock
# ```

# %% mystnb={"figure": {"name": "fig-manet-resunet", "caption": "The ResUNet for an image of 512×512 pixels, drawn from the network itself: channels and side of what each residual block returns. Compare figure 4 of the paper."}} tags=["hide-input"]
with figures.style():
    fig, ax = plt.subplots(figsize=(10, 4.8))
    res_unet_diagram.draw_network(ax)

# %% [markdown]
# ## What it learns from
#
# The loss is one minus the Dice coefficient of the predicted probabilities $p$ and the drawn mask $g$, image by image:
#
# $$
# L = 1 - \frac{2\sum_i p_i g_i + 1}{\sum_i p_i + \sum_i g_i + 1}.
# $$ (eq-manet-dice)
#
# The paper writes no formula; the two ones keep the ratio defined for an empty mask.
# Image and mask are shifted, scaled and turned by the same draw, bilinearly and by nearest neighbour.

# %% tags=["table"]
parts.settings_table(profile)

# %% [markdown]
# The paper has drawn lungs of 359 normal, 345 tuberculosis and 202 COVID-19 images, a tenth of them for the test.
# What has drawn lungs here is `covid-cxr-segmentations`: 79 images, 55 of them of COVID-19; Montgomery and Shenzhen join as soon as their folders are there, and the phantoms have them.
# With so few images one test set would be small, so five folds, grouped by patient, test every image once.

# %%
found = results.gather(page, parts.NAME)
shown = masks.test_images(page, found)

# %% mystnb={"figure": {"name": "fig-manet-seg-curves", "caption": "IoU of the validation images per epoch, before post-processing; a thin line per fold."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 2, figsize=(9, 3.8))
    results.draw_curves(axes, found, "val_iou")
    axes[0].set_ylabel("IoU, validation images")
    axes[1].set_ylabel("")

# %% [markdown]
# Scored is the network of the last epoch: the paper names no validation images of this stage, so none may choose an epoch for it.
# On few images that is a draw of lots, for the curves still jump at a constant rate: in the last ten epochs the recorded IoU falls by up to {glue:text}`epoch_fall` from one to the next.
# On the validation images the last epoch has {glue:text}`epoch_last` on average over the folds, the best one, which nobody could have known, {glue:text}`epoch_best`.
#
# ## Intersection over union
#
# The IoU of two masks is what they share over what either covers.
# It can be averaged over images or computed from all pixels together, before or after post-processing, and the paper does not say which it prints.
# The first line of each class is the mean over images before post-processing.

# %% tags=["table", "hide-input"]
table = parts.table(found)
table

# %% tags=["hide-input"]
page.glue("paper_iou", str(parts.paper_iou("")))
for name, value in parts.sentences(found, table).items():
    page.glue(name, value)

# %% [markdown]
# ## Figure 8: images, masks, segmentations
#
# One test image of this run near the middle of all, and the worst one.
# The last column is what the second stage gets to see.

# %% mystnb={"figure": {"name": "fig-manet-seg-masks", "caption": "Test images of this run: as they are, the mask the network predicts, the drawn mask, and the segmentation after post-processing. Top: median IoU; bottom: lowest. Compare figure 8 of the paper."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(2, 4, figsize=(9, 4.8))
    masks.draw_masks(axes, [shown[len(shown) // 2], shown[-1]])
    if page.phantom:
        figures.phantom_stamp(fig)

# %% [markdown]
# ## Post-processing
#
# "In some cases, the predicted masks for the left and right lungs are concatenated and there might be small defects outside the lung regions" (section 2.2).
# Two repairs follow: holes are filled, small objects removed.
#
# ```{literalinclude} ../../covidlib/postprocessing.py
# :pyobject: clean
# ```

# %% mystnb={"figure": {"name": "fig-manet-seg-cleaning", "caption": "The test images of this run on which post-processing changes most. Right: what stays (grey), what is removed (orange), what is filled (blue). Compare the middle rows of the paper's figure 3."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(3, 3, figsize=(7, 7.4))
    masks.draw_cleaning(axes, shown)
    if page.phantom:
        figures.phantom_stamp(fig)

# %% mystnb={"figure": {"name": "fig-manet-seg-scores", "caption": "IoU of each test image of this run as predicted and after post-processing. Points above the line have gained."}} tags=["hide-input"]
with figures.style():
    fig, ax = plt.subplots(figsize=(5.2, 5.6))
    parts.draw_scores(ax, found.done["ResUNet"])

# %% [markdown]
# Post-processing changes the IoU of {glue:text}`here_better` test images of this run for the better and of {glue:text}`here_worse` for the worse; recorded: {glue:text}`recorded_better` and {glue:text}`recorded_worse`.
# The paper says that it gives "better training inputs" (claim `manet-Q13`), and shows examples.
# It cannot part two lungs that grew together: filling and removing leave a bridge as it is.
#
# ## Limits, and where to go next
#
# Left and right lung are scored by dividing the picture between the two drawn lungs; where these touch, there is no division and the image counts for the whole only.
# The drawn lungs of the real images leave out what disease hides, or not, as each radiologist chose.
# The same collection feeds the COVID-19 class of the second stage, so some of its test images were seen here, in the paper too.
#
# Next: [](mask_attention.ipynb) lets such a mask travel through a network, and [](classification.ipynb) classifies what is left of the images.
