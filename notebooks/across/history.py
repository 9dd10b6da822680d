# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # Memory of results
#
# A book that is made anew every night must notice when a number moves.
# What was measured so far, on which commit and machine, and how far would a result have to fall before it is more than another seed?
#
# ```{admonition} In short
# The history holds {glue:text}`runs` finished runs on real images, of {glue:text}`settings` settings on {glue:text}`commits` commits and {glue:text}`devices` kinds of processor: {glue:text}`hours:.1f` hours of training.
# Where a change of the code spoils one network alone, the next night would show it in four of five cases if the AUC falls by {glue:text}`more_seeds:.2f` where there are several seeds, and by {glue:text}`one_seed:.2f` where there is one (medians of {glue:text}`rows_seen` rows; {glue:text}`best:.2f` at best).
# Comparing the commit of the last run with the commits before it, {glue:text}`compared` comparisons were possible and {glue:text}`changed` of them found a change.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, figures
from covidlib.pages import history as parts

page = book.start(profile, data, seed)

# %% [markdown]
# Nothing is trained here, and no image is drawn: the page reads <a href="../../results/history.jsonl">one file</a>, to which `covidlib results` appends a line for every recorded run and in which no line is ever changed.
#
# ## What was run

# %% tags=["table"]
known = parts.history(page)
parts.runs_table(known)

# %% [markdown]
# ## Every setting, in the order of its runs
#
# Dots are runs, seeds and commits alike; the last one is orange.
# All lines of one metric share one scale.
# {glue:text}`with_seeds` of these settings have more than one seed; only they say by themselves what chance does.

# %% tags=["table", "hide-input"]
parts.Sparklines(known)

# %% [markdown]
# ## How small a loss would be seen
#
# A fixed tolerance, such as one or two points, would either call chance a change or hide a change, depending on settings about which it knows nothing.
# Here the yardstick is the spread over seeds.
# Few settings have several, so they lend it to each other, measured in units of what other test images would do to the number: a table row on 52 images is coarser than one on 203.
# The more the settings are alike in this, the more the loan counts {cite}`smyth2004linear`.
#
# ```{literalinclude} ../../covidlib/runs/seed_spread.py
# :pyobject: spread
# ```
#
# A row is all folds and seeds of the same settings, as in a printed table.
# Only what moved is tested: a training that repeats another bit for bit is the same, so a change that touches one network is not diluted by the others.
# *It alone* is the smallest loss that is then found in four of five cases; *all moved*, the same on a night when every row was trained otherwise, as on another machine (median of the AUC: {glue:text}`all_moved:.2f`), and p values are corrected for all of them {cite}`benjamini1995controlling`.

# %% tags=["table", "hide-input"]
parts.visible_table(known)

# %% mystnb={"figure": {"name": "fig-history-reach", "caption": "How far the AUC of each row must fall to be seen in four of five cases (seeds x folds after each name). A bar that reaches past 0.5 says: not even a network of two classes that only guesses would be noticed by itself."}} tags=["hide-input"]
with figures.style():
    fig, ax = plt.subplots(figsize=(7, parts.reach_height(known)))
    parts.draw_reach(ax, known)

# %% [markdown]
# More seeds would shorten the bars, more than any other test: three instead of one nearly halve the error, and every further one tells more about all the others.
#
# ## The last commit against all before it
#
# What is recorded in the repository is the yardstick, not the night before: a decline in small steps stays visible, and a fault is reported every night until it is mended or the results are recorded anew.
# Where several rows moved, they are tested together too: a fault that makes every result a little worse shows in none alone.

# %% tags=["table", "hide-input"]
parts.changes_table(known)

# %% tags=["hide-input"]
for name, value in (parts.facts(known) | parts.changes(known) | parts.reach(known)).items():
    page.glue(name, value)

# %% [markdown]
# By hand, `covidlib results compare A B` does the same for two commits, profiles or runs, and `--fail` turns a loss into an exit code; the nightly run uses it.
#
# ## Limits, and where to go next
#
# In simulated nights without any change, at most one in twenty reports a loss, also where settings differ a little in their spread; where they differ by half, it is one in seven as long as so few have several seeds.
# Rows that start from the same pre-training move together when that is trained anew; the test takes them for independent.
# Results of other devices are compared as if they were the same; rounding differs between them.
# Only AUC, accuracy and Dice are watched, unless a row has none of them.
#
# Back to [what the printed numbers allow](audit.ipynb), or to the [start](../../book/intro.md).
