"""What does the size of the batch do? Small batches, their harm, its causes and its remedies."""

from experiments.batch_size.claims import CLAIMS
from experiments.batch_size.figure import figure

__all__ = ["CLAIMS", "figure"]
