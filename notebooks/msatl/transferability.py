# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # LEEP and its relatives
#
# Can a number computed in seconds say how well a source model will serve a new task, and what do the numbers that the paper prints mean?
# This page covers section 5.5 of {cite}`liu2021msatl`: LEEP {cite}`nguyen2020leep`, its bounds with proof, its relatives, and a test on sources whose worth is known.
#
# ```{admonition} In short
# None of the {glue:text}`values` printed scores is possible with natural logarithms: they lie between {glue:text}`printed_low:.3f` and {glue:text}`printed_high:.3f`, and LEEP of this data set cannot be below {glue:text}`bound_nats:.3f`.
# In bits the bound is {glue:text}`bound_bits:.3f`, and all of them are possible.
# Even then scores of sources with different numbers of classes are not on one scale: with 746 images, a source that knows nothing and gives one-hot outputs gains {glue:text}`null_three:.3f` bits with 3 classes and {glue:text}`null_thousand:.2f` bits with 1000.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, figures
from covidlib.pages import leep_in_print, leep_relatives, leep_toy
from covidlib.pages import transferability as parts

page = book.start(profile, data, seed)
repeats = 3 if profile == "smoke" else 30

# %% [markdown]
# ## LEEP in three steps
#
# A source model gives each target image $x_i$ a distribution $\theta(x_i)$ over its own classes $z$.
# Count how target labels and source classes meet, and turn counts into a conditional:
#
# $$
# \hat P(y, z) = \frac1N \sum_{i:\, y_i = y} \theta(x_i)_z, \qquad
# \hat P(y \mid z) = \frac{\hat P(y, z)}{\hat P(z)}.
# $$ (eq-leep-joint)
#
# The *expected empirical predictor* draws a source class from $\theta(x)$ and then a label from $\hat P(y \mid z)$.
# LEEP is its mean log-likelihood:
#
# $$
# L = \frac1N \sum_{i=1}^N \log \sum_z \hat P(y_i \mid z)\, \theta(x_i)_z .
# $$ (eq-leep)
#
# ```{literalinclude} ../../covidlib/transferability/leep.py
# :pyobject: leep
# ```

# %% [markdown]
# ## Two bounds
#
# The logarithm is concave, so the logarithm of the mean over $z$ in {eq}`eq-leep` is at least the mean of the logarithms (Jensen).
# Collecting the images by label and source class then gives, with $\tilde Z$ drawn from $\theta(x)$,
#
# $$
# L \;\ge\; \frac1N \sum_i \sum_z \theta(x_i)_z \log \hat P(y_i \mid z)
#   \;=\; \sum_{y, z} \hat P(y, z) \log \hat P(y \mid z)
#   \;=\; -H(Y \mid \tilde Z) \;\ge\; -H(Y),
# $$ (eq-leep-bounds)
#
# since knowing $\tilde Z$ cannot raise the entropy of $Y$.
# For $K$ classes $H(Y) \le \log K$.
# Where $\theta$ is one-hot, the inner sum has one term, the first step is an equality, and LEEP is the negative conditional entropy NCE {cite}`tran2019nce`.
# Only one thing was used: $\hat P(y \mid z)$ comes from the images that are scored.
# With a table from other images the score may fall as low as it likes.
#
# In {glue:text}`cases` random cases below, {glue:text}`broken` break a bound.
# NCE, which looks at the most probable source class only, is no bound: LEEP is below it {glue:text}`below_nce` times and above it {glue:text}`above_nce` times.

# %% mystnb={"figure": {"name": "fig-msatl-leep-bounds", "caption": "LEEP of random two-class problems against its two bounds and against NCE. On the line both are equal; below it, LEEP would break a bound."}} tags=["hide-input"]
cases = parts.random_cases(1000, page.seed)
for name, value in parts.case_counts(cases).items():
    page.glue(name, value)
with figures.style():
    fig, axes = plt.subplots(1, 3, figsize=(10.5, 3.9), sharey=True)
    parts.draw_cases(axes, cases)

# %% [markdown]
# ## What the printed values imply
#
# Table 6 of the paper prints {glue:text}`values` scores, and equation 7 gives no base of the logarithm.
# For two classes no natural-log score can be below {glue:text}`bound_any:.3f`, whichever images are meant.
# The table counts the printed values that are possible on each set of COVID19-CT, with half a unit of the last digit granted.

# %% tags=["table"]
leep_in_print.split_table()

# %% mystnb={"figure": {"name": "fig-msatl-leep-printed", "caption": "The 18 printed scores by stage (the paper's Figure 3 from its Table 6), with the bound for all 746 images in nats and in bits."}} tags=["hide-input"]
with figures.style():
    fig, ax = plt.subplots(figsize=(7.2, 5.2))
    leep_in_print.draw_printed(ax)

# %% [markdown]
# Two readings remain: bits, or a table $\hat P(y \mid z)$ from images other than the scored ones, which the text does not mention.
# Read as bits, the sources add between {glue:text}`gain_low:.3f` and {glue:text}`gain_high:.3f` bits to knowing the class shares.
# A source with hard, evenly wrong answers would need an accuracy of {glue:text}`best_accuracy:.2f` for the largest of these gains, and of {glue:text}`untrained_accuracy:.2f` for the smallest "w/o TL" row.
# Those rows are odd in themselves: a network that was trained on nothing has no source classes.
#
# What section 6.7 says about the order of the scores does hold for the numbers as printed, whatever their unit:

# %% tags=["table"]
leep_in_print.claims_table()

