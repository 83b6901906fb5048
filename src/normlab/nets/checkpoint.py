"""Gradient checkpointing: less memory for a second forward pass."""

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint_sequential

from normlab.config import RunConfig
from normlab.errors import NormlabError
from normlab.norms import method_of
from normlab.norms.running import feeds_training, survey

REFUSED = (
    "numerics.checkpoint=true: this net's forward pass changes from one call to the next (dropout, or a norm whose state feeds "
    "training), so it cannot be computed again; use numerics.checkpoint=false"
)


def forward_of(net: nn.Module, config: RunConfig, example: Tensor) -> Callable[[Tensor], Tensor]:
    """How training calls the net: as it is, or checkpointed where ``numerics.checkpoint``.

    Raises:
        NormlabError: for what cannot be checkpointed: dropout, or a norm whose training passes depend on earlier ones.
    """
    if not config.numerics.checkpoint:
        return net
    if method_of(config.norm).remembers:
        raise NormlabError(REFUSED)
    return checkpointed(net, example)


def checkpointed(net: nn.Module, example: Tensor) -> Callable[[Tensor], Tensor]:
    """``net`` as a function that keeps only √L of its L modules' outputs and computes the rest again going backward.

    Outputs and gradients are the same. Running averages see every batch twice, which those that our loop manages do not mind: their
    momentum is 1 while they train. Where other buffers move at each pass, the net is refused.

    Paper: Chen, Xu, Zhang & Guestrin 2016.

    Raises:
        NormlabError: where a second forward pass over ``example`` differs from the first, since then the pass going
            backward would not be the one that went forward: dropout, or a norm whose state feeds its training.
    """
    assert isinstance(net, nn.Sequential)
    twin = copy.deepcopy(net).train()
    with torch.no_grad():
        outputs, states = [], []
        for _ in range(2):
            outputs.append(twin(example))
            states.append([buffer.clone() for buffer in _others(twin)])
    same = all(torch.equal(*pair) for pair in zip(*states, strict=True))
    if not (same and torch.equal(*outputs)):
        raise NormlabError(REFUSED)
    segments = max(2, round(math.sqrt(len(net))))

    def forward(images: Tensor) -> Tensor:
        output: Tensor = checkpoint_sequential(net, segments, images, use_reentrant=False)
        return output

    return forward


def _others(net: nn.Module) -> list[Tensor]:
    """Buffers that nobody but the net itself moves."""
    managed = {id(buffer) for norm in survey(net)[0] if not feeds_training(norm) for buffer in norm.buffers()}
    return [buffer for buffer in net.buffers() if id(buffer) not in managed]
