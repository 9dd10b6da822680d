"""Phantoms: drawn CT slices and chest X-rays whose truth is known."""

from covidlib.data.phantoms.acquisition import CT_STYLES, CXR_STYLES, marker_box
from covidlib.data.phantoms.drawing import draw_ct, draw_cxr
from covidlib.data.phantoms.settings import (
    CT_CLASSES,
    CXR_CLASSES,
    LOBES,
    PhantomBatch,
    PhantomSettings,
)

__all__ = [
    "CT_CLASSES", "CT_STYLES", "CXR_CLASSES", "CXR_STYLES", "LOBES", "PhantomBatch",
    "PhantomSettings", "draw_ct", "draw_cxr", "marker_box",
]  # fmt: skip
