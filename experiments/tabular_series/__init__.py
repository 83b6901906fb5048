"""Does batch norm help with series, speech and recommendation? Three claims on uses beyond images."""

from experiments.tabular_series.claims import CLAIMS
from experiments.tabular_series.comparisons import COMPARED
from experiments.tabular_series.figure import figure
from experiments.tabular_series.published import PUBLISHED

__all__ = ["CLAIMS", "COMPARED", "PUBLISHED", "figure"]
