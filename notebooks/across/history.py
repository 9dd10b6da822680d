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
# What was measured so far, on which commit and machine, and how far would a result have to move before it is more than another seed?
#
# ```{admonition} In short
# The history holds {glue:text}`runs` finished runs on real images, of {glue:text}`settings` settings on {glue:text}`commits` commits and {glue:text}`devices` kinds of processor: {glue:text}`hours:.1f` hours of training.
# {glue:text}`with_seeds` of these settings were run with more than one seed; only they say by themselves what chance does.
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
# *A change* is how far one more run may lie from the mean: the 95% prediction interval from the spread over its own seeds or, where there is one seed only, over the seeds of other settings of the same paper and profile.

# %% tags=["table", "hide-input"]
parts.Sparklines(known)

# %% mystnb={"figure": {"name": "fig-history-bands", "caption": "Settings that were run with several seeds: every run, and in grey where the next one may lie (95%)."}} tags=["hide-input"]
with figures.style():
    fig, ax = plt.subplots(figsize=(7, parts.bands_height(known)))
    parts.draw_bands(ax, known)

# %% [markdown]
# A fixed tolerance, such as one or two points, would either call chance a change or hide a change, depending on settings about which it knows nothing.
#
# ## The last commit against all before it
#
# Runs are matched by their settings; the test is Student's with the spread over seeds, corrected by Holm over the table.
#
# ```{literalinclude} ../../covidlib/runs/regressions.py
# :pyobject: spread
# ```

# %% tags=["table", "hide-input"]
parts.changes_table(known)

# %% tags=["hide-input"]
for name, value in (parts.facts(known) | parts.changes(known)).items():
    page.glue(name, value)

# %% [markdown]
# By hand, `covidlib results compare A B` does the same for two commits, profiles or runs, and `--fail` turns a loss into an exit code; the nightly run uses it.
#
# ## Limits, and where to go next
#
# The spread of two or three seeds is itself uncertain, so small losses stay unseen; the column *detectable* says how large a loss would have to be.
# A finished run is never repeated under the same commit, and results of other devices are compared as if they were the same; rounding differs between them.
#
# Back to [what the printed numbers allow](audit.ipynb), or to the [start](../../book/intro.md).
