"""Leave out the Live Code script: it names a remote address and the book has no such button."""

from sphinx.application import Sphinx
from sphinx_thebe import init_thebe_core


def setup(app: Sphinx) -> dict[str, bool]:
    """Disconnect the listener that writes the script's constants into every page."""
    listeners = app.events.listeners["env-before-read-docs"]
    kept = [entry for entry in listeners if entry.handler is not init_thebe_core]
    if len(kept) == len(listeners):
        raise RuntimeError("sphinx_thebe no longer adds init_thebe_core: drop this extension")
    app.events.listeners["env-before-read-docs"] = kept
    return {"parallel_read_safe": True, "parallel_write_safe": True}
