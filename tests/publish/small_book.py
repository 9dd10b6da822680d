"""The sources of a small checkout, for tests."""

import shutil
from pathlib import Path

from covidlib.publish.places import Places

ROOT = Path(__file__).resolve().parents[2]

HEADER = """\
# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
"""
PARAMETERS = """\
# %% tags=["parameters"]
profile = "smoke"
data = "phantoms"
seed = 0
"""
START = """\
# %%
from covidlib import book

page = book.start(profile, data, seed)
"""
QUICK = f"""{HEADER}
# %% [markdown]
# # A quick page

{PARAMETERS}
# %%
print("seed", seed, "data", data)
"""
TINY = f"""{HEADER}
# %% [markdown]
# # How large is a sine?
#
# Its maximum is {{glue:text}}`tiny/maximum:.2f`.
# See {{numref}}`tiny-wave`, {{eq}}`tiny-eq` and [](#where).
#
# ```{{math}}
# :label: tiny-eq
# y = \\sin x
# ```

{PARAMETERS}
{START}
# %% mystnb={{"figure": {{"name": "tiny-wave", "caption": "A wave."}}}} tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np

x = np.linspace(0, 6, 50)
with plt.rc_context({{"font.size": 12}}):
    plt.subplots(figsize=(3, 2))[1].plot(x, np.sin(x))

# %% mystnb={{"figure": {{"name": "tiny-second", "caption": "A second wave."}}}}
with plt.rc_context({{"font.size": 12}}):
    plt.subplots(figsize=(3, 2))[1].plot(x, np.cos(x))

# %% tags=["table"]
import pandas as pd

page.glue("tiny/maximum", np.sin(x).max())
pd.DataFrame({{"x": x, "y": np.sin(x)}}).head(3)

# %%
import ipywidgets

ipywidgets.IntSlider(value=2, min=0, max=5, description="k")

# %% tags=["table"]
pd.DataFrame({{"k": range(6)}})

# %% [markdown]
# (where)=
# ## The code
#
# ```{{literalinclude}} ../../covidlib/part.py
# ```
"""
TOC = """\
format: jb-book
root: book/intro
parts:
  - caption: All
    chapters:
      - file: notebooks/demo/tiny
"""
INTRO = """\
# A small book

Its only page with a result is {doc}`../notebooks/demo/tiny`, and the rest of this sentence is
here since a page with next to no text is refused.
"""


def lay_out(root: Path, notebooks: dict[str, str], toc: str = TOC) -> Places:
    """Write a checkout with these notebooks and the project's own configuration."""
    for name in ("assets", "ext"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "_config.yml", root)
    texts = {"_toc.yml": toc, "book/intro.md": INTRO, "covidlib/part.py": "part = 1\n"}
    texts["book/references.bib"] = ""
    texts |= {f"notebooks/demo/{name}.py": text for name, text in notebooks.items()}
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return Places(root, root / "_build")
