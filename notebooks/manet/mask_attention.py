# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # A mask travels through a network
#
# How does a lung mask become an attention map for every layer of a network, without a single weight to train?
# This page covers section 3.3 of {cite}`xu2021manet`: equation 1 in code, the four networks of figure 5, and what happens to a mask on its way.
#
# ```{admonition} In short
# One mechanism turns any of the four networks into its version with mask attention and adds {glue:text}`parameters_added` parameters.
# In ResNet34 it takes {glue:text}`pools_resnet34` poolings of one small map and {glue:text}`products_resnet34` products.
# On {glue:text}`recorded_images` real lung masks the map keeps lung and surroundings well apart in early layers ({glue:text}`early_lung:.2f` against {glue:text}`early_elsewhere:.2f` after the stem), less so in the last ({glue:text}`late_lung:.2f` against {glue:text}`late_elsewhere:.2f`).
# What is counted as lying outside the image matters there: at 512 pixels a mask of ones has a mean of only {glue:text}`ones_mean:.2f` in the last layer.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, figures, mask_findings
from covidlib.pages import mask_attention as parts
from covidlib.pages import mask_blocks, mask_journey
from covidlib.plans import manet

page = book.start(profile, data, seed)

# %% [markdown]
# ## Equation 1
#
# A block convolves its features $I_i$ with kernel $k$, stride $s$ and padding $p$, and normalises them to $\hat f(I_i; k, s, p)$.
# Mask attention multiplies these by a map that was pooled with the same three numbers, before the activation $\varphi$:
#
# $$
# I_{i+1} = \varphi\bigl(\hat f(I_i; k, s, p) \odot P(M_i; k, s, p)\bigr), \qquad
# M_{i+1} = P(M_i; k, s, p).
# $$ (eq-mask-attention)
#
# $M_0$ is the lung mask and $P$ is average pooling, so every value of $M_i$ tells how much lung the feature at that place can see.
# What an operation does to the map is all in its kernel, stride and padding:
#
# ```{literalinclude} ../../covidlib/models/mask_pooling.py
# :pyobject: pooling
# ```
#
# The rest is finding the places.
# The network is traced into a graph; each operation that changes receptive fields extends the path of its map, and the product is written into the graph behind the batch norm.
#
# ```{literalinclude} ../../covidlib/models/mask_attention.py
# :pyobject: MaskAttention
# ```

# %% [markdown]
# ## Four networks, one mechanism
#
# The figure is drawn from the traced graphs, so it shows what runs.
# A bottleneck has one product, because 1×1 convolutions see no further than their input.
# In an Inception module the branches see differently far; the paper takes the map of the one that sees farthest, and so the product stands behind the concatenation.
# Below the figure is counted what mask attention adds to each network.
# Inception pools more often than it multiplies: maps inside a module are only passed on.

# %% mystnb={"figure": {"name": "fig-manet-blocks", "caption": "One block of each network with mask attention, top to bottom; branches side by side. Blue: operations that widen the receptive field, so that the map is pooled along. Orange: products with the map. Compare figure 5 of the paper."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 4, figsize=(10, 5.2), width_ratios=[1, 1, 1, 3.6])
    mask_blocks.draw_blocks(axes)

# %% tags=["table"]
products = parts.products()
page.glue("parameters_added", int(products["parameters added"].max()))
page.glue("pools_resnet34", products.loc["ResNet34", "poolings of the map"])
page.glue("products_resnet34", products.loc["ResNet34", "products with a map"])
products

# %% [markdown]
# ## The journey
#
# The slider follows one lung mask through ResNet34, from the image to the last block.
# The map loses detail at every stride, and its edge grows softer with every 3×3 convolution.

# %%
dataset = page.dataset("covid-cxr-segmentations", images=20, size=512)
image, mask = mask_journey.chest(dataset, size=512)
stops = mask_journey.journey(mask)
page.glue("last_field", stops[-1].field[0])
page.glue("last_largest", stops[-1].shares.max())

# %% tags=["hide-input"]
mask_journey.journey_browser(image, stops, phantom=page.phantom)

# %% [markdown]
# The same journey at the ends of the stages, for print and for readers without the slider:

# %% mystnb={"figure": {"name": "fig-manet-journey", "caption": "A lung mask in ResNet34: after the stem, the pool, and the last block of each layer. Black: no lung in sight; yellow: nothing but lung."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 7, figsize=(11, 2.2))
    mask_journey.draw_journey(axes, stops)

# %% [markdown]
# At the end a feature sees {glue:text}`last_field` pixels in each direction, more than the image has, and no map value is above {glue:text}`last_largest:.2f`.
#
# ## Not quite the share of the receptive field
#
# The paper's abstract says that a map holds "the percentage of masked pixels in their receptive fields".
# Equation {eq}`eq-mask-attention` does not compute that: an average of averages counts the middle of the field more often than its edge, as a convolutional network does.

# %% mystnb={"figure": {"name": "fig-manet-weights", "caption": "How much each row of the receptive field counts in a map of ResNet34, as a mean over one stride. The plain share would give every row the weight 1."}} tags=["hide-input"]
with figures.style():
    parts.draw_weights(plt.gca())

# %%
path = mask_findings.masked("resnet34").paths["layer4.2.add"]
page.glue("central", 100 * parts.central_share(path))

