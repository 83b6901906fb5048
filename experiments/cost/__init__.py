"""What do normalizations cost? Claims on time and memory, and what saves them."""

from experiments.cost.claims import CLAIMS
from experiments.cost.figure import figure, table

__all__ = ["CLAIMS", "figure", "table"]
