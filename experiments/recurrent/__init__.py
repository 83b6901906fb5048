"""Which norms do recurrent nets want? Four claims."""

from experiments.recurrent.claims import CLAIMS
from experiments.recurrent.comparisons import COMPARED
from experiments.recurrent.figure import figure

__all__ = ["CLAIMS", "COMPARED", "figure"]
