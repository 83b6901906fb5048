"""What a method does, worked out from its gradients and its modes rather than from what it says of itself."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from normlab.config import NormConfig
from normlab.norms import make_norm, wrap_layer

SHAPE = (4, 16, 3, 3)
SMALLEST = 1e-12  # of a gradient that is not rounding


@dataclass(frozen=True)
class Properties:
    """Measured on a convolution and the method behind it, with 16 channels.

    Attributes:
        mixes: which other values of the convolution's output a value of the method's output depends on, in training.
        evaluation_differs: whether evaluation gives another output than training for one input.
        parameters, buffers: numbers that training learns besides the convolution's own, and numbers that it keeps.
        reach: a row a sample, in it for each channel the share of its positions that the value depends on.
        place: the sample and the channel of that value.
    """

    mixes: tuple[str, ...]
    evaluation_differs: bool
    parameters: int
    buffers: int
    reach: tuple[tuple[float, ...], ...]
    place: tuple[int, int]


def properties(config: NormConfig) -> Properties:
    """Measure a method's properties in float64.

    An output at one place is differentiated with respect to all inputs of the norm; where the gradient is not zero, the
    output depends on them. Parameters are drawn at random first, since at their starting values some dependences vanish.
    """
    source = torch.Generator().manual_seed(0)
    layer, norm = conv_and_norm(config, source)
    x = torch.randn((SHAPE[0], 3, *SHAPE[2:]), generator=source, dtype=torch.float64)
    features = layer(x)
    output = norm.train()(features)
    place = int(output[0].argmax())  # where no activation of the method's own cuts the output off
    (gradient,) = torch.autograd.grad(output[0].flatten()[place], features, allow_unused=True)
    trained, evaluated = (norm.train(mode)(layer.train(mode)(x)) for mode in (True, False))
    plain = nn.Conv2d(3, SHAPE[1], 3, padding=1)
    gradient = torch.zeros_like(features) if gradient is None else gradient
    shares = (gradient.abs() > SMALLEST).double().flatten(2).mean(2)
    return Properties(
        mixes=_mixes(gradient, place),
        evaluation_differs=not torch.allclose(trained, evaluated, rtol=1e-6, atol=1e-9),
        parameters=_count(layer.parameters()) + _count(norm.parameters()) - _count(plain.parameters()),
        buffers=_count(layer.buffers()) + _count(norm.buffers()),
        reach=tuple(tuple(row) for row in shares.tolist()),
        place=(0, place // SHAPE[2] // SHAPE[3]),
    )


def conv_and_norm(config: NormConfig, source: torch.Generator) -> tuple[nn.Module, nn.Module]:
    """A convolution from 3 to 16 channels, wrapped if the method wraps, and the norm behind it, with random parameters."""
    layer: nn.Module = nn.Conv2d(3, SHAPE[1], 3, padding=1).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(0.2 * torch.randn(parameter.shape, generator=source, dtype=torch.float64))
    norm = make_norm(config, SHAPE[1], positions=True).double()
    attach = getattr(norm, "attach", None)
    if attach:
        attach(layer)
    wrap_layer(config, layer, source)
    with torch.no_grad():
        for parameter in itertools.chain(layer.parameters(), norm.parameters()):
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=source, dtype=torch.float64))
    return layer, norm


def _mixes(gradient: Tensor, place: int) -> tuple[str, ...]:
    channel, position = divmod(place, gradient[0, 0].numel())
    own = gradient[0].flatten(1)
    others = {
        "samples": gradient[1:],
        "channels": torch.cat([own[:channel], own[channel + 1 :]]),
        "positions": torch.cat([own[channel, :position], own[channel, position + 1 :]]),
    }
    return tuple(name for name, part in others.items() if part.abs().max() > SMALLEST)


def _count(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors)
