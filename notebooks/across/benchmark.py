# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # One benchmark over all three papers
#
# Each paper tests its network where it was trained, against rivals of its own choice.
# What is left of the differences when all networks get the same images, pixels, optimiser and steps, and when they are asked about a collection that they never saw?
#
# ```{admonition} In short
# Of {glue:text}`rows` rows, {glue:text}`recorded_rows` are recorded on real images ({glue:text}`trainings` trainings in {glue:text}`minutes:.0f` minutes); this run trained {glue:text}`here_rows`.
# Recorded AUC of R-50 without attention: {glue:text}`recorded_sources` on the sources that it learnt from, {glue:text}`recorded_elsewhere` on others. In this run: {glue:text}`here_sources` and {glue:text}`here_elsewhere`.
# First elsewhere, recorded: {glue:text}`recorded_first`.
# Networks that stand above the best forest of features without anatomy (grey statistics, the frame, size and shape): {glue:text}`recorded_above`.
# Pictures that two collections have, and that are here once: {glue:text}`copies`.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, figures
from covidlib.pages import benchmark as parts
from covidlib.pages import benchmark_figures as draw
from covidlib.pages import benchmark_tables as tables
from covidlib.pages import leaderboard as board

page = book.start(profile, data, seed)
sides = parts.results(page)

# %% [markdown]
# ## Networks and protocol
#
# R-50 with 0, 1 and 5 self-attention layers {cite}`liu2021msatl`; MAG-SD {cite}`li2021magsd`; ResNet50 with mask attention on segmented lungs {cite}`xu2021manet`; and a network of 2022 that none of the papers knew, ConvNeXt-T {cite}`liu2022convnet`, as torchvision has it.
# R-50 without attention is also what magsd and manet call ResNet50: under one protocol they are one network, and it is trained once.
#
# All start from random weights and see COVID-19 against everything else, with the same augmentation, about the same number of images whatever the size of the set, and AdamW {cite}`loshchilov2019decoupled` with one rate for all.
# That optimiser is no paper's: the papers' SGD and rates were chosen for ResNets, a ConvNeXt is commonly trained with AdamW {cite}`liu2022convnet`, and all are to have the same.
# MAG-SD keeps its views and its loss, and mask attention its masks, because these are the methods.
#
# ```{literalinclude} ../../covidlib/settings/protocol.py
# :pyobject: ProtocolSettings
# ```
#
# ## Five sources, and what each training saw
#
# An X-ray network learns from one set of sources and is tested on the test images of all of them.
# So every number about another source comes from the same run as the number about its own.

# %% mystnb={"figure": {"name": "fig-benchmark-sources", "caption": "The first test image of each source and class, as the networks get it."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 5, figsize=(10, 2.7))
    draw.draw_examples(axes, draw.examples(page))
    if page.phantom:
        figures.phantom_stamp(fig)

# %% [markdown]
# A training on *Cohen* saw the images of that collection alone, both classes from one place; one on *CXNet + ChestX-ray8* saw COVID-19 from one collection and everything else from another; one on *Cohen COVID + Kermany* saw adults who are ill and children who are not; *all but X* saw every source but X.
# A training on COVID19-CT saw the official training slices.
# None saw an image that is counted here under validation or test:

# %% tags=["table", "hide-input"]
seen = parts.sources(page)
parts.seen_table(seen, sides)

# %% [markdown]
# ## Who is in two collections
#
# COVID-CXNet has pictures of Cohen's collection under other names.
# Here all X-rays are one composition before they are divided: a picture that two collections have is taken once, everybody who shares a picture counts as one person, and one split over all sources keeps people whole.
# Nothing has to be removed from a test afterwards, and every training set meets the same test images.

# %% tags=["table", "hide-input"]
parts.overlap_table(seen, sides)

