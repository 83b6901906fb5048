"""Does batch norm help reinforcement learning? One claim."""

from experiments.control.claims import CLAIMS
from experiments.control.figure import figure
from experiments.control.published import PUBLISHED

__all__ = ["CLAIMS", "PUBLISHED", "figure"]
