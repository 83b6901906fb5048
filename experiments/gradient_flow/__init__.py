"""How do gradients flow through deep nets? Five claims, and the theory of gradients at initialization beside them."""

from experiments.gradient_flow.claims import CLAIMS
from experiments.gradient_flow.figure import figure

__all__ = ["CLAIMS", "figure"]
