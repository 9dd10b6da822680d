# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # Your own images
#
# From a folder of X-rays or CT slices to a model with a card that says what it is worth and what it is not for.
# The commands `covidlib list`, `audit`, `train` and `predict` take the same steps as this page; replace the line `images = …` below by your own folder or CSV to see them on your images.
#
# ```{admonition} In short
# {glue:text}`commands` commands of {glue:text}`characters` characters together lead from a folder to a model card and to answers about new images.
# In this run, {glue:text}`images` images of {glue:text}`patients` patients gave {glue:text}`beware` warnings, a network that starts from {glue:text}`chosen`, and an AUC of {glue:text}`auc:.2f` [{glue:text}`auc_low:.2f`, {glue:text}`auc_high:.2f`] on {glue:text}`tested` test images.
# Of real scans from a collection that the check has never seen, at most {glue:text}`scans_refused:.1f`% are refused as what they are and {glue:text}`scans_accepted:.1f`% pass for the other kind; of natural photographs, {glue:text}`photos_accepted:.1f`% pass for a scan.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, data_figures, figures
from covidlib.own_images import card, choosing, model, predicting, training
from covidlib.pages import your_images as parts
from covidlib.runs.store import Store

page = book.start(profile, data, seed)

# %% [markdown]
# ## Images
#
# Either one folder per class, with or without `train`, `val` and `test` above them, or a CSV with the columns `path` and `label`, and `patient`, `source` (hospital, scanner, collection) and `split` where they are known.
# `covidlib list FOLDER images.csv` makes the CSV from a folder; with `--patient` it reads the patient out of each file's name.

# %% tags=["table"]
images = parts.example_images(page)  # images = "FOLDER" or "images.csv"
parts.first_lines(images)

# %% [markdown]
# ## Audit
#
# Every file is decoded once, and whatever is no chest X-ray or CT slice is refused before anything long begins.
# Then come duplicates, leaks between the sets, imbalance of classes and sources, and the floors: classifiers that know no anatomy.
# Patients stay together in every set that is drawn.

# %% tags=["table"]
audit = parts.audited(images, page)
parts.remarks(audit)

# %% tags=["table", "hide-input"]
parts.sources_table(audit)

# %% mystnb={"figure": {"name": "fig-own-samples", "caption": "Images of each class, each of another patient, drawn at random from the images of this page."}} tags=["hide-input"]
own, modality = audit.inspection.own, audit.inspection.modality
with figures.style():
    fig, axes = plt.subplots(2, 1, figsize=(9, 3.6))
    for ax, label in zip(axes, own.dataset.classes, strict=True):
        data_figures.samples(ax, own.dataset, label, seed=page.seed).set_title(label)
    if own.dataset.phantom:
        figures.phantom_stamp(fig)

# %% [markdown]
# Drawn lungs resemble each other far more than real ones, so the audit of phantoms finds pairs that look the same where no picture was copied.
#
# ## What is refused
#
# Colour is measured first: an image is a photograph where more than a tenth of its pixels cannot belong to a tinted grey picture.
# Then a logistic regression on 32×32 pixels, blind to size, brightness and contrast, tells CT slices, chest X-rays and photographs apart; a kind below 20% is ruled out.
# A folder is refused when more than a fifth of its images are of another kind.
# The second table says how often a single image is misjudged: measured on the real collections, each left out of the fit in turn.

# %% tags=["table"]
parts.refusals(images)

# %% tags=["table", "hide-input"]
parts.rates_table()

# %% [markdown]
# ## Where to start from
#
# Every finished run in the store is a candidate, and so are random weights.
# The score is N-LEEP, from the training images alone: it gives every source the same number of components, so a source with many classes gains nothing by that (see [the scores](../msatl/transferability.ipynb)).

# %% tags=["table"]
store = Store(page.store)
scratch = training.own_spec(own, modality, profile, seed=seed)
only = parts.sources(page)
choice = choosing.choose(own, store, scratch, phantoms=own.dataset.phantom, only=only)
parts.choice_table(choice)

# %% [markdown]
# ## Training and evaluation
#
# One specification, one run, as everywhere in this book: the same command finds it in the store the next time.

# %% tags=["table"]
spec = training.own_spec(own, modality, profile, choice.spec, seed)
record = training.train(own, spec, store, profile=profile)
metrics = card.measured(record, own.positive)
parts.metrics_table(metrics)

# %% mystnb={"figure": {"name": "fig-own-quality", "caption": "This run: ROC curve on the test images beside classifiers that know no anatomy (left), and how often it was right against how sure it was, before and after the temperature (right)."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 2, figsize=(9.5, 6.4))
    card.draw_roc(axes[0], record, audit)
    card.draw_reliability(axes[1], record, own.positive)
    if record.phantom:
        figures.phantom_stamp(fig)
print(card.verdict(record, audit))

# %% [markdown]
# ## Calibration and heatmaps
#
# The temperature divides the logits; it is fitted on the validation images alone and changes no ranking.

# %% tags=["table", "hide-input"]
parts.PlainTable(card.calibration_table(record, own.positive))

# %% mystnb={"figure": {"name": "fig-own-heatmaps", "caption": "Grad-CAM for the actual class of some test images. Each map has a scale of its own; it says where the network looked, not what is there. An empty map: nothing in the last features speaks for the class."}} tags=["hide-input"]
trained = model.open_model(record.folder)
fig = card.draw_heatmaps(trained, audit)

# %% [markdown]
# ## Model card and use
#
# The model is one folder: weights, record, predictions, and a card in HTML with the data, the leaks, the floors, the metrics with their intervals, the calibration, and what the model must not be used for.
# It names files and patients and shows some images: it is as private as they are.
#
# `covidlib predict` looks at every image before it answers; here it is asked about two X-rays and a CT slice.

# %% tags=["table"]
parts.saved(record, trained, audit, choice)

# %% tags=["table"]
asked = [*card.example_images(record, audit)["path"].head(2), parts.ct_slice(page)]
answer = predicting.ask(parts.as_saved(trained, audit), asked)
print(answer.note)
parts.answers(answer.table, answer.refused)

# %% tags=["table", "hide-input"]
for name, value in parts.sentences(audit, choice, metrics).items():
    page.glue(name, value)
parts.typing_table(page)

# %% [markdown]
# ## Limits, and where to go next
#
# The check of the modality knows the collections of this book; a lateral X-ray or a coronal slice is not what it was fitted on.
# Without patients in the CSV nobody can tell whether the test is fair, and without sources nobody can tell the disease from the hospital.
# A single run cannot show how much the seed matters: train with several `--seed`.
#
# What the floors of a real collection look like is on [the page of COVID19-CT](../msatl/data.ipynb).
