"""Which norms do transformers want? One claim."""

from experiments.transformer.claims import CLAIMS
from experiments.transformer.figure import figure

__all__ = ["CLAIMS", "figure"]
