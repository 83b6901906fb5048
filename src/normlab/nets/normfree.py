"""Residual nets that do without normalization: Fixup, and scaled weight standardization."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from normlab.errors import NormlabError
from normlab.nets.block import Parts
from normlab.norms import find_method

RELU_GAIN = math.sqrt(2 / (1 - 1 / math.pi))  # 1/√Var[relu(z)] for z ~ N(0, 1)
ALPHA = 0.2  # of the paper: what a branch adds to the variance is α²


def shortcut(input: Tensor, stride: int, pad: int) -> Tensor:
    """The skip of the CIFAR ResNet: strided, new channels filled with zeros."""
    skip = input[:, :, ::stride, ::stride]
    return F.pad(skip, (0, 0, 0, 0, 0, pad)) if pad else skip


class FixupBlock(nn.Module):
    """relu(x + scale·conv₂(relu(conv₁(x + b₁) + b₂) + b₃) + b₄), scalars b at 0 and scale at 1.

    conv₁ starts at the scheme's weights times L^(−1/2) for L blocks, conv₂ at zero, so that each block starts as the
    identity and a step of gradient descent changes the net's output by an amount that does not grow with L.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int, blocks: int) -> None:
        super().__init__()
        self.stride, self.pad = stride, channels_out - channels_in
        self.first = nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False)
        self.second = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.first.init_gain = blocks**-0.5
        self.second.init_gain = 0.0  # type: ignore[assignment]
        self.biases = nn.Parameter(torch.zeros(4))
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, input: Tensor) -> Tensor:
        b = self.biases
        hidden = F.relu(self.first(input + b[0]) + b[1])
        return F.relu(shortcut(input, self.stride, self.pad) + self.scale * self.second(hidden + b[2]) + b[3])


class ScaledStandardizedConv2d(nn.Conv2d):
    """A convolution with the weight g_c·(w_c − mean(w_c)) / √max(fan_in·var(w_c), ε), statistics over one output channel.

    With g = 1 and inputs of unit variance the outputs have unit variance, whatever the weights.
    """

    def __init__(self, *args: int, eps: float = 1e-4, **options: int) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self.eps = eps
        self.gain = nn.Parameter(torch.ones(self.out_channels))

    def forward(self, input: Tensor) -> Tensor:
        flat = self.weight.flatten(1)
        variance, mean = torch.var_mean(flat, 1, correction=0, keepdim=True)
        scale = self.gain.unsqueeze(1) * (flat.shape[1] * variance).clamp_min(self.eps).rsqrt()
        weight = ((flat - mean) * scale).view_as(self.weight)
        return self._conv_forward(input, weight, self.bias)


class ScaledBlock(nn.Module):
    """x + α·conv₂(act(conv₁(act(x/β)))) with standardized convolutions and act(z) = relu(z)·1.71.

    β is the standard deviation that x has at the start: every block adds α² to its variance.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int, beta: float) -> None:
        super().__init__()
        self.stride, self.pad, self.beta = stride, channels_out - channels_in, beta
        self.first = ScaledStandardizedConv2d(channels_in, channels_out, 3, stride=stride, padding=1)
        self.second = ScaledStandardizedConv2d(channels_out, channels_out, 3, padding=1)

    def forward(self, input: Tensor) -> Tensor:
        hidden = self.first(F.relu(input / self.beta) * RELU_GAIN)
        hidden = self.second(F.relu(hidden) * RELU_GAIN)
        return shortcut(input, self.stride, self.pad) + ALPHA * hidden


class ScaledActivation(nn.Module):
    """relu(x/β)·1.71"""

    def __init__(self, beta: float) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(input / self.beta) * RELU_GAIN


def build_fixup(parts: Parts, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """The CIFAR ResNet of depth 6n+2 without norms, initialized by Fixup. The head starts at zero.

    Paper: Zhang, Dauphin & Ma 2019.

    Raises:
        NormlabError: for a norm, or sizes that are no ResNet's.
    """
    blocks = _blocks(parts)
    layers: list[nn.Module] = [nn.Conv2d(shape[0], parts.net.widths[0], 3, padding=1), nn.ReLU()]
    for channels_in, channels_out, stride in blocks:
        layers.append(FixupBlock(channels_in, channels_out, stride, len(blocks)))
    head = nn.Linear(parts.net.widths[-1], classes)
    head.init_gain = 0.0  # type: ignore[assignment]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), *parts.dropout(), head)


def build_scaled(parts: Parts, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """The CIFAR ResNet of depth 6n+2 without norms, with scaled weight standardization.

    Paper: Brock, De & Smith 2021.

    Raises:
        NormlabError: for a norm, or sizes that are no ResNet's.
    """
    layers: list[nn.Module] = [ScaledStandardizedConv2d(shape[0], parts.net.widths[0], 3, padding=1)]
    variance = 1.0
    for channels_in, channels_out, stride in _blocks(parts):
        layers.append(ScaledBlock(channels_in, channels_out, stride, beta=math.sqrt(variance)))
        variance += ALPHA**2
    layers += [ScaledActivation(math.sqrt(variance)), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, *parts.head(parts.net.widths[-1], classes))


def _blocks(parts: Parts) -> list[tuple[int, int, int]]:
    """(channels in, channels out, stride) of every residual block."""
    net = parts.net
    if not find_method(parts.norm_config.name).identity:
        raise NormlabError(f"net={net.name} does without normalization; use it with norm=none")
    if len(net.widths) != 3:
        raise NormlabError(f"net.widths={list(net.widths)}: a ResNet has three stages")
    found, channels = [], net.widths[0]
    for index, width in enumerate(net.widths):
        for repeat in range(net.blocks):
            found.append((channels, width, 2 if index and not repeat else 1))
            channels = width
    return found
