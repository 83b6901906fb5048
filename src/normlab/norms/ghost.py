"""Ghost batches for any method that takes statistics of the batch."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from normlab.errors import NormlabError
from normlab.norms.channelwise import laid_out_like
from normlab.norms.method import Remembering


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
        start, left = _State.of(self.norm), []
        outputs = []
        for group in range(groups):
            start.put_back(self.norm)
            outputs.append(self.norm(input[group::groups]))
            left.append(_State.of(self.norm))
        _State.mean(left).put_back(self.norm)
        return laid_out_like(input, torch.stack(outputs, 1).flatten(0, 1))


@dataclass(frozen=True)
class _State:
    """What a training pass leaves in a norm: its buffers, and what it remembers besides."""

    buffers: dict[str, Tensor]
    memories: list[list[dict[str, Tensor]]]

    @classmethod
    def of(cls, norm: nn.Module) -> "_State":
        return cls(
            {name: buffer.clone() for name, buffer in norm.named_buffers()},
            [module.memory() for module in norm.modules() if isinstance(module, Remembering)],
        )

    @classmethod
    def mean(cls, states: list["_State"]) -> "_State":
        """Of floating-point values; counts, which every group moves alike, are the first group's."""

        def of(values: tuple[Tensor, ...]) -> Tensor:
            return torch.stack(values).mean(0) if values[0].is_floating_point() else values[0]

        def joined(parts: list[dict[str, Tensor]]) -> dict[str, Tensor]:
            return {name: of(tuple(part[name] for part in parts)) for name in parts[0]}

        memories = [
            [joined(list(moments)) for moments in zip(*memories, strict=True)]
            for memories in zip(*(state.memories for state in states), strict=True)
        ]
        return cls(joined([state.buffers for state in states]), memories)

    def put_back(self, norm: nn.Module) -> None:
        with torch.no_grad():
            for name, buffer in norm.named_buffers():
                buffer.copy_(self.buffers[name])
        remembering = [module for module in norm.modules() if isinstance(module, Remembering)]
        for module, memory in zip(remembering, self.memories, strict=True):
            module.remember(memory)
