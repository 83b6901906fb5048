"""Does the machinery decide fairly? One arm against itself, through every kind of contrast."""

from experiments.machinery.figure import figure, table

CLAIMS = ()

__all__ = ["CLAIMS", "figure", "table"]
