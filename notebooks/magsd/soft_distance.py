# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # The soft distance
#
# What should a network say about an image that was changed on purpose, when the change may have taken what its label stands for?
# This page covers section 3.4 of {cite}`li2021magsd`: Algorithm 1, its borders, and its rival.
#
# ```{admonition} In short
# Views are compared with what the network says of the whole image, once it is sure of that; until then with the label.
# Confidence can be wrong: above the paper's threshold of {glue:text}`theta`, if the network gives an image the wrong class with a probability of 0.9, a correct view is pulled towards that error.
# The absolute difference pulls {glue:text}`pull_ratio:.0f` times as hard as the square when a view is {glue:text}`pull_gap:.2f` from its target.
# It adds no parameter (claim `magsd-Q28`): the function below has none.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, figures
from covidlib.pages import attended
from covidlib.pages import soft_distance as parts

page = book.start(profile, data, seed)

# %% [markdown]
# ## Algorithm 1
#
# The primary prediction $P$ of an image replaces its label as the target of the views, where its largest probability exceeds $\theta = 0.7$; the loss adds the mean distance of the views from that target, over views and classes:
#
# $$
# P' = \begin{cases} P, & \max_k P_k > \theta, \\ \text{label}, & \text{otherwise,} \end{cases}
# $$ (eq-soft-label)
#
# $$
# L = L_{ce}(P) + \frac{1}{3K} \sum_{v, k} \lvert P'_k - p_{v,k} \rvert .
# $$ (eq-soft-distance)
#
# The paper writes $P$ and $p$ for outputs before the softmax and compares them with a label of zeros and ones.
# Here both are probabilities, so that prediction and label are of one kind; `space="logits"` follows the text literally.
# No gradient flows into the target: the views learn from the whole image, not the other way round.
#
# ```{literalinclude} ../../covidlib/training/soft_distance.py
# :pyobject: soft_labels
# ```
#
# ```{literalinclude} ../../covidlib/training/soft_distance.py
# :pyobject: soft_distance
# ```

# %% [markdown]
# ## What a view pays
#
# With two classes one number describes each prediction, the probability of the label.
# Both axes below are such numbers; the brighter, the larger the distance.

# %% mystnb={"figure": {"name": "fig-magsd-surfaces", "caption": "What one view adds to the loss. Dashed: the threshold 0.7, and 0.3, below which the primary prediction is sure of the other class. L2 compares with the label whatever the primary prediction says."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 3, figsize=(10, 3.6), sharey=True)
    for ax, (title, settings) in zip(axes, parts.VARIANTS.items(), strict=True):
        drawn = parts.draw_surface(ax, settings, title)
    axes[0].set_ylabel("view: p(label)")
    fig.colorbar(drawn, ax=axes, label="added to the loss", shrink=0.8)

# %% [markdown]
# Above 0.7 the loss is lowest when the view repeats the primary prediction.
# Below 0.3 the network is sure and wrong, and Algorithm 1 asks its views to be wrong too.
# The authors' released code differs there: a prediction must be sure *and* right to become a target.
#
# Crossing a border moves the target at once, so the loss jumps:

# %% mystnb={"figure": {"name": "fig-magsd-curves", "caption": "The soft distance over the view's prediction, for primary predictions on both sides of each border. At 0.3 and 0.7 exactly the label is the target: the threshold must be exceeded."}} tags=["hide-input"]
with figures.style():
    fig, ax = plt.subplots(figsize=(6.4, 5))
    parts.draw_curves(ax, (0.1, 0.29, 0.5, 0.69, 0.71, 0.9))

# %% [markdown]
# ## Turn the threshold

# %% tags=["hide-input"]
parts.confidence_browser()

# %% mystnb={"figure": {"name": "fig-magsd-confidences", "caption": "The same surfaces side by side, for print and for readers without the slider. At 0.5 every prediction of two classes is trusted; towards 1 only the label is left."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(2, 3, figsize=(9, 6), sharex=True, sharey=True)
    for ax, theta in zip(axes.ravel(), parts.CONFIDENCES, strict=True):
        parts.draw_surface(ax, parts.MAGSDSettings(confidence=theta), f"θ = {theta:g}")
        ax.set_xlabel("primary: P(label)" if ax in axes[1] else "")
    fig.supylabel("view: p(label)", fontsize=11)

# %% [markdown]
# ## How hard it pulls
#
# What a loss teaches is its gradient.
# The figure shows how hard a view's output is moved towards the label's class; below zero it is moved away.

# %% mystnb={"figure": {"name": "fig-magsd-pulls", "caption": "Pull on the view's logit of the label's class, for three primary predictions: unsure, sure and right, sure and wrong."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 3, figsize=(10.5, 4.2), sharey=True)
    for ax, primary in zip(axes, (0.6, 0.9, 0.1), strict=True):
        parts.draw_pulls(ax, primary)
    axes[0].set_ylabel("pull towards the label")
    figures.legend_below(axes[1], ncols=3)

# %%
near = parts.beside_target(gap=0.05)
page.glue("theta", parts.PAPER.confidence)
page.glue("pull_ratio", near["soft"] / near["l2"])
page.glue("pull_gap", 0.05)

# %% [markdown]
# Both distances are flat where a view is quite sure of the wrong class, because the softmax is; cross-entropy pulls hardest there.
# Near the target the absolute difference keeps its pull and the square loses it.
#
# ## How often is the target wrong?
#
# Algorithm 1 works on training images, whose predictions are not kept.
# The test images of data set A give the share that it would trust, those above 0.7, and how many of these predictions are wrong.

# %%
spec, record, method = attended.trained(page)
known = attended.recorded_runs(page)

# %% tags=["table"]
parts.trusted({"recorded": known, "this run": [record]})

# %% [markdown]
# ## Paper and released code
#
# The authors' code differs from their text in ways that change results.
# The text decides here; each difference is one change of settings, and `MAGSDSettings.variant("authors")` with `MANetSettings.variant("authors")` makes them all.
# The released evaluation and folds differ too; [](distribution.ipynb) has them.

# %% tags=["table"]
parts.differences()

# %% [markdown]
# The effect of each difference on A, fold by fold, with the corrected t test of the other pages; epochs and batch are scaled with the profile.

# %% tags=["table", "hide-input"]
parts.released_tests(page)

# %% [markdown]
# ## Limits, and where to go next
#
# Curves and surfaces show one view of one image; training averages over all of them.
# That the fallback to the label keeps "the final result away from local minima" (claim `magsd-Q21`) cannot be seen here; Table 8, on [its own page](regularisation.ipynb), compares the two distances by their results.
# There the L2 rival changes two things at once, the norm and the target.
# How the released code tests is on [](distribution.ipynb).