# %% [markdown]
# In the last layer the central quarter of the field's area decides {glue:text}`central:.0f` % of the map; under a plain share it would be 25 %.
# So the map is sharper than the receptive field suggests; under a plain share of so wide a field all places would be much alike.
#
# ## Borders
#
# Convolutions pad with zeros, and so does average pooling, unless it is told to count only the pixels that are there.
# The paper does not say which.
# Here `borders="zeros"` is the default, because it is what an average pooling with "the same kernel, stride and padding" does, and what the features themselves go through: beyond the image there is no lung.
# The other choice, `borders="visible"`, leaves a mask of ones at exactly 1, so a network whose mask covers the image is the plain network.
#
# The smaller the image, the more of every pooling lies outside it.
# Inceptionv3 suffers most: its 7×7 poolings come where an image of 96 pixels has 4×4 features left.

# %% mystnb={"figure": {"name": "fig-manet-borders", "caption": "A mask of ones when the outside counts as no lung. Above: 512×512, on its way through ResNet34. Below: the mean of the last map by size of the image; both axes are logarithmic. With visible borders all these maps are 1 everywhere."}} tags=["hide-input"]
with figures.style():
    fig = plt.figure(figsize=(10, 6.2), layout="constrained")
    above, below = fig.subfigures(2, height_ratios=(2.2, 4))
    ones = parts.draw_borders(above.subplots(1, 6), size=512)
    parts.draw_last_ones(below.subplots())
page.glue("ones_mean", ones["layer 4"].mean())
for size in (96, 224):
    page.glue(f"inception_{size}", f"{mask_findings.last_ones('inceptionv3', [size])[size]:.1g}")
page.glue("inception_pixels", manet.pixels("laptop", "inceptionv3"))

# %% [markdown]
# At 96 pixels the last map of Inceptionv3 is {glue:text}`inception_96`, at 224 {glue:text}`inception_224`.
# Features that small drown in the constant under the root of batch norm, and with them their gradients: such a network answers every image alike.
# The profile `laptop` therefore shows Inceptionv3, plain too, images of {glue:text}`inception_pixels` pixels, and 96 to the others.
#
# ## What the map still knows
#
# The mechanism is meant to hold back features from outside the lungs.
# The figure shows the mean of the map where most of a cell is lung, and where most is not.
# The recorded panels come from every real image of the data set with lung masks: at 512 pixels, the size that fits the paper's FLOPs ([](cost.ipynb)), and at 224, the usual size of these networks.

# %%
folder = page.recorded / "manet" / "mask_attention"
recorded, small = (mask_findings.read(folder, size) for size in (512, 224))
found = mask_findings.find(dataset, size=512)
for when, stop in (("early", "stem"), ("late", "layer 4")):
    for kind in ("lung", "elsewhere"):
        page.glue(f"{when}_{kind}", recorded.contrast.loc[stop, ("zeros", kind)])
page.glue("recorded_images", recorded.images)
for kind in ("lung", "elsewhere"):
    page.glue(f"small_{kind}", small.contrast.loc["layer 4", ("zeros", kind)])

# %% mystnb={"figure": {"name": "fig-manet-contrast", "caption": "Mean map of ResNet34 inside and outside the lungs: recorded on real masks at 512 and at 224 pixels, and in this run at 512. Full lines: the outside of the image counts as no lung; dashed: it is left out."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 3, figsize=(11, 4.4), sharey=True)
    parts.draw_contrast(axes[0], recorded, "recorded, 512")
    parts.draw_contrast(axes[1], small, "recorded, 224")
    parts.draw_contrast(axes[2], found, "this run (phantoms)" if page.phantom else "this run")
    figures.legend_below(axes[1])

# %% [markdown]
# At 224 pixels the last map hardly tells lung ({glue:text}`small_lung:.2f`) from the rest ({glue:text}`small_elsewhere:.2f`): the same receptive fields cover more than the whole chest.
# There mask attention acts in the early layers, and in the last ones it is mostly a darkening towards the border.
# Whoever trains at that size tests another mechanism than the paper's.

# %% [markdown]
# ## Where two maps meet
#
# A residual block adds features that have seen far to features that have seen less far, and goes on with one map for both: that of the wider branch.
# The paper calls the difference between the two maps trivial (claim `manet-Q18`).
# It can be computed, since neither map depends on any weight.

# %% mystnb={"figure": {"name": "fig-manet-skips", "caption": "How far the map of the residual branch differs from that of the shortcut, block by block, wherever either sees lung: mean and largest difference."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 2, figsize=(9.5, 4.2), sharey=True)
    parts.draw_skips(axes, {"recorded": recorded, "this run": found})
    figures.legend_below(axes[0])

# %%
worst = recorded.skips.loc[recorded.skips["maximum"].idxmax()]
page.glue("skip_mean", recorded.skips["mean"].mean())
page.glue("skip_worst", worst["maximum"])
page.glue("skip_block", f"{parts.TITLES[worst['backbone']]} {worst['block']}")
page.glue("skip_q95", recorded.skips["q95"].max())

# %% [markdown]
# On real masks the two maps differ by {glue:text}`skip_mean:.3f` on average over all blocks.
# So the claim holds for the mean and not at the lungs' edge: in {glue:text}`skip_block` the largest difference is {glue:text}`skip_worst:.2f`, and in one block a twentieth of the places differ by more than {glue:text}`skip_q95:.2f`.
# The mismatch comes back at the start of every layer, where a stride doubles the step.
#
# ## Limits, and where to go next
#
# This page shows what the maps are, not whether they help.
# Batch norm follows every product within a few layers and can scale damped features up again; only their pattern over positions lasts.
# Where in a residual block the product stands is read from equation 1, directly after the batch norm; the paper's figure 5 is not part of its text.
# The recorded masks were drawn by radiologists on one collection, most of it COVID-19; the copies used here are reduced in size.
#
# Next: [](cost.ipynb) counts what this costs, and how the paper's own numbers come about.
