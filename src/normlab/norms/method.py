"""What the rest of the house knows of a normalization method."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Method:
    """A normalization method, as registered in :mod:`normlab.norms`.

    Attributes:
        name: how configurations, tables and colours call it.
        title: how readers call it.
        build: ``build(num_features, **options)`` → a module from (N, C, *) to (N, C, *).
        version: bumped when the method's results change; part of the key of every run that uses it.
        needs_positions: normalizes over positions alone, so it says nothing where a channel has one value (fc, 1×1).
        identity: does nothing; the reference arm.
        shifts: whether the module ends in a learnable shift β, which makes a bias just before it redundant.
    """

    name: str
    title: str
    build: Callable[..., nn.Module]
    version: int
    needs_positions: bool = False
    identity: bool = False
    shifts: bool = True
