# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # The data of magsd
#
# From which images does the paper put its four sets together, and which of them are here?
# This page covers section 4.1 of {cite}`li2021magsd` and its Tables 1 and 2.
#
# ```{admonition} In short
# Put together anew from collections that are at hand, set A has {glue:text}`a_here` images (the paper's {glue:text}`a_paper`), B {glue:text}`b_here` ({glue:text}`b_paper`), C {glue:text}`c_here` ({glue:text}`c_paper`) and Localization {glue:text}`localization_here` ({glue:text}`localization_paper`): equal counts are not the same images.
# Most of COVID-19 comes from other collections than the rest, in the paper's sets as in ours.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, figures
from covidlib.pages import magsd_collections as collections
from covidlib.pages import magsd_data as parts
from covidlib.pages import magsd_table2 as table2

page = book.start(profile, data, seed)

# %% [markdown]
# ## Table 1: how many images
#
# The paper names its sources by reference numbers alone: COVID-19 from {cite}`cohen2020covid` and like collections, pneumonia with boxes from {cite}`wang2017chestxray8`; for viral and bacterial pneumonia the class sizes point to {cite}`kermany2018identifying`.
# A *composition* takes from each collection that is under the data root, in a fixed order, up to the paper's class sizes:
#
# ```{literalinclude} ../../covidlib/data/compositions.py
# :start-at: MAGSD_C = Composition(
# :end-before: MAGSD_LOCALIZATION
# ```

# %%
found = parts.datasets(page)

# %% tags=["table"]
parts.classes(found, page.recorded)

# %% [markdown]
# ## What is there, and what is missing
#
# Each set is put together from the collections below, in their order.
# Where a collection has several releases, the first that is under the data root is taken; the recorded sets lack {glue:text}`absent`.
# A picture that two collections share is taken once, and its patients in both count as one person; in this run {glue:text}`copies` pictures of set B were copies (phantoms have none).

# %% tags=["table", "hide-input"]
collections.table(found, page.recorded)

# %% mystnb={"figure": {"name": "fig-magsd-data", "caption": "Images of data set C, two patients of each class."}} tags=["hide-input"]
with figures.style():
    fig, ax = plt.subplots(figsize=(8, 4.8), layout="constrained")
    parts.draw_classes(ax, found["magsd-c"], page.seed)
    if page.phantom:
        figures.phantom_stamp(fig)

# %% [markdown]
# ## Five folds
#
# "5-fold cross validation was applied"; the paper does not say that patients were kept together, and its released code draws images.
# Here they are kept together, and a tenth of all images is held back for validation, which the paper does not have.

# %% tags=["table"]
parts.folds(found["magsd-a"])

# %% [markdown]
# ## Table 2: augmentation
#
# A random number of the six operations, chosen at random and applied in one order; the crop's range and the probability of a flip are ours, since the table gives none.
# Two of the six never reach the network: the z-score that follows takes every factor of brightness and of contrast back.
# At their strongest they change the image below by up to {glue:text}`brightness:.2f` and {glue:text}`contrast:.2f` of white, and what the network sees of it by no more than {glue:text}`undone:.0e` standard deviations, which is rounding.
# The z-score of columns in the released code takes them back as well.

# %% tags=["table", "hide-input"]
seen = table2.reaches(found["magsd-a"])
table2.augmentations(undone=seen["undone"] < table2.ROUNDING)

# %% mystnb={"figure": {"name": "fig-magsd-table2", "caption": "One COVID-19 image after CLAHE, as it is and under seven draws of Table 2's augmentation."}} tags=["hide-input"]
with figures.style():
    fig, ax = plt.subplots(figsize=(8, 4.8), layout="constrained")
    table2.draw_augmented(ax, found["magsd-a"], seed=page.seed)
    if page.phantom:
        figures.phantom_stamp(fig)

# %% tags=["hide-input"]
told = parts.sentences(found, page.recorded) | seen
for name, value in told.items():
    page.glue(name, value)

# %% [markdown]
# ## Limits, and where to go next
#
# In set A every COVID-19 image comes from one kind of source and every other pneumonia from another, in the paper's set as in ours; in C most viral and bacterial pneumonias are children's.
# No accuracy on such sets says how a network would do on the patients of one hospital {cite}`degrave2021ai,garcia2021public`.
# The images of Localization are from the collection of {cite}`cohen2020covid` too, so a network that trained on them has seen what it is asked about; [](localization.ipynb) leaves those out.
#
# Next: [](preprocessing.ipynb).
