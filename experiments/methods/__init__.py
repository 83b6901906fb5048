"""Which method for what? Nine claims on the methods that the articles name, and the table of what each does."""

from experiments.methods.claims import CLAIMS
from experiments.methods.figure import figure, situations

__all__ = ["CLAIMS", "figure", "situations"]
