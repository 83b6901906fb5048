"""What norms of our own share: γ and β a channel, the axes of a sample, statistics in float32."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from normlab.errors import NormlabError


class ChannelNorm(nn.Module):
    """A norm of (N, C, *) with a learnable scale γ = ``weight`` and shift β = ``bias`` a channel.

    ``affine=False`` has neither, ``shift=False`` no β. ``reads_batch`` marks methods that take statistics of the batch while
    training, and so cannot do with an empty one.

    Raises:
        NormlabError: for inputs without ``num_features`` channels, and for ε < 0.
    """

    reads_batch = False

    def __init__(self, num_features: int, eps: float = 1e-5, affine: bool = True, shift: bool = True) -> None:
        super().__init__()
        if eps < 0:
            raise NormlabError(f"norm.eps={eps:g} is negative")
        self.num_features = num_features
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(num_features)) if affine else None
        self.bias = nn.Parameter(torch.zeros(num_features)) if affine and shift else None

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() < 2 or input.shape[1] != self.num_features:
            raise NormlabError(
                f"{type(self).__name__} of {self.num_features} features got an input of shape {tuple(input.shape)}"
            )
        if not input.numel() and not (self.training and self.reads_batch):
            return input
        return in_full_precision(self.normalize, input)

    def normalize(self, x: Tensor) -> Tensor:
        """The method itself, on float32 or float64."""
        raise NotImplementedError

    def scale_and_shift(self, x: Tensor) -> Tensor:
        """γ_c·x + β_c."""
        if self.weight is not None:
            x = x * per_channel(self.weight, x)
        return x if self.bias is None else x + per_channel(self.bias, x)

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps:g}, affine={self.weight is not None}"


def in_full_precision(normalize: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """``normalize`` of half-precision values in float32, and in any case outside of autocast, which would take matrix products inside
    it in half precision; the result in the dtype of ``x``.
    """
    if torch.is_autocast_enabled(x.device.type):
        with torch.autocast(x.device.type, enabled=False):
            return in_full_precision(normalize, x)
    if x.dtype in (torch.float16, torch.bfloat16):
        return normalize(x.float()).to(x.dtype)
    return normalize(x)


def per_channel(values: Tensor, x: Tensor) -> Tensor:
    """(C,) → (1, C, 1, …), to stand beside ``x``."""
    return values.view(1, -1, *[1] * (x.dim() - 2))


def laid_out_like(x: Tensor, y: Tensor) -> Tensor:
    """``y`` in the memory layout of ``x``."""
    if x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last):
        return y.contiguous(memory_format=torch.channels_last)
    return y.contiguous()


def positions(x: Tensor) -> tuple[int, ...]:
    """The axes after the channels."""
    return tuple(range(2, x.dim()))


def all_but_channels(x: Tensor) -> tuple[int, ...]:
    """The axes that batch norm reduces."""
    return (0, *positions(x))


def need_positions(x: Tensor, what: str) -> None:
    """Refuse inputs with a single position a channel, where ``what`` says nothing.

    Raises:
        NormlabError: for them.
    """
    if x.dim() < 3 or x.shape[2:].numel() < 2:
        raise NormlabError(
            f"{what} needs more than one position a channel, got an input of shape {tuple(x.shape)}; "
            "use fewer poolings or norm=layer here"
        )


def need_group_values(values: int, what: str, x: Tensor) -> None:
    """Refuse statistics of a single value, from which every input would become the shift β, or its sign.

    Raises:
        NormlabError: for them.
    """
    if values < 2 and x.numel():
        raise NormlabError(
            f"{what} needs more than one value a group, got {values} from an input of shape {tuple(x.shape)}; use fewer groups, "
            "more channels, or another norm here"
        )


def need_values(x: Tensor, what: str) -> None:
    """Refuse training batches with a single value a channel.

    Raises:
        NormlabError: for them.
    """
    if x[:, 0].numel() < 2:
        raise NormlabError(
            f"{what} in training needs more than one value a channel: got {x[:, 0].numel()} from an input of shape "
            f"{tuple(x.shape)}; use a larger batch or another norm"
        )
