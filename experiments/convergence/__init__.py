"""How fast and how far do nets train? Six claims on speed, smoothness and reliability of training with batch norm."""

from experiments.convergence.claims import CLAIMS
from experiments.convergence.figure import figure

__all__ = ["CLAIMS", "figure"]
