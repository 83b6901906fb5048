"""Which norms do recurrent nets want? Four claims."""

from experiments.recurrent.claims import CLAIMS
from experiments.recurrent.figure import figure

__all__ = ["CLAIMS", "figure"]
