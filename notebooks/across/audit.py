# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # Paper audit: what the printed numbers allow
#
# Before anything is trained: do the numbers that the three papers print agree with each other, and with what their metrics can be?
# This page reads the published tables of {cite}`liu2021msatl`, {cite}`li2021magsd` and {cite}`xu2021manet` and computes; no image and no run is involved, so the profile changes nothing here.
#
# ```{admonition} In short
# Of {glue:text}`checked` checks, {glue:text}`consistent` come out consistent; nearly all others belong to four groups, each of which one unstated convention would explain.
# {glue:text}`grim_off` of {glue:text}`grim_all` accuracies of msatl cannot be one run on its test set, {glue:text}`cap_either` of its F1 scores are above what their accuracy allows in one run, and its LEEP scores are possible in base 2 but not as natural logarithms.
# On its two-class set, the "specificity" of magsd behaves as a precision, not as a specificity.
# No margin over another self-supervision in msatl, and none of mask attention in manet, stands out from noise; in magsd, {glue:text}`folds_large` of {glue:text}`folds` margins are below the standard deviation of an arm.
# ```
#
# An inconsistency is not misconduct, and none of what follows says that a method does not work.
# Each section says what is printed, what arithmetic says, and which harmless causes would explain it.

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
from IPython.display import display

from covidlib import book, figures
from covidlib.audit import drawing, sentences
from covidlib.pages import audit as parts

page = book.start(profile, data, seed)

# %% [markdown]
# ## What was checked
#
# A printed number stands for an interval: 83.7 for everything from 83.65 to 83.75.
# A number is called consistent if any values inside the intervals of the others give it, so rounding always counts in the paper's favour.

# %% tags=["table", "hide-input"]
for name, value in sentences.sentences().items():
    page.glue(name, value)
parts.overview_table()

# %% [markdown]
# ## 1. Accuracies that no count of images gives
#
# **Printed.** msatl tests on 203 images and prints {glue:text}`grim_all` accuracies with one decimal; manet tests on 680 and prints thirty with two.
#
# **Arithmetic.** One run gets $k$ of 203 images right, so its accuracy is a multiple of 0.49 points; this is the GRIM test of Brown and Heathers (2017).
# {glue:text}`grim_off` of the {glue:text}`grim_all` accuracies are no such multiple ({glue:text}`grim_distinct_off` of the {glue:text}`grim_distinct` different ones).
# Chance alone would let {glue:text}`grim_expected:.1f` pass, and {glue:text}`grim_hits` do (probability of as many or more: {glue:text}`grim_luck:.2f`).
# Means of four equal runs still leave {glue:text}`grim_four`; with five, every number passes, so that the test is silent.
# In manet all but one are exact: VGG16's second trial reads {glue:text}`vgg_printed:.2f`, between {glue:text}`vgg_low:.2f` and {glue:text}`vgg_high:.2f`.
#
# **Harmless causes.** Means over several runs or over several crops that the text does not mention; a test set that lost or gained a few images; for manet, one digit.

# %% mystnb={"figure": {"name": "fig-audit-grim", "caption": "The accuracies of msatl Tables 2 to 5, a line of six networks per training. Grey lines: what counts of the 203 test images give. Crosses are numbers to which no count rounds."}} tags=["hide-input"]
with figures.style():
    fig, ax = plt.subplots(figsize=(8, 5.6))
    drawing.grim_dots(ax)

# %% tags=["table", "hide-input"]
parts.grim_table()

# %% [markdown]
# ## 2. F1 above what the accuracy allows
#
# **Printed.** Accuracy and F1 of the same 36 networks.
#
# **Arithmetic.** With $P$ positives and $e$ errors, F1 is largest if every error is a false positive: $F_1 \le 2P / (2P + e)$.
# {glue:text}`cap_covid` rows are above that for COVID as the positive class and {glue:text}`cap_either` above it for either class, hence also for macro and weighted F1.
# All of the latter have five attention layers.
#
# **Harmless causes.** F1 and accuracy taken from different epochs or thresholds, each at its best, would do it.
# So would a mean over uneven runs, since the cap is convex; the table shows how uneven they must be.
# For R-50 that is a moderate spread; for R-101, a single run would have to be wrong on dozens of images where most others are wrong on one or two.

