"""What mean-field theory says of gradients in wide, deep, plain nets at initialization."""

import math
from collections.abc import Callable

import numpy as np
from scipy import special

from normlab.errors import NormlabError

Function = Callable[[np.ndarray], np.ndarray]

# Activations and their derivatives.
FUNCTIONS: dict[str, tuple[Function, Function]] = {
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(float)),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "sigmoid": (special.expit, lambda z: special.expit(z) * special.expit(-z)),
}
# σ_w² at which gradients keep their norm. The sigmoid's is far above 1/φ'(0)² = 16, for its mean of ½ keeps z large.
CRITICAL = {"relu": 2.0, "tanh": 1.0, "sigmoid": 103.0}
NODES = np.linspace(-10, 10, 20_000)  # of z; none lies at a kink
WEIGHTS = np.exp(-(NODES**2) / 2)


def gradient_growth(norm: str, activation: str, weight_variance: float) -> float:
    """The factor by which the gradient's norm grows from one layer to the one below it; 1 keeps it, > 1 explodes.

    With z ~ N(0, 1) and σ_w² = n·Var(w), the ``weight_variance`` of layers from n to n features (``kaiming`` draws with 2,
    ``xavier`` with 1):

    - ``none``: growth² = σ_w²·E[φ'(√q·z)²], with q the fixed point of q = σ_w²·E[φ(√q·z)²]
      (Poole et al. 2016, Schoenholz et al. 2017)
    - ``batch``, γ = 1, β = 0, large batches: growth² = E[φ'(z)²] / Var[φ(z)], whatever the weights' scale; for ReLU
      π/(π − 1). By Poincaré's inequality it is never below 1 (Yang et al. 2019).

    Raises:
        NormlabError: for what the theory is not written out for here.
    """
    if norm not in ("none", "batch") or activation not in FUNCTIONS:
        raise NormlabError(f"no theory for norm={norm}, activation={activation}")
    function, derivative = FUNCTIONS[activation]
    if norm == "batch":
        variance = _mean(lambda z: function(z) ** 2) - _mean(function) ** 2
        return math.sqrt(_mean(lambda z: derivative(z) ** 2) / variance)
    if activation == "relu":
        return math.sqrt(weight_variance / 2)  # φ'² is 1 for half of all z whatever q is, which need not stay finite
    q = 1.0
    for _ in range(300):
        q = weight_variance * _mean(lambda z: function(z) ** 2, q)
    return math.sqrt(weight_variance * _mean(lambda z: derivative(z) ** 2, q))


def _mean(function: Function, variance: float = 1.0) -> float:
    """E[f(z)] for z ~ N(0, variance), by the trapezoidal rule."""
    return float((WEIGHTS * function(math.sqrt(variance) * NODES)).sum() / WEIGHTS.sum())
