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
# Where do MAG-SD's errors lie?
# This page covers section 4.5 of {cite}`li2021magsd` and its Figure 8.
#
# ```{admonition} In short
# Recorded folds of MAG-SD on A, B and C: {glue:text}`folds_A`, {glue:text}`folds_B`, {glue:text}`folds_C`.
# Viral and bacterial pneumonia of set C taken for each other, as a share of all errors on C: {glue:text}`viral_bacterial`.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, figures
from covidlib.pages import magsd_results as parts

page = book.start(profile, data, seed)

# %% [markdown]
# ## Figure 8
#
# Counts are summed over the test images of the folds; colour and percentages are shares of the actual class.
# This run has one fold of each set, in the `smoke` profile with eight images a class.

# %%
runs = parts.gather(page, "architectures", parts.proposed_alone)

# %% mystnb={"figure": {"name": "fig-magsd-confusion-recorded", "caption": "Recorded confusion matrices of MAG-SD on the real images of data sets A, B and C, summed over folds."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 3, figsize=(14, 5), layout="constrained")
    parts.draw_confusions(axes, runs, "MAG-SD", known=True)

# %% mystnb={"figure": {"name": "fig-magsd-confusion", "caption": "Confusion matrices of MAG-SD in this run."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 3, figsize=(14, 5), layout="constrained")
    parts.draw_confusions(axes, runs, "MAG-SD", known=False)
    if page.phantom:
        figures.phantom_stamp(fig)

# %% [markdown]
# ## Table 3, the proposed rows
#
# The scores that follow from these matrices, beside the paper's.

# %% tags=["table", "hide-input"]
parts.proposed_table(runs)

# %% tags=["hide-input"]
for name, value in parts.distribution_sentences(runs).items():
    page.glue(name, value)

# %% [markdown]
# ## Limits, and where to go next
#
# The paper finds viral against bacterial pneumonia by far the hardest pair (claim `magsd-Q25`) and nearly all other cases on the diagonal (`magsd-Q24`).
# In its data both classes are children from one hospital while COVID-19 patients are adults from elsewhere, so the easy distinctions may be those between collections: [the data](data.ipynb).
#
# All thirteen networks are on [](architectures.ipynb).
