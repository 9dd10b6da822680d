# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # Learning from slices without labels
#
# The third stage of transfer in {cite}`liu2021msatl` uses no label: the network learns to recognise two views of the same slice, and to tell the five lobes of the lungs apart (sections 5.1 to 5.4).
# This page follows both tasks step by step, shows what is cut out of real or drawn slices, and names the places where the text has to be interpreted.
#
# ```{admonition} In short
# Where nothing looks like two lungs, the whole image is taken as their box; recorded, in {glue:text}`whole_real`, and in {glue:text}`whole:.0%` of the {glue:text}`located` slices of this run.
# On drawn slices, whose lungs are known, the boxes are right to {glue:text}`error:.0f` pixel of {glue:text}`side`.
# Equation 2 as printed divides only the positive similarity by the temperature; {glue:text}`negatives` random negatives then weigh as little as {glue:text}`printed_weight:.4f` of a perfect pair.
# Of the stage after STL-N and STL-M: {glue:text}`ended`.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, diagrams, figures, lobe_findings
from covidlib.pages import contrastive_loss, lobes
from covidlib.pages import self_supervised_transfer as parts

page = book.start(profile, data, seed)

# %% mystnb={"figure": {"name": "fig-msatl-sstlm", "caption": "The two branches of SSTL-M: whole slices are contrasted with the keys of earlier ones, and five regions are told apart by the same network. After Figure 2 of the paper, with the queue that the figure leaves out."}} tags=["hide-input"]
with figures.style():
    fig, ax = plt.subplots(figsize=(11, 6.2))
    diagrams.self_supervision(ax)

# %% [markdown]
# ## Image scale: two views of one slice
#
# A slice is augmented twice.
# The *query* encoder turns one view into a unit vector $x_q$, the *key* encoder the other into $x_{k+}$; keys of other slices, $x_{k-}^i$, are the negatives (equation 2):
#
# $$
# L_{cons} = -\log \frac{\exp(x_q \cdot x_{k+} / \tau)}{\exp(x_q \cdot x_{k+} / \tau) + \sum_{i=1}^n \exp(x_q \cdot x_{k-}^i / \tau)} .
# $$ (eq-msatl-contrast)
#
# The printed equation lacks the last $\tau$, although the text calls the loss that of an $(n+1)$-way softmax.
# Here every similarity is divided, as in MoCo {cite}`he2020moco`; `tempered="positive"` is the printed form.
#
# ```{literalinclude} ../../covidlib/training/contrastive_losses.py
# :pyobject: info_nce
# ```
#
# The key encoder gets no gradient; its weights follow the query encoder's, $\theta_k \leftarrow m\,\theta_k + (1-m)\,\theta_q$ (equation 3), and its keys wait in a queue, first in, first out.
#
# ```{literalinclude} ../../covidlib/training/moco.py
# :pyobject: Moco.batch_loss
# ```
#
# Three decisions keep this honest with 425 images:
#
# - A queue outlives an epoch, so it holds older keys of the query's own slice. Equation 2 wants "different CT images", so those are left out.
# - Batch norm lets a network recognise which batch a key came from. MoCo shuffles images between GPUs against that; here the key encoder normalises by running statistics {cite}`cai2021eman`, and a key depends on its own slice alone.
# - Test slices are not seen. `images="all"` learns from every slice, as the paper may have done; the price of that is a row of its own beside [Table 5](ablation.ipynb).
#
# ### Temperature and number of negatives
#
# For random negatives the sum in {eq}`eq-msatl-contrast` is known in closed form.
# Left: the loss against the similarity of the pair; dotted, the value $\ln(n+1)$ of a network that gives every slice the same vector.
# Right: where the negatives lie, and which of them push.
# A low temperature makes the loss care about the closest negatives only, and turns it off once a pair is a little closer than they are.
# Frames of the slider stand side by side below it, for print and for readers without scripts.

# %% tags=["hide-input"]
with figures.style():
    slider = contrastive_loss.loss_browser()
slider

# %% mystnb={"figure": {"name": "fig-msatl-temperature", "caption": "The contrastive loss with random negatives in 128 dimensions, by temperature (rows). Left: loss and number of negatives n, dotted ln(n + 1). Right: all negatives, and their share of the push."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(3, 2, figsize=(9, 11.5))
    for pair, temperature in zip(axes, (0.07, 0.2, 1.0), strict=True):
        contrastive_loss.draw_loss(pair, temperature)
        pair[0].set_title(f"temperature {temperature:g}")

# %% [markdown]
# The number of negatives decides how alike a pair must become before the loss lets go of it.
# At a temperature of 0.07, random negatives hold half of the pull up to a similarity of {glue:text}`release_few:.2f` if there are {glue:text}`negatives`, and up to {glue:text}`release_many:.2f` if there are {glue:text}`most_negatives`; at a temperature of 1 no pair is alike enough.
# The queue of 256 keys thus makes an easier task than MoCo's, which 425 images cannot fill.
# The frames of the slider stand side by side below it.

# %% tags=["hide-input"]
with figures.style():
    slider = contrastive_loss.count_browser()
slider

# %% mystnb={"figure": {"name": "fig-msatl-negatives", "caption": "How strongly a pair is still drawn together, by its similarity, for four numbers of random negatives; a line per temperature."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(2, 2, figsize=(9, 6.8), sharex=True, sharey=True)
    for ax, count in zip(axes.ravel(), contrastive_loss.COUNTS, strict=True):
        contrastive_loss.draw_count(ax, count).label_outer()
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=6)

