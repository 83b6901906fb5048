"""The images of a run as it sees them: on its device, in its memory layout, shifted from where its data shift."""

from dataclasses import replace

import torch

from normlab.config import RunConfig
from normlab.data.batches import Split, Splits, shifted
from normlab.nets.block import memory_format


def planned_steps(config: RunConfig, batches_per_epoch: int) -> tuple[int, int]:
    """Optimizer steps of the whole training, and of an epoch."""
    per_epoch = max(1, batches_per_epoch // config.training.accumulate)
    return (max(1, round(config.training.epochs * per_epoch)) if config.training.epochs else 0), per_epoch


def shift_step(config: RunConfig, steps: int) -> int:
    """The step from which on training images are shifted; ``steps`` if none are."""
    return steps if config.data.shift is None else round(config.data.shift.start * steps)


def placed(splits: Splits, device: torch.device, config: RunConfig) -> Splits:
    """The splits on the run's device and in its layout: training images as they are before any shift, validation and test as the
    end of training sees inputs.
    """
    layout = memory_format(config.numerics.layout)

    def place(split: Split) -> Split:
        images = split.images.to(device)
        if images.dim() == 4:
            images = images.contiguous(memory_format=layout)
        return replace(split, images=images, labels=split.labels.to(device))

    validation, test = (place(shifted(split, config.data.shift)) for split in (splits.validation, splits.test))
    return replace(splits, train=place(splits.train), validation=validation, test=test)


def at_end(splits: Splits, config: RunConfig, steps: int) -> Splits:
    """Placed splits as the run sees them when its training ends, which is how it is measured and evaluated."""
    if shift_step(config, steps) >= steps:
        return splits
    return replace(splits, train=shifted(splits.train, config.data.shift))
