"""How much do initial weights matter? Four claims on the choice of weights, of γ and of β."""

from experiments.initialization.claims import CLAIMS
from experiments.initialization.figure import figure

__all__ = ["CLAIMS", "figure"]
