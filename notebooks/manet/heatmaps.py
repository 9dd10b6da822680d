# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # Where three networks look
#
# Does mask attention move a classifier's eyes into the lungs?
# Section 4.3 of {cite}`xu2021manet` shows Grad-CAM of ResNet50 plain, with mask attention (MA) and with CBAM on five chosen images; here the same maps are measured on every test image.
#
# ```{admonition} In short
# Share of the heat inside the lungs, recorded: plain {glue:text}`recorded_plain` ({glue:text}`recorded_plain_maps`), MA {glue:text}`recorded_mask` ({glue:text}`recorded_mask_maps`), CBAM {glue:text}`recorded_cbam` ({glue:text}`recorded_cbam_maps`); an even map {glue:text}`recorded_area`.
# Maps without any heat are left out, so the three means are not of the same images.
# This run, {glue:text}`here_count` test images: plain {glue:text}`here_plain`, MA {glue:text}`here_mask`, CBAM {glue:text}`here_cbam`, while an even map would have {glue:text}`here_area`.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, figures, lung_heat
from covidlib.pages import manet_heatmaps as parts

page = book.start(profile, data, seed)

# %% [markdown]
# ## The maps
#
# Grad-CAM weighs the features of the last block by the mean gradient of a class's logit; as in the paper, of the true class.
# A map has one cell for 32×32 pixels, so the images are explained at 224 pixels (`smoke`: 96), whatever the size of training.
#
# ```{literalinclude} ../../covidlib/lung_heat.py
# :pyobject: maps_of
# ```

# %%
here, few, maps = parts.this_run(page)
recorded = lung_heat.read(page.recorded)
found = (("recorded", recorded), ("this run", here))

# %% mystnb={"figure": {"name": "fig-manet-heat", "caption": "The first test image of each class, black outside the lungs that the segmentation finds, and Grad-CAM of the three ResNet50s for the true class; the line is the lungs' outline. Each map has its own scale; no heat: nothing that the last block sees speaks for the class. Compare figure 9 of the paper."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(4, len(few.table), figsize=(10, 8.2))
    parts.draw_heat(axes, few, maps)
    if page.phantom:
        figures.phantom_stamp(fig)

# %% [markdown]
# ## How much of the heat is in the lungs
#
# All three networks see images that are black outside the lungs, so a map can leave them only through the width of its cells, or by weighing the outline.
# A map that is the same everywhere has the lungs' share of the picture inside; a number means something beside that line only.

# %% mystnb={"figure": {"name": "fig-manet-heat-inside", "caption": "Share of each map's heat inside the lungs, over all test images: median, quartiles and range. Dashed: an even map."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 2, figsize=(9.5, 4.4))
    parts.draw_shares(axes, found)

# %% [markdown]
# The paper says that the plain network looks at the edges of the segmentation (claim `manet-Q14`), that CBAM scatters the attention (`manet-Q15`) and that mask attention brings it into the lungs (`manet-Q16`).
# Edges are measured as a band around the outline, scatter as the least share of the picture that holds half of the heat.

# %% tags=["table"]
parts.table(recorded, here)

# %% tags=["hide-input"]
for name, value in parts.sentences(recorded, here).items():
    page.glue(name, value)

# %% [markdown]
# ## Do the maps depend on what was learnt?
#
# A map that stays the same when the network's weights are drawn anew shows the input, or the architecture, not what was learnt.
# Layers lose their training from the last to the first; the line is the rank correlation with the map of the trained network.
# A network with mask attention is at a particular risk here: its masks stay whatever its weights are.

# %% mystnb={"figure": {"name": "fig-manet-heat-random", "caption": "Rank correlation of each network's maps with those of its trained self while its layers are randomised, last layer first; mean over images, a map without heat counting 0."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 2, figsize=(9.5, 4.8))
    parts.draw_randomised(axes, found)

# %% [markdown]
# ## Limits, and where to go next
#
# Lungs are those the segmentation finds, since nobody has drawn them for these images; where it errs, inside and outside err with it.
# Heat in the lungs is necessary for a reading of the disease and not sufficient: a network can read the age of a patient, or the hospital, from the lungs too.
# Scores on real images are computed beside the trained weights and kept as numbers: `python -m covidlib.lung_heat --profile laptop --data FOLDER`.
#
# Back to [](classification.ipynb), or to what the [masks](mask_attention.ipynb) do inside the networks.
