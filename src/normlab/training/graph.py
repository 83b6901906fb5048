"""A net's forward and backward pass as one captured CUDA graph."""

import torch
from torch import Tensor, nn


def capture(net: nn.Module, images: Tensor, amp: bool) -> None:
    """Capture training passes of ``net`` on batches like ``images``; evaluation runs as before.

    Capturing runs some passes on ``images``. Parameters do not move, and buffers (running statistics and their counts)
    are put back to what they held.
    """
    held = [(buffer, buffer.clone()) for buffer in net.buffers()]
    with torch.autocast("cuda", torch.bfloat16, enabled=amp, cache_enabled=False):
        torch.cuda.make_graphed_callables(net, (images,))
    for buffer, value in held:
        buffer.copy_(value)
