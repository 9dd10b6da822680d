# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # Which classes are confused?
#
# Where do MAG-SD's errors lie, what would weighting the classes change, and what does the way of testing add?
# This page covers section 4.5 of {cite}`li2021magsd` and its Figure 8; weights and ways of testing are questions of ours.
#
# ```{admonition} In short
# Recorded folds of MAG-SD on A, B and C: {glue:text}`folds_A`, {glue:text}`folds_B`, {glue:text}`folds_C`.
# Errors on C: viral and bacterial pneumonia taken for each other {glue:text}`viral_bacterial` (right: {glue:text}`pair_right`); the pair with most, {glue:text}`largest_pair`.
# Recorded changes of MAG-SD's accuracy on A: class weights {glue:text}`weighted`; test images augmented and drawn again, as in the released code, {glue:text}`again` (folds tested so: {glue:text}`again_folds`); with image-level folds too, {glue:text}`released`.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, figures, protocol_scores
from covidlib.pages import distribution
from covidlib.pages import magsd_evaluation as ours
from covidlib.pages import magsd_imbalance as imbalance
from covidlib.pages import magsd_results as parts

page = book.start(profile, data, seed)

# %% [markdown]
# ## Figure 8
#
# Counts are summed over the test images of the folds; colour and percentages are shares of the actual class.
# This run has one fold of each set, in the `smoke` profile with at most eight images a class.

# %%
runs = parts.gather(page, "architectures", distribution.proposed_alone)

# %% mystnb={"figure": {"name": "fig-magsd-confusion-recorded", "caption": "Recorded confusion matrices of MAG-SD on the real images of data sets A, B and C, summed over folds."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 3, figsize=(11, 4.2), layout="constrained")
    distribution.draw_confusions(axes, runs, "MAG-SD", known=True)

# %% mystnb={"figure": {"name": "fig-magsd-confusion", "caption": "Confusion matrices of MAG-SD in this run."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 3, figsize=(11, 4.2), layout="constrained")
    distribution.draw_confusions(axes, runs, "MAG-SD", known=False)
    if page.phantom:
        figures.phantom_stamp(fig)

# %% [markdown]
# ## Table 3, the proposed rows
#
# Means over folds, beside the paper's; the AUC, which no matrix gives, with them.

# %% tags=["table", "hide-input"]
distribution.proposed_table(runs)

# %% [markdown]
# ## Classes of different size
#
# The paper warns that networks trained on imbalanced data give everything to the largest class, and augments "to balance the quantity of different data".
# But every image gets the same three views, whatever its class, and no weights and no sampler are described: the classes keep their shares, here as there.
# A balanced loss would count every class the same: each image by the mean class size over the size of its own class, in cross-entropy and distances alike.

# %% tags=["table", "hide-input"]
imbalance.image_weights()

# %% [markdown]
# ```{literalinclude} ../../covidlib/training/supervised.py
# :pyobject: cross_entropy
# ```
#
# Both networks on A, with and without these weights; the tests are those of the other pages, paired by fold and corrected for overlapping training sets.

# %% tags=["table", "hide-input"]
weighted = parts.gather(page, "imbalance", ours.quick)
imbalance.weighted_table(weighted)

# %% tags=["table", "hide-input"]
imbalance.weighted_tests(weighted)

# %% [markdown]
# ## What the released evaluation says
#
# The authors' code does not test as their text says.
# It draws folds of images, not of patients: then {glue:text}`torn_recorded` of A's recorded images, and {glue:text}`torn_images:.0%` of this page's, are tested by a network that has learnt from the same patient; with folds of patients {glue:text}`torn_patients:.0%`.
# It also tests with the loader of training: test images are cropped, turned and darkened at random and shuffled, an incomplete last batch is left out, and the loader begins anew until 100 batches of 16 are done.
#
# ```{literalinclude} ../../covidlib/protocol_scores/scoring.py
# :pyobject: drawn_again
# ```
#
# The same weights are tested in both ways, where the networks were trained, by `python -m covidlib.protocol_scores`; other folds take other trainings.

# %%
folds = parts.gather(page, "image_folds", ours.quick)
kept, here = protocol_scores.read(page.recorded), ours.scores_here(page, folds)

# %% tags=["table", "hide-input"]
ours.protocol_table(folds, kept, here)

# %% [markdown]
# What that code calls specificity is TN / (TN + FN) with every class as the positive one in turn, and the mean of these; with two classes it is the mean precision.

# %% tags=["table", "hide-input"]
ours.specificity_table(folds, kept, here)

# %% tags=["hide-input"]
told = distribution.sentences(runs) | ours.sentences(page, weighted, folds, kept)
for name, value in told.items():
    page.glue(name, value)

# %% [markdown]
# ## Limits, and where to go next
#
# The paper finds viral against bacterial pneumonia by far the hardest pair (claim `magsd-Q25`) and on A and B most cases on the diagonal (`magsd-Q24`).
# Most viral and bacterial cases here, and probably in the paper, are children of one hospital, while COVID-19 patients are adults from elsewhere, so the easy distinctions may be those between collections: [the data](data.ipynb).
# A small share of that pair in all errors is no sign that it is easy where a network hardly names one of the two.
#
# The released code has no validation images and looks at its test images every third epoch; what choosing an epoch by them would add is not measured, since these runs keep their last weights only.
# Intervals of the ways of testing are over patients: another training of the same fold would differ too.
#
# All thirteen networks are on [](architectures.ipynb).
