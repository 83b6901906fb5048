"""Loss and accuracy on a split, with every kind of statistics that a norm can be evaluated with."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from normlab.data.batches import FIXED, Split, Splits
from normlab.norms.running import running_norms
from normlab.seeds import generator
from normlab.training.statistics import RunningStatistics, batch_statistics, can_recalibrate, recalibrated

# Of a batch: larger ones leave a processor's cache, smaller ones wait for their kernels to start.
EVALUATION_PIXELS = {"cpu": 100 * 28 * 28, "cuda": 2000 * 32 * 32}
CALIBRATION_IMAGES = 2000


@torch.no_grad()
def evaluate(net: nn.Module, split: Split, batch_size: int | None = None) -> tuple[float, float]:
    """Mean cross-entropy and accuracy (0…1) of ``net`` in evaluation mode."""
    net.eval()
    pixels = EVALUATION_PIXELS[split.images.device.type] // split.images[0, 0].numel()
    return _measure(net, split.images, split.labels, batch_size or max(100, pixels))


@torch.no_grad()
def evaluate_on_batch_statistics(net: nn.Module, split: Split, batch_size: int) -> tuple[float, float]:
    """Mean cross-entropy and accuracy with each batch's own statistics, in fixed random batches of ``batch_size``.

    The last batch is filled up with the first samples, which count once.
    """
    order = torch.randperm(len(split), generator=generator(FIXED, "evaluation")).to(split.labels.device)
    fill = order.repeat(1 + batch_size // len(order))[: -len(order) % batch_size]
    padded = torch.cat([order, fill])
    with batch_statistics(net):
        return _measure(net, split.images[padded], split.labels[padded], batch_size, count=len(order))


def _measure(
    net: nn.Module, images: Tensor, labels: Tensor, batch_size: int, count: int | None = None
) -> tuple[float, float]:
    logits = torch.cat([net(batch) for batch in images.split(batch_size)])[:count].float()
    labels = labels[:count]
    loss = F.cross_entropy(logits, labels)
    return loss.item(), (logits.argmax(1) == labels).double().mean().item()


def final_measures(
    net: nn.Module,
    statistics: RunningStatistics,
    splits: Splits,
    as_trained: Tensor,
    batch_size: int,
    decays: bool = True,
) -> dict[str, float]:
    """The measures at the end of a run, whose training shows ``splits.train`` as it is in ``as_trained``.

    ``<split>_loss`` and ``<split>_accuracy`` with the configured running averages. For validation and test also with suffix
    ``_recalibrated`` (statistics over ``as_trained``, since plain images have others than augmented ones), ``_batch`` (the batches'
    own statistics, in batches of the training's size) and ``_decay_<d>`` for each decay of the ladder (``_phases``: of a decay changed by
    phase) if ``decays``. Without running statistics the first holds for the others too, and there is no ladder; nor is there where
    they feed training. Where a norm of the user's own keeps buffers and declares nothing of them, only the first is known and
    recorded. The net is left with the configured running averages.
    """
    measures: dict[str, float] = {}

    def record(part: str, suffix: str, values: tuple[float, float]) -> None:
        measures[f"{part}_loss{suffix}"], measures[f"{part}_accuracy{suffix}"] = values

    parts = {"validation": splits.validation, "test": splits.test}
    train = Split(splits.train.images[:CALIBRATION_IMAGES], splits.train.labels[:CALIBRATION_IMAGES])
    statistics.install()
    record("train", "", evaluate(net, train))
    for part, split in parts.items():
        record(part, "", evaluate(net, split))
    if not can_recalibrate(net):
        return measures
    if not running_norms(net):
        for part in parts:
            for suffix in ("_recalibrated", "_batch"):
                record(part, suffix, (measures[f"{part}_loss"], measures[f"{part}_accuracy"]))
        record("train", "_recalibrated", (measures["train_loss"], measures["train_accuracy"]))
        return measures
    for part, split in parts.items():
        for decay in statistics.decays if statistics.layers and decays else ():
            if decay == statistics.configured:
                record(part, f"_decay_{decay:g}", (measures[f"{part}_loss"], measures[f"{part}_accuracy"]))
                continue
            statistics.install(decay)
            record(part, f"_decay_{decay:g}", evaluate(net, split))
        if statistics.layers and statistics.phases and decays:
            statistics.install_phases()
            record(part, "_phases", evaluate(net, split))
        record(part, "_batch", evaluate_on_batch_statistics(net, split, batch_size))
    with recalibrated(net, as_trained):
        record("train", "_recalibrated", evaluate(net, train))
        for part, split in parts.items():
            record(part, "_recalibrated", evaluate(net, split))
    statistics.install()
    return measures | (statistics.steadiness() if decays else {})
