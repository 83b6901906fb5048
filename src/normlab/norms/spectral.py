"""Spectral normalization."""

from torch import nn
from torch.nn.utils import parametrizations

from normlab.norms.method import Method


def wrap(layer: nn.Module, power_iterations: int = 1) -> None:
    """Spectral normalization of a conv or linear layer: w/σ(w), with the largest singular value of w as a matrix.

    torch.nn.utils.parametrizations.spectral_norm. A convolution's weight counts as the matrix (out, in·kH·kW), as in the
    paper. σ is estimated by power iteration, ``power_iterations`` a training step, and kept in evaluation.

    Paper: Miyato, Kataoka, Koyama & Yoshida 2018.
    """
    parametrizations.spectral_norm(layer, n_power_iterations=power_iterations)


def build(num_features: int, power_iterations: int = 1) -> nn.Module:
    """Nothing stands in the norm's place: the layer before it is wrapped."""
    del num_features, power_iterations
    return nn.Identity()


METHOD = Method(
    "spectral",
    "spectral norm",
    build,
    version=1,
    shifts=False,
    wrap=wrap,
    remembers=True,
    colour="#A1D99B",
    title_ja="スペクトル正規化",
    does="Divides each weight matrix by its largest singular value; activations are left alone.",
    does_ja="重み行列を最大特異値で割る。活性には手を加えない。",
    also=("SpectralNorm", "SN", "spectral normalization"),
)
