"""How large should ε be?"""

from experiments.epsilon.claims import CLAIMS
from experiments.epsilon.figure import figure

__all__ = ["CLAIMS", "figure"]
