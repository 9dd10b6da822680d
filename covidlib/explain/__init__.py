"""Where a network looks: Grad-CAM, attention maps, and checks that a map means something.

Maps are non-negative, finite, and as coarse as the features they come from; ``stretch`` brings
them to the size of an image. Nothing here changes a network: its mode, its gradients and its
weights are afterwards what they were.
"""

from covidlib.explain.checks import area, blob, mass_inside, randomised
from covidlib.explain.maps import RES5, attention_map, grad_cam, stretch

__all__ = [
    "RES5",
    "area",
    "attention_map",
    "blob",
    "grad_cam",
    "mass_inside",
    "randomised",
    "stretch",
]
