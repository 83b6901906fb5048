"""Are the nets trained? Published before every verdict, also where the answer is no."""

from experiments.gates.figure import figure
from experiments.gates.published import PUBLISHED

CLAIMS = ()

__all__ = ["CLAIMS", "PUBLISHED", "figure"]
