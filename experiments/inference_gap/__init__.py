"""What do running statistics cost in inference? Two claims on the gap to batch statistics and on its repair."""

from experiments.inference_gap.claims import CLAIMS
from experiments.inference_gap.figure import figure

__all__ = ["CLAIMS", "figure"]
