"""What if the inputs change? Four claims on stored statistics, on adapting them, and on changes of style."""

from experiments.distribution_shift.claims import CLAIMS
from experiments.distribution_shift.figure import figure

__all__ = ["CLAIMS", "figure"]
