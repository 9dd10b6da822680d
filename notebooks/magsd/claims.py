# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # What magsd claims, and what holds
#
# What does the paper say in words, and does it hold here?
# Each sentence that could be wrong becomes an experiment with a number above 0 if the sentence is right.
#
# ```{admonition} In short
# Verdicts on {glue:text}`claims` claims of {cite}`li2021magsd`: supported {glue:text}`supported`, not supported {glue:text}`not_supported`, inconclusive {glue:text}`inconclusive`, not testable here {glue:text}`not_testable_here`.
# Supported: {glue:text}`which_supported`. Not supported: {glue:text}`which_not_supported`.
# {glue:text}`measured` claims have a measured effect; for {glue:text}`asked` of them the paper prints numbers, and in {glue:text}`seeing` of these the test could see an effect as large as printed.
# ```

# %% tags=["parameters"]
profile = "smoke"  # "smoke": seconds on a CPU · "laptop": minutes · "paper": a GPU
data = "phantoms"  # "phantoms": drawn images · or the folder that holds the data sets
seed = 0

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from covidlib import book, figures
from covidlib.claims import EXPERIMENTS, ledger
from covidlib.pages import claims as parts
from covidlib.pages import claims_blocks

page = book.start(profile, data, seed)
found = ledger("magsd", EXPERIMENTS["magsd"], page.recorded)

# %% [markdown]
# ## At a glance
#
# Everything here is computed from recorded runs on real images, whatever images this page was made from.
# How a verdict is found stands on [the page of all claims](../across/claims.ipynb).

# %% tags=["table", "hide-input"]
claims_blocks.glance(found)

# %% [markdown]
# ## How large, beside what could be seen
#
# Measures differ, so each effect is divided by the smallest one that its own test finds in four of five cases.
# An effect in the grey band is too small for its test; a diamond in it is an effect of the paper that this test would miss.
# What lies beyond the edge is drawn at the edge.

# %% mystnb={"figure": {"name": "fig-magsd-claims", "caption": "Effects of the claims of magsd with 95% intervals, in multiples of the smallest effect that each test could see. Above 0 agrees with the claim. The marks are those of the verdicts."}} tags=["hide-input"]
with figures.style():
    fig, ax = plt.subplots(figsize=(6.4, 3.9), layout="constrained")
    parts.draw_effects(ax, {"magsd": found})

# %% [markdown]
# ## Claim by claim
#
# Units are the data sets A, B and C; fold is compared with fold, by the $t$ test corrected for overlapping training sets (Nadeau and Bengio 2003).
# Each set is divided into folds by itself, so images that two sets share may fall into two folds; the test takes them for two images.
# Claim 22 is about images that no network was trained on; there the networks of the folds count as independent, which makes its interval too narrow.
# A claim about the mean over sets needs all of them; a claim about each set needs all of them to be supported, and one to be contradicted.

# %% tags=["hide-input"]
claims_blocks.blocks(found)

# %% tags=["hide-input"]
for name, value in parts.sentences({"magsd": found}).items():
    page.glue(name, value)

# %% [markdown]
# ## Limits, and where to go next
#
# One metric decides each experiment, fixed before any run of this paper was recorded; what claims 3 and 24 ask of theirs was made weaker afterwards, closer to the paper's words, and whom claims 2 and 25 compare with was mended afterwards, as their notes say.
# Folds keep patients whole, which the paper's do not, and five folds of a few hundred images see large effects only.
# The claims of all papers side by side are on [](../across/claims.ipynb); what the printed numbers alone allow is in [the audit](../across/audit.ipynb).