# %% [markdown]
# ## Region scale: five lobes
#
# The Generator (equation 4) locates, crops and resizes.
# The paper marks a pixel as boundary when its 3×3 window holds more than one value, which in a grey image is nearly every pixel; here the slice is parted into dark and light first, by Otsu's threshold.
# Dark segments that the boundary parts from the air around the body are lungs; five fixed regions lie in the box around them.
#
# ```{literalinclude} ../../covidlib/models/lung_boxes.py
# :pyobject: boundary_map
# ```

# %% mystnb={"figure": {"name": "fig-msatl-generator", "caption": "The locate operator on training slices: threshold, boundary map, lungs with their box, and the five regions."}} tags=["hide-input"]
slices = lobes.slices(page)
chosen = lobes.examples(slices, 5)
with figures.style():
    fig, grid = plt.subplots(3, 5, figsize=(10, 6.6))
    for axes, place in zip(grid, chosen[:3], strict=True):
        lobes.draw_steps(axes, slices.images[place, 0])
    if page.phantom:
        figures.phantom_stamp(fig)

# %% [markdown]
# Slices in a soft-tissue window, or lungs full of fluid, need another threshold, within the darker or the lighter side of the first.
# Where nothing as large as two lungs is left, the box is the whole image: right for slices that were cropped to the lungs, harmless elsewhere.

# %% mystnb={"figure": {"name": "fig-msatl-lobes", "caption": "What the classifier sees: training slices with the box around the lungs, and the five regions resized to the slice's size. Above each slice: how its lungs were found."}} tags=["hide-input"]
with figures.style():
    fig, ax = plt.subplots(figsize=(10, 9.4))
    lobes.draw_regions(ax, slices, chosen)
    if page.phantom:
        figures.phantom_stamp(fig)

# %% tags=["table"]
real = lobe_findings.read(page.recorded)
lobes.ways_table(slices, real)

# %% [markdown]
# What does a region hold?
# On drawn slices the lobes are known: each region holds its own lobe more than any other, on {glue:text}`own_low:.0%` to {glue:text}`own_high:.0%` of its area; {glue:text}`no_lung_low:.0%` to {glue:text}`no_lung_high:.0%` of it is no lung at all.
# A real axial slice is harder on the idea: it rarely shows all five lobes, and the upper and lower lobe lie in front of and behind each other.

# %% tags=["table"]
held = lobes.held(seed=seed)
held.style.format("{:.0%}").background_gradient(
    cmap="Blues", vmin=0, vmax=1, text_color_threshold=0.18
)

# %% [markdown]
# The regions of one side have other proportions than those of the other, so resizing them to a square leaves a cue that has nothing to do with anatomy: three regions on the right lung, two on the left.
# A mirror image would turn a right lobe into a left one against its label, so regions are never mirrored, although the text names horizontal flips for them too.
#
# ## The final loss
#
# One classifier is shared by the five regions and reads features of unit length; $L_{ra}$ is the sum of their cross-entropies (equation 5), and equation 6 adds both scales:
#
# $$
# L = \alpha_1 L_{cons} + \alpha_2 \Bigl(L_{ra} + \sum_{i=1}^n L_{ra}^i\Bigr), \qquad \alpha_1 = \alpha_2 = 0.8 .
# $$ (eq-msatl-total)
#
# The negative images of a query are the other images of the step; averaged over queries, the bracket is then the sum over the step, which grows with the batch and drowns $L_{cons}$.
# By default it is divided by the number of images, which is also what the paper's figure shows; `region_loss="sum"` is the printed form.
# Regions pass the query encoder only, because the key encoder gets no gradient.
#
# ```{literalinclude} ../../covidlib/training/sstlm.py
# :pyobject: Sstlm.batch_loss
# ```

# %% tags=["table"]
parts.settings_table(profile)

# %% [markdown]
# Every value that the paper prints of these is MoCo's, but for the learning rate, which is ten times as high and equals SimCLR's {cite}`chen2020simclr`.
# 425 images are too few for the queue of the one and the batch of the other; why each value was changed is in the [deviations](deviation-contrast-sizes).
#
# ## Short runs
#
# A few epochs of each method from random weights, to see the machinery move; the comparison itself starts from the earlier stages and has its own page.
# The *probe* lets the nearest training slices vote on each validation slice: labels serve the curve, never the loss.
# *Spread* is 0 when every slice gets the same vector and 1 when vectors fill the sphere evenly, *directions* says in how many they vary; where either is next to nothing, the look is marked as collapsed.

# %% mystnb={"figure": {"name": "fig-msatl-contrast-curves", "caption": "Loss, probe on validation slices, and spread of their projections per epoch: recorded stages of R-50 on real slices (left), and short runs of this page (right)."}} tags=["hide-input"]
runs = parts.short_runs(page)
known = parts.recorded_runs(page)
with figures.style():
    fig, axes = plt.subplots(3, 2, figsize=(9, 9.5))
    parts.draw_runs(axes, runs, known)
    if page.phantom:
        figures.phantom_stamp(fig)

# %% tags=["table"]
for name, value in parts.sentences(slices, real, held, known, page.seed).items():
    page.glue(name, value)
parts.ends_table(runs, known, parts.other_stages(page))

# %% [markdown]
# ## What a step costs
#
# The ceiling is the same encoders, losses and optimiser on views and regions that lie on the device already; what is left is cropping, augmenting and the loop (`benchmarks/sstlm.py`).

# %% tags=["table"]
parts.step_table(page)

# %% [markdown]
# ## Limits, and where to go next
#
# The normalisation of each image to mean 0 and deviation 1 undoes most of the brightness and contrast jitter, so the two views differ by crop and mirror image mostly: an easy task.
# Nobody has marked lobes on these slices, so the regions of real slices can be looked at but not scored.
# All decisions are listed with the [deviations](deviation-contrast).
#
# Scores that predict how well a stage will serve are on the next page, [](transferability.ipynb).
