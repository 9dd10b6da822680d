# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # Where the networks look
#
# The paper shows slices on which an attention map marks infected regions, and Grad-CAM {cite}`selvaraju2017gradcam` "in some cases" healthy ones.
# This page covers section 6.8 of {cite}`liu2021msatl` and its Figure 4, on slices that a rule chose, with two checks that the figure lacks.
#
# ```{admonition} In short
# Recorded on real slices, heat in the lungs beyond chance: {glue:text}`recorded`.
# Here {glue:text}`slices` positive test slices are looked at, at {glue:text}`size` pixels, where a map of the last layer has {glue:text}`cells`×{glue:text}`cells` cells.
# Share of positive slices that the recorded networks call positive: {glue:text}`out_of_place`. Where the two differ much, a map explains a network that is out of its place.
# A map is worth looking at if its heat lies in the lungs more than chance, and if it changes when the network forgets what it learnt.
# No lesion of COVID19-CT is drawn, so whether a map marks *infected* regions cannot be tested on real slices.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, figures, heat_scores
from covidlib.pages import heatmaps as parts

page = book.start(profile, data, seed)

# %% [markdown]
# ## Two kinds of map
#
# *Grad-CAM* weighs the features of the last convolution by how the positive class's logit depends on them, and keeps the positive part.
# The *attention map* of res5 is the mean over all query positions of the weights of equation 1; it does not depend on any class.
# Both are computed on the same slices, Grad-CAM for the plain R-50, the attention map for R-50 with five layers, as in the paper.
#
# ```{literalinclude} ../../covidlib/explain/maps.py
# :pyobject: attention_map
# ```

# %%
looks = parts.this_run(page)
known = heat_scores.read(page.recorded)
homes = parts.at_home(page, [*known, *looks.scores])

# %% [markdown]
# ## Figure 4
#
# The slices are evenly spaced among the positive test slices; nobody chose them.
# The line is the outline of the lungs: drawn on phantoms; on real slices the convex hull of each lung that the thresholds of the lobe Generator find (section 5.3), since a threshold alone leaves out light regions, infected ones first.
# Even so, dense infection at the edge of a lung can stay outside.
# Dice of these hulls with drawn lungs: {glue:text}`dice`; {glue:text}`left_out` slices on which they find no lungs are left out.
# Maps are drawn at {glue:text}`size` pixels even where training used smaller images, because at 64 pixels a map has four cells.

# %% mystnb={"figure": {"name": "fig-msatl-heatmaps", "caption": "Positive test slices with Grad-CAM of R-50 (columns 2, 3) and the mean attention map of res5 of R-50 with five attention layers (columns 4, 5), both after all stages. Dark is low, light is high, each map in its own range."}} tags=["hide-input"]
with figures.style():
    fig = parts.figure_4(looks)

# %% [markdown]
# The same two maps of the recorded networks, which learnt from the real images:

# %% mystnb={"figure": {"name": "fig-msatl-heatmaps-recorded", "caption": "Recorded: Grad-CAM of R-50 and the mean attention map of res5 of R-50 with five attention layers, on four positive test slices chosen by the same rule. Dark is low, light is high, each map in its own range. The slices themselves are drawn where the images are at hand."}} tags=["hide-input"]
with figures.style():
    fig = parts.recorded_figure_4(page, known)

# %% [markdown]
# ## Check 1: is the heat in the lungs?
#
# A map that is the same everywhere has as much of its heat in the lungs as they have of the image: that is chance.
# A bell in the middle of the image, which has seen nothing, is the second thing to beat.

# %% tags=["table", "hide-input"]
parts.table(known, looks.scores, homes)

# %% mystnb={"figure": {"name": "fig-msatl-heat-inside", "caption": "Heat inside the lungs minus the lungs' share of the image, a dot per slice, a diamond for the mean. Recorded on real slices (left), this run (right)."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 2, figsize=(10.5, 3.6), sharex=True)
    parts.draw_inside(axes[0], known, "recorded")
    parts.draw_inside(axes[1], looks.scores, looks.title)

# %% [markdown]
# ## Check 2: does the map depend on what was learnt?
#
# Stage after stage, the last first, the network's weights are replaced by random ones {cite}`adebayo2018sanity`.
# A map that stays the same shows the image, not the network.

# %% mystnb={"figure": {"name": "fig-msatl-heat-random", "caption": "Rank correlation of a map's positions with those of the trained network's map while stages lose their training; mean over slices. Recorded (left), this run (right)."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 2, figsize=(10.5, 5), sharey=True)
    parts.draw_randomised(axes[0], known, "recorded")
    parts.draw_randomised(axes[1], looks.scores, looks.title)

# %% tags=["hide-input"]
for name, value in parts.sentences(looks, known, homes).items():
    page.glue(name, value)

# %% [markdown]
# ## Limits, and where to go next
#
# Heat in the lungs is necessary for marking infected regions, not sufficient: the verdict on that claim can be *not supported* or *inconclusive*, never *supported* (see [the claims](../across/claims.ipynb)).
# The two maps come from two networks, and one depends on the class while the other does not, so their comparison is the paper's, not a fair one.
# Networks trained on small images see larger ones here than they learnt from; a map of one that no longer calls these slices positive explains an answer that it does not give.
#
# Next: [](claims.ipynb) asks what of all this holds.
