"""Which norm for detection and segmentation? Three claims on small scenes."""

from experiments.scenes.claims import CLAIMS
from experiments.scenes.figure import figure
from experiments.scenes.published import PUBLISHED

__all__ = ["CLAIMS", "PUBLISHED", "figure"]