# %% mystnb={"figure": {"name": "fig-audit-f1", "caption": "F1 against accuracy in msatl Tables 2 to 5, with the largest F1 that an accuracy allows in one run. Bars: rounding, which the counts use in the paper's favour."}} tags=["hide-input"]
with figures.style():
    fig, ax = plt.subplots(figsize=(7, 6))
    drawing.f1_caps(ax)

# %% tags=["table", "hide-input"]
parts.f1_rows()

# %% [markdown]
# ## 3. Differences that do not subtract
#
# **Printed.** msatl prints {glue:text}`improved` improvements in four tables ({glue:text}`improved_trivial` of them are a row's zero over itself), and differences of such differences in its text.
#
# **Arithmetic.** All but two cells are the difference of the cells beside them.
# The table lists those two and every sentence that is not the difference of its cells to the last digit.
#
# **Harmless causes.** Slips of one digit.
# Where the verdict is *within rounding*, the authors may have subtracted unrounded results and be right.
# No slip changes which network is best.

# %% tags=["table", "hide-input"]
parts.differences_table()

# %% [markdown]
# ## 4. LEEP below its bound
#
# **Printed.** Eighteen LEEP scores from {glue:text}`leep_low:.3f` to {glue:text}`leep_high:.3f`, called mean log likelihoods; the base of the logarithm is not given.
#
# **Arithmetic.** If $P(y \mid z)$ is estimated on the images that are scored, LEEP is at least $-H(Y \mid Z)$ and so at least $-H(Y)$ {cite}`nguyen2020leep`.
# For 349 and 397 images that is {glue:text}`leep_nats:.3f` with natural logarithms, above every printed score, and {glue:text}`leep_bits:.3f` in base 2, below every one.
# The other splits of the data give the same answer.
#
# **Harmless causes.** Base 2, which changes no order and no conclusion; or $P(y \mid z)$ estimated on other images than those scored, for which there is no such bound.

# %% mystnb={"figure": {"name": "fig-audit-leep", "caption": "LEEP scores of msatl Table 6 and the smallest score that either logarithm allows for two classes of 349 and 397 images."}} tags=["hide-input"]
with figures.style():
    fig, ax = plt.subplots(figsize=(7, 5.6))
    drawing.leep_lines(ax)

# %% [markdown]
# ## 5. Averages and totals
#
# **Printed.** Averages over trials and groups, class totals, time increases, and a report per class beside a confusion matrix.
#
# **Arithmetic.** Nearly all of them follow; manet's Table 4 follows from its Table 5 in every one of 24 cells, and only if the rows of Table 5 are the actual classes, which the paper does not say.
# The table lists those that do not.
#
# **Harmless causes.** Slips: ResNet34 with CBAM stays below ResNet34 with either average.
# The overall IoU is 0.02 from the mean over images, which one rounding to 92.5 on the way would explain; the total of COVIDx may be that of another release.

# %% tags=["table", "hide-input"]
parts.averages_table()

