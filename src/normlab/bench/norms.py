"""Norms: forward and backward of every method against nn.BatchNorm2d in the same layout, and what was tried for slow ones."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from normlab.bench.crew import Crew, Turns, take_turns
from normlab.bench.rows import Row, ratio
from normlab.config import NormConfig
from normlab.nets.block import memory_format
from normlab.norms import METHODS, make_norm
from normlab.training.device import keep_freed_memory
from normlab.training.timing import seconds_of

ROUNDS = 5
SHAPES = ((128, 64, 32, 32), (32, 16, 28, 28))
LAYOUTS = ("contiguous", "channels_last")
REFERENCE = "nn.BatchNorm2d"


class AroundLayout(nn.Module):
    """A norm computed in NCHW, between two copies."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, input: Tensor) -> Tensor:
        output: Tensor = self.norm(input.contiguous())
        return output.contiguous(memory_format=torch.channels_last)


class ByMoments(nn.Module):
    """Instance norm written with var_mean and broadcasting."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels, 1, 1)), nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, input: Tensor) -> Tensor:
        variance, mean = torch.var_mean(input, (2, 3), correction=0, keepdim=True)
        return (input - mean) * ((variance + 1e-5).rsqrt() * self.weight) + self.bias


class ByProducts(nn.Module):
    """Instance norm whose sums are matrix products over (N, H·W, C), the order of channels_last in memory."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def forward(self, input: Tensor) -> Tensor:
        N, C, H, W = input.shape
        x = input.permute(0, 2, 3, 1).reshape(N, H * W, C)
        mean_of = x.new_full((1, 1, H * W), 1 / (H * W)).expand(N, 1, H * W)
        centred = x - torch.bmm(mean_of, x)
        scale = (torch.bmm(mean_of, centred.square()) + 1e-5).rsqrt() * self.weight
        return torch.addcmul(self.bias, centred, scale).view(N, H, W, C).permute(0, 3, 1, 2)


def tried(channels: int) -> dict[str, nn.Module]:
    """Formulations of the same function that were compared before one was chosen."""
    return {
        "instance norm: nn.InstanceNorm2d": nn.InstanceNorm2d(channels, affine=True),
        "instance norm: nn.GroupNorm, a group a channel": nn.GroupNorm(channels, channels),
        "instance norm: the same in NCHW between two copies": AroundLayout(nn.GroupNorm(channels, channels)),
        "instance norm: var_mean and broadcasting": ByMoments(channels),
        "instance norm: sums by matrix products": ByProducts(channels),
        "group norm: in NCHW between two copies": AroundLayout(nn.GroupNorm(8, channels)),
        "layer norm: in NCHW between two copies": AroundLayout(nn.GroupNorm(1, channels)),
    }


def contestants(shape: tuple[int, int, int, int], layout: str) -> dict[str, nn.Module]:
    """The reference, every registered method that needs no user's class, ghost batches, and what was tried."""
    channels = shape[1]
    methods = {
        method.title: make_norm(NormConfig(name=name), channels, positions=True)
        for name, method in METHODS.items()
        if name != "custom"
    }
    ghosts = NormConfig(name="batch", statistics_batch=shape[0] // 4)
    found = {REFERENCE: nn.BatchNorm2d(channels), **methods}
    found["batch norm, ghost batches of a quarter"] = make_norm(ghosts, channels, positions=True)
    return found | (tried(channels) if layout == "channels_last" else {})


def layers(shape: tuple[int, int, int, int], layout: str) -> Turns:
    """Forward and backward of each contestant on one input: times a second."""
    keep_freed_memory()
    draw = torch.Generator().manual_seed(0)
    x, gradient = (torch.randn(shape, generator=draw).contiguous(memory_format=memory_format(layout)) for _ in range(2))
    x.requires_grad_()

    def turn(norm: nn.Module) -> Callable[[], float]:
        def step() -> None:
            norm(x).backward(gradient)
            x.grad = None
            norm.zero_grad(set_to_none=True)

        repeats = max(2, round(0.1 / seconds_of(step, 2)))
        return lambda: 1 / seconds_of(step, repeats)

    return {name: turn(norm.train()) for name, norm in contestants(shape, layout).items()}


def norms() -> Iterator[Row]:
    """One thread."""
    for shape in SHAPES:
        for layout in LAYOUTS:
            with Crew(layers, shape, layout) as crew:
                rates = take_turns({name: (crew, name) for name in contestants(shape, layout)}, ROUNDS)
            setting = f"{'×'.join(map(str, shape))} · {'NCHW' if layout == 'contiguous' else layout}"
            for name, found in rates.items():
                if name != REFERENCE:
                    milliseconds = 1000 / sorted(found)[ROUNDS // 2]
                    row = Row("norms", setting, name, REFERENCE)
                    yield ratio(row, found, rates[REFERENCE], f"{milliseconds:.2f} ms")
