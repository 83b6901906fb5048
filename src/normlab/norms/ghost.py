"""Ghost batches for any method that takes statistics of the batch."""

import torch
from torch import Tensor, nn

from normlab.errors import NormlabError
from normlab.norms.channelwise import laid_out_like


class InGhostBatches(nn.Module):
    """A norm of (N, C, *) applied in training to N/g groups of g samples, each by itself.

    Group j holds samples j, j + N/g, j + 2N/g, …, as in :class:`normlab.norms.batch.BatchNorm`, which does the same with
    one kernel. Every group starts from the state that the norm had before the batch, as workers would that are not
    synchronized; afterwards its running statistics are the mean of what the groups left.

    Paper: Hoffer, Hubara & Soudry 2017.

    Raises:
        NormlabError: in training, if ``statistics_batch`` does not divide N.
    """

    def __init__(self, norm: nn.Module, statistics_batch: int) -> None:
        super().__init__()
        self.norm = norm
        self.statistics_batch = statistics_batch

    def attach(self, layer: nn.Module) -> None:
        """Say whose weight the input depends on, to a norm that asks."""
        attach = getattr(self.norm, "attach", None)
        if attach:
            attach(layer)

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return self.norm(input)
        if input.shape[0] % self.statistics_batch:
            raise NormlabError(f"norm.statistics_batch={self.statistics_batch} does not divide a batch of {len(input)}")
        groups = input.shape[0] // self.statistics_batch
        state = [buffer for buffer in self.norm.buffers() if buffer.is_floating_point()]
        start, left = [b.clone() for b in state], [torch.zeros_like(b) for b in state]
        outputs = []
        for group in range(groups):
            for buffer, value in zip(state, start, strict=True):
                buffer.copy_(value)
            outputs.append(self.norm(input[group::groups]))
            for total, buffer in zip(left, state, strict=True):
                total += buffer / groups
        for buffer, value in zip(state, left, strict=True):
            buffer.copy_(value)
        return laid_out_like(input, torch.stack(outputs, 1).flatten(0, 1))
