"""Which learning rates work? Five claims on how batch norm changes the choice of the rate."""

from experiments.learning_rate.claims import CLAIMS
from experiments.learning_rate.figure import figure

__all__ = ["CLAIMS", "figure"]
