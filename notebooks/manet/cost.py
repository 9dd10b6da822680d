# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # What attention costs
#
# What do mask attention and CBAM cost in parameters, in operations and in time?
# This page reproduces Table 3 of {cite}`xu2021manet` (section 4.2), and finds out from it what the paper does not say about its networks.
#
# ```{admonition} In short
# {glue:text}`reproduced` of {glue:text}`counts` counts come out to the digit that the paper prints.
# Verdicts over all {glue:text}`cells` cells of Table 3: {glue:text}`reproduced` reproduced, {glue:text}`below` below, {glue:text}`above` above, {glue:text}`untested` not testable here, which are the hours on the authors' machines.
# None of the other readings tried here fits, so the table tells what the text does not: the input (1×512×512), the width of CBAM (16) and which maps are pooled.
# The printed FLOPs of mask attention leave out its products: in ResNet50 these are {glue:text}`products:.1f` M multiplications, against {glue:text}`map_pools:.2f` M operations that are counted; together still {glue:text}`overhead:.2f` % of the network.
# Mask attention changed the time of a training step by {glue:text}`time_mask:+.1f` %, CBAM by {glue:text}`time_cbam:+.1f` % (ResNet50, recorded on a CPU).
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
from covidlib import book, overheads
from covidlib.claims.manet_measures import segmentation_operations
from covidlib.pages import cost as parts

page = book.start(profile, data, seed)

# %% [markdown]
# No image enters this page: a network's size does not depend on what it sees.
# So this run is as good as a record, and its counts are judged directly.
#
# ## Table 3
#
# Parameters and FLOPs are exact and compared digit by digit; running times belong to the authors' four GPUs and are not testable here.

# %% tags=["table"]
costs = parts.count_all()
table = parts.table_3(costs)
for name, value in parts.verdicts(table).items():
    page.glue(name, value)
table

# %% [markdown]
# ## How the numbers come about
#
# The networks are built without memory for their weights and called once, while torch's own counter adds up convolutions and linear layers.
# One multiply-add is one operation, so "FLOPs" here are half of what the word says.
# Torch leaves out batch norms, biases and pools; the paper's numbers hold them, by these rules:
#
# ```{literalinclude} ../../covidlib/models/cost.py
# :start-at: "Rule = Callable"
# :end-before: "@contextmanager"
# ```
#
# Neither torch nor the paper counts activations, maximum pools, sums or products of two tensors.
# The mean pools inside Inception are called as functions and are not counted either, whereas a global pool costs a surprising $k^2 + 1$ per output.
#
# What the FLOPs of the ten networks consist of, in millions, for an image of 1×512×512; map pools are all that mask attention adds:

# %% tags=["table"]
shares = parts.parts(costs)
shares.round(2)

# %% [markdown]
# ## What Table 3 gives away
#
# The paper does not say how large its images are, nor whether they have one channel or three.
# Only one combination fits the printed 23.51 M parameters and 21058.83 M FLOPs of plain ResNet50:

# %% tags=["table"]
parts.other_inputs()

# %% [markdown]
# The same holds for CBAM, whose perceptron could be narrower or wider; printed are 26.03 M parameters and 21099.81 M FLOPs:

# %% tags=["table"]
parts.other_reductions()

# %% [markdown]
# And for mask attention itself, where the last printed digit decides three questions that the text leaves open.
# The map of a strided shortcut is not pooled; a 1×7 and a 7×1 convolution in a row share one pooling, which gives the same map; and where two branches of an Inception module see equally far, the map follows the two 3×3 convolutions.
# Below are the FLOPs, in millions, if mask attention were read otherwise: each reading changes the last digit, and only ours has the paper's.

# %% tags=["table"]
parts.other_maps()

# %% [markdown]
# ## What the table does not count
#
# Every product of equation 1 multiplies all channels, and Table 3 counts none of these multiplications.
# They are many more than the elements of the pooled maps, and still few beside the convolutions.
# So the claims hold that mask attention adds no parameters (`manet-Q08`) and only trivial FLOPs (`manet-Q09`), although the printed differences are not what it really costs.
# Nor does the table count the masks: our ResUNet takes {glue:text}`segmentation:.0f` M FLOPs to find the lungs of one image of this size, {glue:text}`segmentation_share:.0f` % of what ResNet50 takes to classify it, once for an image and not once for an epoch.

# %%
mask, plain = costs["resnet50", "mask"], costs["resnet50", "none"]
page.glue("products", mask.products / 1e6)
page.glue("map_pools", mask.map_pools / 1e6)
page.glue("overhead", 100 * (mask.products + mask.map_pools) / plain.operations)
page.glue("segmentation", segmentation_operations() / 1e6)
page.glue("segmentation_share", 100 * segmentation_operations() / plain.operations)
cbam = costs["resnet50", "cbam"]
page.glue("cbam_parameters", 100 * (cbam.parameters / plain.parameters - 1))
page.glue("cbam_operations", 100 * (cbam.operations / plain.operations - 1))

# %% [markdown]
# CBAM adds {glue:text}`cbam_parameters:.1f` % parameters and {glue:text}`cbam_operations:.2f` % FLOPs to ResNet50.
# "Computationally expensive and often over-parameterised" (claim `manet-Q19`) is true of its time more than of either count, as the next table shows.
#
# ## Time
#
# The paper gives hours, on four GPUs; whether they are those of whole trainings, with reading and validation in them, it does not say.
# What can be compared is how much longer one training step takes.
# The networks take turns, so that all see the same load of the machine, and every round gives one ratio.
# What mask attention adds to a step is one more pass over the features forward and one backward; the product needs no memory of its own, and the maps of a batch, of one channel each, are pooled side by side:
#
# ```{literalinclude} ../../covidlib/models/mask_weaving.py
# :pyobject: Product
# ```
#
# The table has the paper's increase in running time, and the median over rounds with its quartiles, recorded and in this run (few rounds on very small images).

# %% tags=["table"]
recorded = overheads.read(page.recorded / "manet" / "cost")
found = overheads.measure(*parts.TIMING[page.profile], backbones=["resnet50"])
parts.overhead_table(recorded, found)

# %% tags=["hide-input"]
page.glue("time_mask", recorded.increase(("resnet50", "mask"))[1])
page.glue("time_cbam", recorded.increase(("resnet50", "cbam"))[1])
page.glue("time_size", recorded.size)
page.glue("time_batch", recorded.batch)
page.glue("time_device", recorded.provenance["hardware"])

# %% [markdown]
# ## Limits, and where to go next
#
# The recorded times are of {glue:text}`time_batch` images of {glue:text}`time_size` pixels on one thread of a CPU ({glue:text}`time_device`), without what other programs took; a GPU, which waits for memory rather than for arithmetic, may well find products dearer than this.
# `python -m covidlib.overheads book/results/manet/cost` measures all ten networks at the paper's size.
# That our rules give all printed digits makes them likely, not certain: other rules might agree as well.
#
# Next: [](heatmaps.ipynb) asks whether mask attention moves a classifier's attention into the lungs.
