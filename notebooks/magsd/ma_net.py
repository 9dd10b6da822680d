# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # MA-Net: attention from several scales
#
# How does a classifier decide where to look, and what does it do with the answer?
# This page covers section 3.2 of {cite}`li2021magsd`: the network, its attention generator, and equation 1, with figures 1 to 4 redrawn.
#
# ```{admonition} In short
# Of {glue:text}`stated` sizes that the paper gives for its network of three scales, {glue:text}`same` are those of the same network here; the default has two scales, as its best row does.
# Attention from two scales adds {glue:text}`attention_thousand:.0f` thousand parameters to the {glue:text}`backbone_million:.1f` million of ResNet50.
# The paper's equation 1, written as one product of two tensors, gives what the loop over part feature maps gives (largest difference {glue:text}`pooling_worst:.0e`), and its largest tensor is {glue:text}`pooling_share:.0f` times smaller than all part feature maps together.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, figures
from covidlib.models.ma_net import MANetSettings
from covidlib.pages import attended, magsd_diagrams
from covidlib.pages import ma_net as parts

page = book.start(profile, data, seed)

# %% [markdown]
# ## The whole method
#
# MAG-SD shows every image to one network several times: once as it is, and once for each view that is made from the network's own attention.
# This page is about the blue boxes.
# [](attention_augmentation.ipynb) makes the views, [](soft_distance.ipynb) compares the predictions.

# %% mystnb={"figure": {"name": "fig-magsd-overview", "caption": "One training step of MAG-SD. Compare figure 1 of the paper. At test time only the upper row is left, without the loss."}} tags=["hide-input"]
with figures.style():
    fig, ax = plt.subplots(figsize=(9, 3.2))
    magsd_diagrams.overview(ax)

# %% [markdown]
# ## The network
#
# A ResNet50 gives feature maps at several scales, the last of each grid size.
# A 1×1 convolution turns each of them into 32 attention maps; these are averaged down to 7×7 and added up.
# The text takes three scales.
# The results that the paper calls "proposed" are those of the two deepest (the middle row of Table 5), so two are the default here.

# %% mystnb={"figure": {"name": "fig-magsd-network", "caption": "MA-Net with two of three scales, drawn from the settings that build it. Compare figures 2 to 4 of the paper."}} tags=["hide-input"]
with figures.style():
    fig, ax = plt.subplots(figsize=(9, 4))
    magsd_diagrams.ma_net(ax, MANetSettings())

# %% [markdown]
# ```{literalinclude} ../../covidlib/models/ma_net.py
# :pyobject: AttentionGenerator
# ```
#
# Whether a norm and a ReLU follow the convolution, and how the maps get smaller, is not in the text; what was chosen is in the [deviations](deviation-magsd-attention).
#
# What the paper says of its network of three scales, beside that network built here:

# %% tags=["table"]
shapes = parts.shapes_table()
page.glue("stated", len(shapes))
page.glue("same", int((shapes["verdict"] == "reproduced").sum()))
shapes

# %% [markdown]
# The rest of the network follows from its backbone; most convolutional classifiers of torchvision can be one:

# %% tags=["table"]
parts.backbones_table()

# %% [markdown]
# ## Attention pooling
#
# Each attention map $A_j$ selects from the features $f_3$; the selected features are averaged over the grid:
#
# $$
# PF_j = A_j \odot f_3, \qquad M_j = \frac{1}{HW} \sum_{l,m} PF_j(l, m), \qquad j = 1, \dots, 32.
# $$ (eq-attention-pooling)
#
# One row $M_j$ has 2048 numbers, so the classifier sees 32 · 2048 = 65,536.
# Written out, the part feature maps of a batch are 32 copies of its features.
# They are not needed: the two operations of {eq}`eq-attention-pooling` together are one matrix product.
#
# ```{literalinclude} ../../covidlib/models/ma_net.py
# :pyobject: attention_pooling
# ```
#
# What each way of writing it stores for eight images of 224 pixels, forward only:

# %% tags=["table"]
pooling, worst = parts.pooling_table()
largest = pooling["largest tensor, MB"]
page.glue("pooling_worst", worst)
page.glue("pooling_share", largest["all parts at once"] / largest["one einsum"])
pooling.round(1)

# %% [markdown]
# ## Where the parameters are
#
# The classifier is small for two classes, yet its input is 32 times as long as that of a plain ResNet50.
# With average or maximum pooling instead (Table 6), it sees the 2048 features alone.
# The paper does not say what guides the views then; here the maps still do, but no gradient reaches the convolutions that make them, so these keep their random weights.
#
# Parameters in millions, for two classes:

# %% tags=["table"]
sizes = parts.sizes_table()
page.glue("attention_thousand", 1000 * sizes.loc["2 scales, attention", "attention"])
page.glue("backbone_million", sizes.loc["2 scales, attention", "backbone"])
sizes.round(3)

# %% [markdown]
# ## What a trained network attends to
#
# The network below was trained on the first fold of data set A, with the settings of the page on [](architectures.ipynb); both share the run.
# It is shown test images at 224 pixels, whatever size it was trained at.
# It learnt for {glue:text}`epochs` here, and its AUC on test images is {glue:text}`learnt_auc`: near 0.5 its maps show how attention is computed, not what it learns to see.

# %%
spec, record, method = attended.trained(page)
chests = attended.chests(page, method)
for name, value in attended.learnt(record).items():
    page.glue(name, value)

# %% mystnb={"figure": {"name": "fig-magsd-scales", "caption": "Mean of the 32 maps: what each scale contributes, and their sum. Each picture has its own range."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(len(chests), 4, figsize=(8.4, 2.3 * len(chests)))
    for row, chest in zip(axes, chests, strict=True):
        parts.draw_scales(row, chest)
    if page.phantom:
        figures.phantom_stamp(fig)

# %% [markdown]
# A single map may differ from the mean.
# The slider shows the maps with the largest spread on the first image:

# %% tags=["hide-input"]
parts.maps_browser(chests[0], phantom=page.phantom)

# %% mystnb={"figure": {"name": "fig-magsd-maps", "caption": "The same eight maps side by side, for print and for readers without the slider."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(2, 4, figsize=(8.4, 4.8))
    parts.draw_maps(axes.ravel(), chests[0])
    if page.phantom:
        figures.phantom_stamp(fig)

# %% mystnb={"figure": {"name": "fig-magsd-part", "caption": "The paper's equation 1 on the first image: one channel, one map, their product, and the feature matrix that all products give."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 4, figsize=(10, 2.9), width_ratios=[1, 1, 1, 1.6])
    page.glue("alike", parts.draw_pooling(axes, chests[0])["alike"])
    if page.phantom:
        figures.phantom_stamp(fig)

# %% [markdown]
# Each row of the matrix is the same features seen through another map; in this network two rows correlate by {glue:text}`alike:.2f` on average.
# Nothing in the loss asks the maps to differ: WS-DAN {cite}`hu2019wsdan`, whose design this is, pulls what each map pools towards a centre of its own, and MAG-SD leaves that out.
#
# ## Limits, and where to go next
#
# This page shows shapes and pictures; whether attention helps is a matter of tables.
# The weights start from random numbers here, those of the paper from a pre-trained ResNet50.
# A map says what was multiplied, not why a decision was made.
#
# Next: [](attention_augmentation.ipynb) makes new images from these maps.
