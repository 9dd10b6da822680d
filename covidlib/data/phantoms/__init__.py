"""Phantoms: drawn CT slices and chest X-rays whose truth is known."""

from covidlib.data.phantoms.acquisition import CT_STYLES, CXR_STYLES, marker_box
from covidlib.data.phantoms.drawing import draw_ct, draw_cxr
from covidlib.data.phantoms.natural import NATURAL_CLASSES, draw_natural
from covidlib.data.phantoms.settings import (
    CT_CLASSES,
    CXR_CLASSES,
    LOBES,
    PhantomBatch,
    PhantomSettings,
)
from covidlib.data.phantoms.writing import NAMES, materialise, write

__all__ = [
    "CT_CLASSES", "CT_STYLES", "CXR_CLASSES", "CXR_STYLES", "LOBES", "NAMES", "NATURAL_CLASSES",
    "PhantomBatch", "PhantomSettings", "draw_ct", "draw_cxr", "draw_natural", "marker_box",
    "materialise", "write",
]  # fmt: skip
