"""What does batch norm compute? Fourteen exact statements, each computed and shown."""

from experiments.definition.claims import CLAIMS
from experiments.definition.figure import figure

__all__ = ["CLAIMS", "figure"]
