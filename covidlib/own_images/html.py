"""One HTML file with everything in it: text, tables, figures; no script, no address."""

import base64
import io
from collections.abc import Iterable
from html import escape

import pandas as pd

STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff; }
h1 { line-height: 1.2; } h2 { margin-top: 2rem; border-bottom: 1px solid #ccc; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: 0.9rem; margin: 1rem 0;
  font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 0.3rem 0.7rem; border-bottom: 1px solid #ddd;
  vertical-align: top; }
caption { caption-side: bottom; text-align: left; color: #555; padding-top: 0.4rem; }
figure { margin: 1rem 0; } img { max-width: 100%; } figcaption { color: #555; font-size: 0.9rem; }
.warning { border-left: 4px solid #d55e00; padding: 0.3rem 1rem; background: #fdf3ec; }
li.stop::marker { content: "stop  "; color: #b03000; font-weight: bold; }
li.beware::marker { content: "beware  "; color: #8a4b00; font-weight: bold; }
li.fine::marker { content: "fine  "; color: #00664d; } ul { padding-left: 5rem; }
@media print { body { max-width: none; } }
"""


def document(title: str, parts: Iterable[str]) -> str:
    """Return a page in English; ``parts`` are HTML already."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n"
        f"<body><main>\n<h1>{escape(title)}</h1>\n" + "\n".join(parts) + "\n</main></body></html>\n"
    )


def heading(text: str) -> str:
    """Return a heading of a section."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph of plain text; the kind "warning" sets it apart."""
    return f'<p class="{escape(kind)}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def listing(items: Iterable[tuple[str, str]]) -> str:
    """Return a list of (kind, text)."""
    lines = [f'<li class="{escape(kind)}">{escape(text)}</li>' for kind, text in items]
    return "<ul>" + "\n".join(lines) + "</ul>"


def table(frame: pd.DataFrame, caption: str = "") -> str:
    """Return a table of plain text; missing values are a dash."""
    shown = frame.astype(object).where(frame.notna(), "–").map(str)
    # The name of the index stands in the corner: a second row of empty headers would be read out.
    corner = frame.index.name
    body = shown.rename_axis(index=None, columns=corner).to_html(border=0)
    body = body.replace("<th></th>", "<td></td>", 1)
    if caption:
        body = body.replace("<thead>", f"<caption>{escape(caption)}</caption><thead>", 1)
    name = escape(caption or f"table by {corner or 'row'}")
    return f'<div class="wide" role="region" aria-label="{name}" tabindex="0">{body}</div>'


def figure(drawn, alternative: str, caption: str) -> str:
    """Return a matplotlib figure as a picture inside the page, and close it."""
    import matplotlib.pyplot as plt

    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png", dpi=110, bbox_inches="tight")
    plt.close(drawn)
    code = base64.b64encode(buffer.getvalue()).decode()
    return (
        f'<figure><img alt="{escape(alternative)}" src="data:image/png;base64,{code}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )
