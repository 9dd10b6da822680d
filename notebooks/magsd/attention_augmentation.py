# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # New images from attention
#
# Can a network's own attention make training images that are worth more than random crops?
# This page covers section 3.3 of {cite}`li2021magsd`: attention mix-up, patching and dimming, with figure 5.
#
# ```{admonition} In short
# Every view is made on the device, for a whole batch at once and without a synchronisation of host and device; the tests compare each with a loop over images.
# At a threshold of 0.5 on this page's images and network the region takes {glue:text}`region_half:.0%` of the image and the box around it {glue:text}`box_half:.0%` (medians over maps and images): on a grid of 7×7 the box is coarse.
# The paper prints one of the five numbers that define the views; the others are settings here.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, figures
from covidlib.pages import attended, magsd_cost
from covidlib.pages import attention_augmentation as parts

page = book.start(profile, data, seed)

# %% [markdown]
# ## From a map to a region
#
# For every image and every view one of the 32 maps is drawn, each equally likely.
# It is brought to [0, 1], which makes it $A^*$, and enlarged to the size of the image.
# What exceeds a threshold is the region:
#
# $$
# D(l, m) = \begin{cases} 1, & A^*(l, m) > \theta_m, \\ 0, & \text{otherwise.} \end{cases}
# $$ (eq-region)
#
# A map that is the same everywhere has no region; then the view is the image itself.
#
# ```{literalinclude} ../../covidlib/training/attention_augmentation.py
# :pyobject: make_views
# ```

# %% [markdown]
# ## Three views
#
# **Mix-up** enlarges the box around the region to the whole image, $B$, and mixes both: $I_1 = \gamma I_0 + (1 - \gamma) B$.
# **Patching** pastes the box once more, anywhere in the image.
# **Dimming** multiplies the image by 0.1 where $A^* > \theta_d$, so that the network must look elsewhere.
#
# The network is that of [](ma_net.ipynb); it learnt for {glue:text}`epochs` here, and its AUC on test images is {glue:text}`learnt_auc`: near 0.5 these views show how they are made, not what attention finds.

# %%
spec, record, method = attended.trained(page)
chests = attended.chests(page, method)
for name, value in attended.learnt(record).items():
    page.glue(name, value)

# %% mystnb={"figure": {"name": "fig-magsd-views", "caption": "Test images of data set A and their three views. Beside each view the map that made it, the edge of its region (white) and the box (cyan). Compare figure 5 of the paper."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(len(chests), 7, figsize=(12, 2 * len(chests)))
    for number, chest in enumerate(chests):
        parts.draw_views(axes[number], chest, seed=seed + number)
    if page.phantom:
        figures.phantom_stamp(fig)

# %% [markdown]
# ```{literalinclude} ../../covidlib/training/attention_augmentation.py
# :pyobject: enlarge
# ```
#
# ```{literalinclude} ../../covidlib/training/attention_augmentation.py
# :pyobject: patching
# ```
#
# ## Turn the threshold
#
# The paper says only that the thresholds lie in [0, 1].
# Move the slider to see what they decide:

# %% tags=["hide-input"]
parts.threshold_browser(chests[0], phantom=page.phantom)

# %% mystnb={"figure": {"name": "fig-magsd-thresholds", "caption": "The same map at five thresholds, for print and for readers without the slider."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(len(parts.THRESHOLDS), 4, figsize=(8.4, 11))
    for row, threshold in zip(axes, parts.THRESHOLDS, strict=True):
        parts.draw_threshold(row, chests[0], threshold, chests[0].liveliest[0])
    if page.phantom:
        figures.phantom_stamp(fig)

# %% [markdown]
# ## How large is what is attended?

# %% mystnb={"figure": {"name": "fig-magsd-areas", "caption": "Share of the image that the region and its box take, over all maps of the images above: median and quartiles."}} tags=["hide-input"]
found = parts.areas(chests)
with figures.style():
    parts.draw_areas(plt.gca(), found)
page.glue("region_half", parts.area_at(found, 0.5, "region"))
page.glue("box_half", parts.area_at(found, 0.5, "box"))
page.glue("box_low", parts.area_at(found, 0.3, "box"))
page.glue("box_high", parts.area_at(found, 0.9, "box"))
for name, value in parts.recorded_grid(page).items():
    page.glue(name, value)

# %% [markdown]
# The box is larger than its region, because two far parts of a region stretch it; where it is as large as the image, mix-up returns what it was given and patching changes nothing.
# At a threshold of 0.3 the median box takes {glue:text}`box_low:.0%` of the image, at 0.9 it takes {glue:text}`box_high:.0%`.
# All of this is measured on images of 224 pixels, whose maps are 7×7; the trainings recorded for [Table 7](augmentation_count.ipynb) had images of {glue:text}`recorded_size` and maps of {glue:text}`recorded_grid`, where regions and boxes may have had other shares.
#
# ## Turn the map

# %% tags=["hide-input"]
parts.map_browser(chests[-1], phantom=page.phantom)

# %% mystnb={"figure": {"name": "fig-magsd-map-views", "caption": "The same three maps, for print and for readers without the slider."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(3, 4, figsize=(8.4, 6.8))
    for row, number in zip(axes, chests[-1].liveliest[:3], strict=True):
        parts.draw_threshold(row, chests[-1], 0.5, number)
    if page.phantom:
        figures.phantom_stamp(fig)

# %% [markdown]
# ## Turn the factor
#
# The share $\gamma$ of the whole image in mix-up is another number the paper does not give.
# The dimming factor is printed as "00.1"; 0.1 is what the paper's equation 4 most likely means, and the authors' released code has 0.001.

# %% tags=["hide-input"]
parts.factor_browser(chests[0], phantom=page.phantom)

# %% mystnb={"figure": {"name": "fig-magsd-factors", "caption": "Mix-up (top) and dimming (bottom) with the same factors, for print and for readers without the slider."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(2, len(parts.FACTORS), figsize=(12, 4.6))
    for column, factor in zip(axes.T, parts.FACTORS, strict=True):
        parts.draw_factor(column, chests[0], factor)
    if page.phantom:
        figures.phantom_stamp(fig)

# %% [markdown]
# ## Dimming what?
#
# The views are made of the network's input, which was normalised to mean 0 before.
# A tenth of that is not a tenth of the light: the region turns into the image's mean grey, and loses its contrast, where a tenth of the grey values would be nearly black.
# The text applies the mask "onto the input", so this is what is done.

# %% mystnb={"figure": {"name": "fig-magsd-dimming", "caption": "One region dimmed before the z-score, as the word suggests, and after it, as the text says."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 3, figsize=(8.4, 3))
    parts.draw_dimming(axes, chests[0])
    if page.phantom:
        figures.phantom_stamp(fig)

# %% [markdown]
# ## What a step costs
#
# One step shows the network every image four times, so it cannot cost less than four plain steps of the same backbone on as many images (`benchmarks/magsd.py`).
# The rest is the attention, the views (a small part), and one pass over a batch three times as large.

# %% tags=["table", "hide-input"]
magsd_cost.step_table(page)

# %% [markdown]
# ## Limits, and where to go next
#
# The views keep the image's label, although dimming may take away the very lesion that earned it; how the loss deals with that is the subject of [](soft_distance.ipynb).
# Whether one, two or three views train a better classifier is Table 7, on the page about [their number](augmentation_count.ipynb).
# All choices that the paper leaves open are in the [deviations](deviation-magsd-views).
