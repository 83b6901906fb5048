"""Where should the norm stand? Five claims on placement, layers and the learnable scale and shift."""

from experiments.placement.claims import CLAIMS
from experiments.placement.figure import figure

__all__ = ["CLAIMS", "figure"]
