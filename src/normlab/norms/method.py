"""What the rest of the house knows of a normalization method."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from torch import Tensor, nn


@runtime_checkable
class Remembering(Protocol):
    """A norm whose training depends on more than its parameters and buffers."""

    def memory(self) -> list[dict[str, Tensor]]:
        """That as plain data."""

    def remember(self, memory: list[dict[str, Tensor]]) -> None:
        """Go on from a :meth:`memory`."""


@dataclass(frozen=True)
class Method:
    """A normalization method, as registered in :mod:`normlab.norms`.

    Attributes:
        name: how configurations, tables and colours call it.
        title, title_ja: how readers call it, in English and Japanese; ``also``: other names by which they look for it.
        does, does_ja: what it does, in a sentence.
        build: ``build(num_features, **options)`` → a module from (N, C, *) to (N, C, *).
        version: bumped when the method's results change; part of the key of every run that uses it.
        needs_positions: normalizes over positions alone, so it says nothing where a channel has one value (fc, 1×1).
        identity: does nothing; the reference arm.
        shifts: whether the module ends in a learnable shift β, which makes a bias just before it redundant.
        owns_activation: the module ends in an activation of its own, so none follows it.
        wrap: for methods that act on weights, ``wrap(layer, **options)`` on each conv and linear layer with its initial
            weights; ``build`` then gives what stands behind the layer.
        mixes: which other inputs an output of a training pass depends on: other ``samples`` of the batch, other
            ``channels`` of its sample, other ``positions`` of its channel.
        colour: of the method in every figure (hexadecimal). The first methods have Okabe and Ito's, told apart by colour-blind readers;
            relatives share a family: blues use batch statistics, greens and yellows a sample's, reds bring their own activation.
        ghosts: whether ``build`` itself takes ``statistics_batch``; others are put into ghost batches from outside.
        remembers: whether a training pass depends on the passes before it, or moves what later ones depend on.
        running: names of the buffers that in evaluation stand in the place of the batch's statistics; what that promises is said in
            :mod:`normlab.norms.running`.
        feeds_training: whether training reads these buffers, so that no other average can be kept in their place.
    """

    name: str
    title: str
    build: Callable[..., nn.Module]
    version: int
    needs_positions: bool = False
    identity: bool = False
    shifts: bool = True
    owns_activation: bool = False
    wrap: Callable[..., None] | None = None
    mixes: tuple[Literal["samples", "channels", "positions"], ...] = ()
    remembers: bool = False
    running: tuple[str, ...] = ()
    feeds_training: bool = False
    ghosts: bool = False
    colour: str = "#D55E00"  # of norms of the user's own
    title_ja: str = ""
    does: str = ""
    does_ja: str = ""
    also: tuple[str, ...] = ()
