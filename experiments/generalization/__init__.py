"""Does batch norm generalize better, and why? Five claims on overfitting, its remedies, and features."""

from experiments.generalization.claims import CLAIMS
from experiments.generalization.figure import figure

__all__ = ["CLAIMS", "figure"]
