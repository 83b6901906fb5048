"""Does batch norm hold the inputs of layers still, and is that why it helps? Four claims on the mechanism."""

from experiments.covariate_shift.claims import CLAIMS
from experiments.covariate_shift.figure import figure

__all__ = ["CLAIMS", "figure"]