# %% [markdown]
# ## A source that knows nothing
#
# STL-N ends with 1000 source classes, STL-M with 3, and the paper draws one line through both.
# LEEP is fitted to the images that it scores, so classes alone buy likelihood: for one-hot outputs about $(Z-1)(K-1)/2N$ nats, as for every table of counts.
# Below, labels are shuffled against the outputs of random sources, so that every gain is false.
# The grey band is the range of the printed values in bits.
# One-hot outputs over 100 classes reach it with {glue:text}`null_hundred:.2f` bits; soft outputs, with logits of deviation 1, stay at {glue:text}`null_soft:.3f` even with 1000 classes.
# How many classes a network uses on CT slices, and how confidently, decides where it stands between the two.
# A fair report therefore sets the score of shuffled labels beside LEEP (`permuted`).

# %% mystnb={"figure": {"name": "fig-msatl-leep-null", "caption": "LEEP + H(Y) of sources whose outputs are unrelated to the labels, 746 images, mean over label shuffles. Logits are Gaussian; dotted: the approximation for one-hot outputs."}} tags=["hide-input"]
gains = parts.null_gains(746, 10, page.seed)
with figures.style():
    fig, ax = plt.subplots(figsize=(7.2, 5.2))
    parts.draw_null(ax, gains, 746)

# %% [markdown]
# ## How confidence and agreement move the scores
#
# Take a source with two classes whose choice agrees with the label in a share of the images, and that gives its choice always the same probability, its *confidence*.
# The accuracy of the predictor depends on agreement alone.
# LEEP depends on confidence as well: a hesitant source scores low even if its choice is always right, and only at confidence 1 do LEEP, NCE and the lower bound meet.
# Move the slider:

# %% tags=["hide-input"]
with figures.style():
    slider = leep_toy.toy_browser()
slider

# %% [markdown]
# The same frames side by side, for print and for readers without the slider:

# %% mystnb={"figure": {"name": "fig-msatl-leep-toy", "caption": "Scores of a two-class source on evenly divided labels against its agreement with them, for six confidences. Dots: accuracy of the empirical predictor, minus 1."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(2, 3, figsize=(10, 6.4), sharex=True, sharey=True)
    for ax, confidence in zip(axes.ravel(), leep_toy.SHARPNESS, strict=True):
        leep_toy.draw_toy(ax, confidence).label_outer()
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)

# %% [markdown]
# ## The relatives
#
# LEEP needs a source classifier, so it cannot score a self-supervised stage.
# These scores read the features instead:
#
# | score | what it measures |
# |---|---|
# | N-LEEP {cite}`li2021ranking` | LEEP with the components of a Gaussian mixture as source classes |
# | H-score {cite}`bao2019hscore` | variance of the features that class means explain, $\operatorname{tr}(\Sigma^{+} \Sigma_B)$; for two classes the $R^2$ of a linear regression |
# | regularised H-score {cite}`ibrahim2021newer` | the same with a shrunk covariance, since the plain one is $K - 1$ for any labels once there are more features than images |
# | LogME {cite}`you2021logme` | evidence of a Bayesian linear model of each class indicator |
# | TransRate {cite}`huang2022transrate` | coding rate of all features minus that within classes |
# | GBC {cite}`pandy2022gbc` | minus the overlap of Gaussian classes |
# | SFDA {cite}`shao2022sfda` | likelihood of a Fisher discriminant after each image was moved towards the other classes |
#
# Neighbours and a linear probe on held-out images are what a score must beat.
# TransRate as published codes each class around the mean of *all* images: two classes of equal size and covariance then look like the whole, and the score is 0 however far apart they are.
# The variant here centres each class.

# %% tags=["table"]
leep_relatives.relatives(page.seed, shuffles=5)

# %% [markdown]
# ## Sources whose worth is known
#
# Six simulated sources of rising worth are scored on 200 target images.
# The worth is the AUC of the best linear classifier on their features, known in closed form.
# In the first column the six differ in nothing else; in the second their heads read directions that hold no signal.
# In the others one more thing, which has no bearing on the worth, runs along with it, as 1000 classes come before 3 in the paper.
# The colours say whether a score puts the six in the right order.

# %%
simulated = leep_relatives.simulate(repeats, page.seed)

# %% mystnb={"figure": {"name": "fig-msatl-leep-simulation", "caption": "Weighted Kendall's tau between scores (rows) and the known worth of six sources, by what else differs between the sources (columns); mean over redrawn target images. 1: right order, −1: reversed."}} tags=["hide-input"]
with figures.style():
    fig, ax = plt.subplots(figsize=(9, 6.6))
    leep_relatives.draw_simulation(ax, simulated)

# %% [markdown]
# LEEP orders sources rightly where nothing else differs (τ = {glue:text}`tau_plain:.2f`), hardly at all where the head does not look at what matters ({glue:text}`tau_blind:.2f`), and wrongly where better sources are less confident ({glue:text}`tau_softer:.2f`).
# The linear probe stays at {glue:text}`tau_probe:.2f` or above in every column.
# TransRate as published reaches {glue:text}`tau_transrate:.2f` in the easiest column, with centred classes {glue:text}`tau_centred:.2f`.
#
# Six networks are few: of all orders that chance could give them, {glue:text}`luck_six:.0%` reach τ = 0.5.

# %% tags=["table"]
for name, value in parts.sentences(gains, simulated).items():
    page.glue(name, value)
leep_relatives.luck(0.5).to_frame().map("{:.1%}".format)

# %% [markdown]
# ## Limits, and where to go next
#
# The simulation has Gaussian classes, linear signals and isotropic noise, which suits some scores and hurts the shrunk H-score; it shows how a score can fail, not how often it does on networks.
# A study of seven scores in three medical applications found none reliable {cite}`chaves2023transferability`.
# No score is computed for a trained network here: Table 6 stands on [a page of its own](leep_scores.ipynb).
#
# The networks without transfer, which pre-training must beat, are in [](without_transfer.ipynb).
