"""Transformers: tokens that look at each other, with a norm at every residual branch."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from normlab.errors import MisfitError, NormlabError
from normlab.nets.block import Parts
from normlab.seeds import generator

HEADS = 4
PATCH = 4  # pixels of a side of a token
WIDER = 2  # the hidden layer of a branch, in widths of a token


class TokenNorm(nn.Module):
    """A norm of tokens (N, T, D), each a sample of its own: (N·T, D). Layer norm is over a token's D features; batch norm's statistics of a
    feature are over all tokens of all samples.
    """

    def __init__(self, parts: Parts, features: int) -> None:
        super().__init__()
        self.norm = parts.norm(features, "fc")
        if hasattr(self.norm, "attach"):
            raise MisfitError(
                f"norm={parts.norm_config.name} follows the layer that it watches; here norms stand before and behind branches"
            )
        if parts.norm_config.statistics_batch:
            raise MisfitError("norm.statistics_batch: a transformer's norms see tokens, not samples")

    def forward(self, tokens: Tensor) -> Tensor:
        found: Tensor = self.norm(tokens.flatten(0, 1))
        return found.view_as(tokens)


class Attention(nn.Module):
    """softmax(QKᵀ/√d)·V in four heads, then a linear layer: (N, T, D) → (N, T, D). ``causal``: no token looks at later ones."""

    def __init__(self, parts: Parts, features: int, causal: bool) -> None:
        super().__init__()
        self.causal = causal
        self.reads = parts.linear(features, 3 * features, nn.Identity())
        self.writes = parts.linear(features, features, nn.Identity())

    def forward(self, tokens: Tensor) -> Tensor:
        N, T, D = tokens.shape
        q, k, v = self.reads(tokens).view(N, T, 3, HEADS, D // HEADS).permute(2, 0, 3, 1, 4)
        found = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        written: Tensor = self.writes(found.transpose(1, 2).reshape(N, T, D))
        return written


class Encoder(nn.Module):
    """Layers of two residual branches each, attention and a perceptron with one hidden layer: (N, T, D) → (N, T, D).

    - ``net.placement=pre``: x ← x + branch(norm(x)), and a norm at the end (Xiong et al. 2020)
    - ``after``: x ← norm(x + branch(x)), as in the first transformers

    Paper: Vaswani et al. 2017.
    """

    def __init__(self, parts: Parts, features: int, causal: bool = False) -> None:
        super().__init__()
        net = parts.net
        if net.placement == "before" or features % HEADS or not isinstance(net.depth, int):
            raise NormlabError(
                f"net={net.name} has net.placement=pre or after, a width of a multiple of {HEADS} and one net.depth, not "
                f"net.placement={net.placement}, a width of {features} and net.depth={net.depth}"
            )
        self.pre = net.placement == "pre"
        branches: list[nn.Module] = []
        for _ in range(net.depth):
            hidden = [parts.linear(features, WIDER * features, nn.Identity()), parts.activation(nn.Identity())]
            perceptron = nn.Sequential(*hidden, parts.linear(WIDER * features, features, nn.Identity()))
            branches += [Attention(parts, features, causal), perceptron]
        self.branches = nn.ModuleList(branches)
        self.norms = nn.ModuleList(TokenNorm(parts, features) for _ in range(len(branches) + self.pre))

    def forward(self, tokens: Tensor) -> Tensor:
        for branch, norm in zip(self.branches, self.norms, strict=False):
            tokens = tokens + branch(norm(tokens)) if self.pre else norm(tokens + branch(tokens))
        found: Tensor = self.norms[-1](tokens) if self.pre else tokens
        return found


def positions(parts: Parts, tokens: int, features: int) -> nn.Parameter:
    """What is added to tokens to tell where they stand, (1, T, D), learned from N(0, 0.02²)."""
    drawn = torch.empty(1, tokens, features).normal_(0, 0.02, generator=generator(parts.seed, "init/positions"))
    return nn.Parameter(drawn)


class VisionTransformer(nn.Module):
    """Squares of 4×4 pixels as tokens, an :class:`Encoder`, the mean over tokens, a linear head: (N, ``shape``) → (N, classes).

    Paper: Dosovitskiy et al. 2021; the mean in place of a token for the class is of Zhai et al. 2022.
    """

    def __init__(self, parts: Parts, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        (features,) = parts.net.widths
        channels, height, width = shape
        self.embed = nn.Conv2d(channels, features, PATCH, stride=PATCH)
        self.positions = positions(parts, (height // PATCH) * (width // PATCH), features)
        self.encoder = Encoder(parts, features)
        self.head = nn.Sequential(*parts.head(features, classes))

    def forward(self, input: Tensor) -> Tensor:
        tokens = self.embed(input).flatten(2).transpose(1, 2) + self.positions
        says: Tensor = self.head(self.encoder(tokens).mean(1))
        return says


def build_vit(parts: Parts, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """A :class:`VisionTransformer` with tokens of the one width and ``net.depth`` layers.

    Raises:
        NormlabError: for several widths, sides that are no multiples of 4, or what an :class:`Encoder` has not.
    """
    if len(parts.net.widths) != 1 or shape[1] % PATCH or shape[2] % PATCH:
        raise NormlabError(
            f"net=vit has one width and reads images whose sides are multiples of {PATCH}, not {shape[1]}×{shape[2]}"
        )
    return VisionTransformer(parts, shape, classes)
