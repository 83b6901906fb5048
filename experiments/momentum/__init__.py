"""How should running statistics follow the batches? Ten claims on the decay of running averages and on ε."""

from experiments.momentum.claims import CLAIMS
from experiments.momentum.figure import figure

__all__ = ["CLAIMS", "figure"]