# %% [markdown]
# ## The leaderboard
#
# *Own* is the mean AUC over the three X-ray training sets, each tested on its own sources; *elsewhere* is the mean over the six pairs in which training and test set differ.
# Rows named *frame only* and *lungs blacked out* are R-50 on images with little of the lungs or nothing, and a *forest* knows sizes or a few grey values: a network that is not better than they are has shown nothing.
# Mask attention has no number on CT: no network here segments lungs in CT slices, and nobody has drawn them for these images.

# %% tags=["hide-input"]
prices = tables.prices(page)
where, known = sides.best_known
frames = board.leaderboards(sides, prices)
for name, value in (parts.sentences(sides) | board.sentences(frames)).items():
    page.glue(name, value)
board.sortable(frames[where], where)

# %% [markdown]
# The same without the slider, recorded runs first, then this run:

# %% tags=["table", "hide-input"]
board.both(frames)

# %% [markdown]
# ## Training set × test set
#
# The diagonal is what papers print.
# Below one half, in blue, a network gives images without COVID-19 the higher probability.

# %% mystnb={"figure": {"name": "fig-benchmark-matrix", "caption": "AUC of each training set (rows) on each test set (columns), recorded runs where there are any, else this run. Empty: not trained."}} tags=["hide-input"]
with figures.style():
    fig = plt.figure(figsize=(10.5, draw.matrices_height(known)))
    draw.draw_matrices(fig, known, where)

# %% tags=["table", "hide-input"]
tables.matrix_table(known)

# %% [markdown]
# ## A source that was left out
#
# Most sources have one class only, so that a source left out has no AUC of its own; it has a share that is called COVID-19.

# %% mystnb={"figure": {"name": "fig-benchmark-called", "caption": "Share of each source's test images that R-50 calls COVID-19, by training set: recorded (left) and this run (right). Right is 100% left of the black line and 0% right of it."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 2, figsize=(13, 4))
    for ax, (name, runs) in zip(axes, sides.boards.items(), strict=True):
        draw.draw_called(ax, runs).set_title(name)

# %% tags=["table", "hide-input"]
tables.held_out_table(sides)

# %% [markdown]
# ## Is a probability worth its name elsewhere?
#
# A temperature, fitted on the validation images of the run's own sources {cite}`guo2017calibration`, can repair a network's confidence at home.
# Elsewhere the share of COVID-19 differs too, which no temperature knows.
# A decision curve asks the same in the currency of acting: one missed patient against false alarms {cite}`vickers2006decision`.

# %% tags=["table", "hide-input"]
tables.calibration_table(sides)

# %% mystnb={"figure": {"name": "fig-benchmark-trust", "caption": "Networks from CXNet + ChestX-ray8. Above: how often an image is COVID-19 against the probability that R-50 gave, on its own sources and on Cohen's. Below: net benefit of acting on each network, recorded runs where there are any, else this run."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(2, 2, figsize=(10.5, 11))
    draw.draw_reliability(axes[0], sides)
    for ax, test in zip(axes[1], (draw.FROM, draw.ELSEWHERE), strict=True):
        draw.draw_decisions(ax, known, test).set_title(f"{where}: on {parts.LEARNT[test]}")
    if known:
        figures.legend_below(axes[1, 0], ncols=2)

# %% [markdown]
# ## What an image costs

# %% tags=["table", "hide-input"]
tables.price_table(prices)

# %% [markdown]
# ## Limits, and where to go next
#
# One small budget for all is fair to none: a network that needs longer, or weights from elsewhere, shows less here than it could.
# In `laptop` each row is one training on one of three divisions; its interval is over patients, not over trainings.
# Cohen's collection has few images without COVID-19, so the column that tests within one source has the widest interval.
# The same person under two names, with two pictures that do not look alike, cannot be found; sources of one collection (articles, hospitals) are not kept apart.
# In `smoke` R-50 is trained on every set and MAG-SD, ResNet50 (MA) and ConvNeXt-T on one, for one epoch each; the rows that see no lungs and those with self-attention are left out.
#
# Back to [the memory of results](history.ipynb), or on to [your own images](your_images.ipynb).
