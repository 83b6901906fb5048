"""How should running statistics follow the batches? Seven claims on the decay of running averages."""

from experiments.momentum.claims import CLAIMS
from experiments.momentum.figure import figure

__all__ = ["CLAIMS", "figure"]