# %% [markdown]
# ## 6. A specificity that is something else
#
# **Printed.** ACC, SEN, SPC and F1 of 21 rows of magsd on sets of two, three and four classes.
#
# **Arithmetic, set A.** With two classes, ACC lies between SEN and SPC if these are the two recalls; in {glue:text}`outside` rows it does not, and the weight of SEN in ACC runs from {glue:text}`weight_low:.2f` to {glue:text}`weight_high:.2f` where it should be one class's share.
# F1 is the harmonic mean of SEN and SPC within {glue:text}`gap_a:.2f` points in every row, as it would be if SPC were a precision (B: {glue:text}`gap_b:.1f`, C: {glue:text}`gap_c:.1f` on average).
# Read SEN as the mean recall, and F1 becomes the macro F1 and SPC the macro precision.
# **Set B.** Macro precision is, with two classes, the macro mean of TN / (TN + FN); with three it is not, and there TN / (TN + FN) goes with SPC in every row that can be tested and specificity in two of three.
# That is a hint and no proof, since the ranges of the first are wider.
# Set C cannot tell.
#
# **Harmless causes.** Two arguments in the wrong order: exchange labels and predictions, and TN / (TN + FP) becomes TN / (TN + FN).
# The code that the authors released does this.
# Averaging over five folds adds noise: {glue:text}`recall_a` rows on A have an ACC outside what their SEN allows ({glue:text}`recall_a_clear` by more than a tenth of an image, the largest by {glue:text}`recall_a_most:.1f`), and {glue:text}`recall_b` on B has, by {glue:text}`recall_b_images:.0f` images.
# BCNN's F1 of {glue:text}`bcnn_f1:.2f` on B repeats the SPC beside it; with its ACC and SEN, no drawn confusion matrix exceeds {glue:text}`bcnn_most:.1f`.

# %% mystnb={"figure": {"name": "fig-audit-spc", "caption": "Left: F1 minus the harmonic mean of SEN and SPC, 21 rows of magsd on each set. Right: SPC as printed on set B, and the range of two scores over confusion matrices that have the row's ACC, SEN and F1."}} tags=["hide-input"]
with figures.style():
    fig, axes = plt.subplots(1, 2, figsize=(10.5, 6.4), width_ratios=(2, 3))
    drawing.harmonic_gaps(axes[0])
    drawing.spc_ranges(axes[1])

# %% tags=["table", "hide-input"]
parts.readings_table()

# %% [markdown]
# ## 7. Differences within noise
#
# **Printed.** Margins between methods; standard deviations over folds in magsd, three trials in manet, nothing in msatl.
#
# **Arithmetic, msatl.** Two results on the same 203 images differ most clearly if one is right wherever the other is; even then McNemar's test needs {glue:text}`needed` images.
# The proposed self-supervision is ahead of the others by at most {glue:text}`ssl_most`; full transfer, and attention after it, pass the mark.
# **magsd.** Of {glue:text}`folds` margins in Tables 4 to 8, {glue:text}`folds_small` are below both standard deviations and {glue:text}`folds_large` below the larger one.
# A paired test over folds needs the correlation between the arms, which is not printed; for {glue:text}`folds_never` margins none would be enough (Nadeau and Bengio's corrected test).
# **manet.** {glue:text}`trials_noise` of {glue:text}`trials_all` comparisons of mask attention over three trials have p above 0.05.
#
# **Harmless causes.** None is needed: a small margin is no error.
# Means over several runs, if that is what msatl prints, would be more certain than one run, and three trials can miss a gain that is real.

# %% mystnb={"figure": {"name": "fig-audit-margins", "caption": "Accuracy differences in msatl Tables 2 to 4 as images of the test set. Right of the line, the best case of McNemar's test is significant; whether the actual case is, the tables do not say."}} tags=["hide-input"]
with figures.style():
    fig, ax = plt.subplots(figsize=(7.5, 4))
    drawing.image_margins(ax)

# %% tags=["table", "hide-input"]
display(parts.noise_table(), parts.trials_table())

# %% [markdown]
# ## Limits, and where to go next
#
# The checks see what is printed: numbers in figures are not read, and a number that passes may still be wrong.
# Sections 1 and 2 assume 98 and 105 test images, section 4 that LEEP is estimated on what it scores, section 6 that every fold has the class sizes of its table; the harmless causes are those in which an assumption fails.
# The ranges of section 6 on sets B and C come from drawn matrices and are a little too narrow; F1 may differ from the printed one by 0.3 points there, as averaging over folds makes it do on A.
# What the printed FLOPs of manet reveal, the size of its images, takes the networks themselves: see [what attention costs](../manet/cost.ipynb).
# Which of the papers' claims hold on images is another question: the pages of each paper train and measure, beginning with [COVID19-CT](../msatl/data.ipynb).
