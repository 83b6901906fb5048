"""Does batch norm help on new data? Two claims on fine-tuning and on stored statistics in it."""

from experiments.transfer.claims import CLAIMS
from experiments.transfer.figure import figure

__all__ = ["CLAIMS", "figure"]
