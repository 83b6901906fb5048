"""Running statistics of a trained net taken from other data: a target domain, or the test inputs themselves."""

import torch
from torch import Tensor, nn

from normlab.errors import NormlabError
from normlab.norms.running import buffers_of, running_norms
from normlab.seeds import generator
from normlab.training.statistics import recalibrate

FIXED = -1  # No run's seed changes which of the target's images are taken.


@torch.no_grad()
def adapt(net: nn.Module, images: Tensor, amount: int | None = None, prior: float = 0.0) -> None:
    """Replace the running statistics of every norm that keeps any by those of ``amount`` target images (None: all of them).

    The statistics are recomputed at fixed weights, layer by layer on what the layers before now give (AdaBN, Li et al.
    2017; on training images this is recalibration). With ``prior`` = N they are blended with the ones that the net has,
    which count as N samples (Schneider et al. 2020):

        μ ← (N·μ_source + n·μ_target) / (N + n), and the others likewise

    Nothing happens in a net without running statistics.

    Raises:
        NormlabError: for an ``amount`` that is not between 1 and the number of images, or a negative prior.
    """
    count = len(images) if amount is None else amount
    if not 1 <= count <= len(images):
        raise NormlabError(f"amount={amount}: there are {len(images)} target images")
    if prior < 0:
        raise NormlabError(f"prior={prior:g} is negative")
    source = [(buffer, buffer.clone()) for norm in running_norms(net) for buffer in buffers_of(norm).values()]
    chosen = torch.randperm(len(images), generator=generator(FIXED, "adaptation"))[:count]
    recalibrate(net, images[chosen.to(images.device)])
    share = count / (prior + count)
    for buffer, value in source:
        buffer.copy_(torch.lerp(value, buffer, share))
