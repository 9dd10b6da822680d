# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # Self-attention in a ResNet
#
# What does an attention layer add to a convolutional network, where does it stand, and what does it cost?
# This page covers sections 2.2 and 3.2 of {cite}`liu2021msatl`: equation 1 in code, the six networks, and the maps they compute.
#
# ```{admonition} In short
# Inserted with a zero output, the layer changes no logit: the largest difference on this page is {glue:text}`insertion:.1e`.
# Five layers raise ResNet-50 from {glue:text}`params_baseline:.1f` to {glue:text}`params_attn5:.1f` million parameters, and one layer adds {glue:text}`params_one:.2f` million.
# At 224 pixels the five layers keep {glue:text}`explicit_224:.0f` MB per image for the backward pass if the matrices are written out and {glue:text}`fused_224:.0f` MB with the fused kernel; at 512 pixels {glue:text}`explicit_512:.0f` and {glue:text}`fused_512:.0f` MB.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, diagrams, figures
from covidlib.pages import attention_resnet as parts
from covidlib.plans import plan

page = book.start(profile, data, seed)

# %% [markdown]
# ## The layer
#
# From a feature map with $HW$ positions, three 1×1 convolutions make queries $Q$, keys $K$ and values $V$, one column per position.
# The layer then mixes the values of all positions:
#
# $$
# O = V \, \operatorname{softmax}(K^{\top} Q), \qquad K^{\top} Q \in \mathbb{R}^{HW \times HW}.
# $$ (eq-attention)
#
# Every column of the softmax belongs to one query position and sums to 1, so {eq}`eq-attention` is a weighted mean over the whole image.
# The paper stops at $O$.
# Here a last 1×1 convolution, which starts at zero, brings $O$ back to the width of the input and is added to it; the reasons are in [](../../book/deviations.md).
#
# ```{literalinclude} ../../covidlib/models/attention.py
# :pyobject: SelfAttention
# ```

# %% [markdown]
# ## Where the layers stand
#
# A ResNet has four groups of residual units, which the paper calls res2 to res5.
# The networks with one layer have it at the end of res3; those with five have two in res3, two in res4 and one in res5.

# %% mystnb={"figure": {"name": "fig-msatl-networks", "caption": "The three variants of each backbone, drawn from the settings that build them. A: one self-attention layer. Compare figure 1b of the paper."}} tags=["hide-input"]
with figures.style():
    fig, ax = plt.subplots(figsize=(9, 3.9))
    diagrams.attention_resnet(ax, depth=50)

# %% [markdown]
# ## Inserting a layer changes nothing, until it is trained
#
# This matters for transfer: weights that were trained without attention keep their meaning.
# The check below copies one ResNet-50 into all three variants and compares logits on random images.

# %%
difference = parts.insertion_difference(depth=50, size=64)
page.glue("insertion", difference)
print(f"largest difference between the logits of the three variants: {difference:.1e}")

# %% [markdown]
# ## What the layer costs
#
# The table has the cost of the six networks at 224 pixels for two classes: parameters, multiply-adds per image, and the memory that explicit attention matrices would take in float32.
# Parameters and multiply-adds are exact; they follow from the layer sizes.
# The attention matrix has $(HW)^2$ entries per image and layer: quadrupling the number of pixels makes it sixteen times larger.
# The fused kernel never writes that matrix down, which is why it is used wherever no map is asked for.

# %% tags=["table"]
costs = parts.costs(size=224)
page.glue("params_baseline", costs.loc["R-50 baseline", "parameters, M"])
page.glue("params_attn5", costs.loc["R-50 5 ATTNs", "parameters, M"])
page.glue("params_one", costs["parameters, M"].iloc[1] - costs["parameters, M"].iloc[0])
costs.round(2)

# %% [markdown]
# Training keeps more than the matrices: queries, keys, values and what was mixed wait for the backward pass too.
# Both columns, in MB of float32 for one image, are measured on this machine, layer by layer, the matrices of equation 1 written out or left to the fused kernel.

# %% tags=["table"]
kept = parts.memory()
for size in (224, 512):
    for way in ("explicit", "fused"):
        page.glue(f"{way}_{size}", kept.loc[f"R-50 5 ATTNs, {size} pixels", way])
kept.round(1)

# %% [markdown]
# ## What a trained network looks at
#
# The maps below come from the network with five layers, trained without transfer on the page [](without_transfer.ipynb); both pages share that run.
# Equation 1 does not divide $K^\top Q$ by anything, so its softmax easily settles on a few places: here a query of the first res3 layer gives {glue:text}`largest:.0%` of its weight to a single position, on average.
# Averaged over all query positions, a map says how much each place is used by the rest of the image.
# The paper shows this average for the res5 layer and compares it with Grad-CAM (section 6.8).

# %%
chosen = plan("msatl/without_transfer", profile, phantoms=page.phantom, seeds=1)
spec = next(s for s in chosen.specs if s.network.slug == "r50-attn5")
trained = parts.trained(spec, page)
slice_ = parts.positive_slice(trained)
maps = parts.mean_maps(trained, slice_)
page.glue("largest", parts.largest_weight(trained, slice_, "res3.0"))

# %% mystnb={"figure": {"name": "fig-msatl-maps", "caption": "Mean attention of the five layers on one slice with COVID-19, from res3 (fine grid) to res5 (coarse grid). Bright: used by many positions."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 6, figsize=(11, 2.5))
    parts.draw_mean_maps(axes, slice_, maps)
    if page.phantom:
        figures.phantom_stamp(fig)

# %% [markdown]
# ### Ask one position
#
# Each column of the softmax belongs to one query.
# Move the slider to choose the place that asks; the picture shows where the first res3 layer looks from there.

# %% tags=["hide-input"]
parts.query_browser(trained, slice_, layer="res3.0", phantom=page.phantom)

# %% [markdown]
# The same places side by side, for print and for readers without the slider:

# %% mystnb={"figure": {"name": "fig-msatl-queries", "caption": "Attention of the first res3 layer from nine query positions (cross) on one slice with COVID-19."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(3, 3, figsize=(7.5, 7.8))
    parts.draw_queries(axes.ravel(), trained, slice_, layer="res3.0")
    if page.phantom:
        figures.phantom_stamp(fig)

# %% [markdown]
# ## Limits, and where to go next
#
# An attention map says what a layer mixes, not why a decision was made; whether such maps have their heat in the lungs at all is tested [on a later page](heatmaps.ipynb).
# The sizes of keys and values, the residual connection and the place of the layers within a group are our reading of a text that leaves them open.
#
# Next: [](without_transfer.ipynb) trains all six networks from random weights.
