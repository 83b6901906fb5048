"""Does what was found hold on data that it was not found on? Predictions, and what came of them; no claims of its own."""

from experiments.unseen.figure import figure
from experiments.unseen.published import PUBLISHED

CLAIMS = ()

__all__ = ["CLAIMS", "PUBLISHED", "figure"]
