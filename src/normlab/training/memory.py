"""What training keeps in memory between the forward and the backward pass."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from normlab.config import RunConfig
from normlab.data.batches import Batches, Splits
from normlab.nets.checkpoint import forward_of


def training_memory(net: nn.Module, config: RunConfig, splits: Splits) -> dict[str, float]:
    """Bytes of a training step on one batch of the configured size.

    ``saved_bytes``: all distinct memory that automatic differentiation holds for the backward pass, parameters and the
    batch itself excluded; a property of the computation, the same on every machine whose kernels save the same tensors.
    ``parameters`` and ``state``: how many numbers are learned, and how many are kept beside them (running statistics).
    """
    net = copy.deepcopy(net).train()  # so that running statistics stay as they are
    images, labels = next(iter(Batches(splits.train, config.data, config.seed)))
    own = {tensor.untyped_storage().data_ptr() for tensor in (*net.parameters(), images, labels)}
    held: dict[int, int] = {}
    forward = forward_of(net, config, images)

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            held[storage.data_ptr()] = storage.nbytes()
        return tensor

    autocast = torch.autocast(images.device.type, torch.bfloat16, enabled=config.numerics.amp)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor), autocast:
        loss = F.cross_entropy(
            forward(images), labels
        )  # alive until the sum is taken, so that no address is used twice
    saved = sum(held.values())
    del loss
    return {
        "saved_bytes": float(saved),
        "parameters": float(sum(p.numel() for p in net.parameters())),
        "state": float(sum(b.numel() for b in net.buffers() if b.is_floating_point())),
    }
