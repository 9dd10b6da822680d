# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # COVID19-CT as it is
#
# What do the images look like, do the published sets keep apart what must be kept apart, and how much of the answer can be guessed without looking at a lung?
# This page covers section 6.1 of {cite}`liu2021msatl`; the collection is that of {cite}`zhao2020covidct`.
#
# ```{admonition} In short
# On the real images, a random forest that is given width, height, file type and colour mode, and no pixel, tells the official test set apart with accuracy {glue:text}`floor_accuracy:.2f` and AUC {glue:text}`floor_auc:.2f`; the best network of the paper reports {glue:text}`paper_accuracy:.2f` and {glue:text}`paper_auc:.2f`.
# No patient is in two sets, but {glue:text}`papers_shared` source papers are, and {glue:text}`opposite` test pictures are in the training set under the other label.
# The counts are those of the paper; the sizes of the files are not.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, data_figures, data_page, figures
from covidlib.data import findings

page = book.start(profile, data, seed)

# %% [markdown]
# ## The images
#
# The positive class was cut out of {glue:text}`papers` preprints and articles; the negative class comes from MedPix and from pictures crawled from the web.
# Some pictures carry arrows and letters, some were scaled, compressed and scaled again on their way into a PDF.

# %% mystnb={"figure": {"name": "fig-msatl-samples", "caption": "Six images of each class, each of another patient, drawn at random."}} tags=["hide-input"]
dataset = page.dataset("covid-ct")
with figures.style():
    fig, axes = plt.subplots(2, 1, figsize=(9, 3.6))
    for ax, label in zip(axes, dataset.classes, strict=True):
        data_figures.samples(ax, dataset, label, seed=page.seed).set_title(label)
    if page.phantom:
        figures.phantom_stamp(fig)

# %% [markdown]
# ## Counts and sizes
#
# One call measures what the rest of this page shows.
# The same call was made once on the real images; its numbers, without pixels, came with the book and are shown as *recorded*.

# %%
found = findings.find(dataset, page.profile, seeds=2 if profile == "smoke" else 5)
recorded = findings.read(page.recorded / "msatl" / "data")

# %% tags=["table", "hide-input"]
data_page.counts_table(recorded, found)

# %% [markdown]
# The paper says that spatial sizes vary from 153 to 1853 pixels.
# In the files that are distributed now the shortest side is {glue:text}`shortest` and the longest {glue:text}`longest` pixels, so the paper's range is not that of these files.
#
# The two classes were collected in different ways, and it shows before any image is opened:

# %% tags=["table", "hide-input"]
data_page.classes_table(recorded, found)

# %% mystnb={"figure": {"name": "fig-msatl-sizes", "caption": "Original width and height of every file (left) and the share of images below each aspect ratio (right), by class."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 2, figsize=(9, 4))
    data_figures.sizes(axes[0], dataset)
    data_figures.aspects(axes[1], dataset)
    if page.phantom:
        figures.phantom_stamp(fig)

# %% [markdown]
# ## What the sets share
#
# A test image says nothing about new patients if the network has seen the patient, the article or the picture before.
# The audit looks for patients and sources in more than one set, for files and pixels that are identical, and for near-duplicates: the difference hashes of two images differ in at most 10 of 64 bits and their 32×32 thumbnails correlate by at least 0.95.
# These thresholds are for patients; phantoms share one anatomy, and some that are not copies of each other pass them.

# %% tags=["table", "hide-input"]
data_page.leaks_table(recorded, found)

# %% [markdown]
# Of the positive test images, {glue:text}`papers_images` come from articles that also gave training or validation images.
# All negative images come from {glue:text}`collections` collections that are in all three sets, and no source has images of both classes: in these files *source* and *diagnosis* cannot be told apart.
#
# On the real images, the near-duplicates across sets are worse than a leak.
# They are the same pictures, labelled COVID in the test set and NonCOVID in the training set: a network that remembers its training images is punished for it.

# %% tags=["table", "hide-input"]
data_page.across_table(recorded)

# %% mystnb={"figure": {"name": "fig-msatl-alike", "caption": "The most suspicious pairs of images at hand, those across sets first; where the audit finds none, the most similar pairs. Set and label stand above each image."}} tags=["hide-input"]
with figures.style():
    fig, ax = plt.subplots(figsize=(9, 5))
    data_figures.contact_sheet(ax, data_page.most_alike(found, dataset))
    if page.phantom:
        figures.phantom_stamp(fig)

# %% [markdown]
# ## What a network must beat
#
# A *floor* is a classifier that knows no anatomy: it reads properties of the file, or a few global or marginal grey values.
# Each of these is a random forest, fitted on the training and validation sets (it has no setting to choose) and scored on the official test set.

# %% tags=["table"]
data_page.exploitable_table()

# %% tags=["table", "hide-input"]
data_page.floors_table(recorded, found)

# %% mystnb={"figure": {"name": "fig-msatl-floors", "caption": "ROC curves of the floors on the test set: recorded on the real images (left) and in this run (right)."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 2, figsize=(9.5, 6.2))
    for ax, name, facts in zip(axes, ("recorded", "this run"), (recorded, found), strict=True):
        shown = f"{name} (phantoms)" if facts.provenance["phantom"] else name
        figures.roc_curves(ax, data_page.curves(facts), resamples=300).set_title(shown)

# %% [markdown]
# How to read these numbers:
#
# - *All file properties* is not a result that a network can reach by the same way: the network sees decoded grey values, not the colour mode of a file.
#   It shows how differently the two classes were collected.
# - *Grey statistics* and *frame* are in the decoded pixels. Accuracy {glue:text}`grey_accuracy:.2f` and AUC {glue:text}`grey_auc:.2f` are open to every network; only what it reaches above them may come from anatomy.
#   Grey statistics are not blind to disease, since opaque lungs are brighter, but they cannot say where the brightness is.
# - The intervals are wide: {glue:text}`test_images` test images come from far fewer patients, and patients are what is drawn.

# %% tags=["hide-input"]
for name, value in data_page.sentences(recorded).items():
    page.glue(name, value)

# %% [markdown]
# ## Limits, and where to go next
#
# The audit does not find mirrored, turned or strongly cropped copies, and it knows only the patients that the authors named: images of one patient in two articles count as two patients.
# A floor is a lower bound of what is there to exploit, and says nothing about what a given network does exploit.
# The development images are reduced copies, so the grey statistics and the near-duplicates may differ a little from those of the originals.
#
# Next: [](attention_resnet.ipynb) builds the network that is trained on these images.
