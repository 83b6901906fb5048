"""What an objective measures of a split, with every kind of statistics that a norm can be evaluated with."""

import torch
from torch import Tensor, nn

from normlab.config import FINALS, Final
from normlab.data.batches import FIXED, Split, Splits
from normlab.norms.running import running_norms
from normlab.seeds import generator
from normlab.training.objective import CLASSIFY, Objective
from normlab.training.statistics import RunningStatistics, batch_statistics, can_recalibrate, recalibrated

# Of a batch: larger ones leave a processor's cache, smaller ones wait for their kernels to start.
EVALUATION_PIXELS = {"cpu": 100 * 28 * 28, "cuda": 2000 * 32 * 32}
CALIBRATION_IMAGES = 2000


@torch.no_grad()
def evaluate(
    net: nn.Module, split: Split, objective: Objective = CLASSIFY, batch_size: int | None = None
) -> dict[str, float]:
    """What is measured of ``net`` in evaluation mode: of classes mean cross-entropy (``loss``) and ``accuracy`` (0…1)."""
    net.eval()
    pixels = EVALUATION_PIXELS[split.images.device.type] // split.images[0, 0].numel()
    return _measure(net, split.images, split.labels, objective, batch_size or max(100, pixels))


@torch.no_grad()
def evaluate_on_batch_statistics(
    net: nn.Module, split: Split, batch_size: int, objective: Objective = CLASSIFY
) -> dict[str, float]:
    """The same with each batch's own statistics, in fixed random batches of ``batch_size``.

    The last batch is filled up with the first samples, which count once.
    """
    order = torch.randperm(len(split), generator=generator(FIXED, "evaluation")).to(split.labels.device)
    fill = order.repeat(1 + batch_size // len(order))[: -len(order) % batch_size]
    padded = torch.cat([order, fill])
    with batch_statistics(net):
        return _measure(net, split.images[padded], split.labels[padded], objective, batch_size, count=len(order))


def _measure(
    net: nn.Module, images: Tensor, labels: Tensor, objective: Objective, batch_size: int, count: int | None = None
) -> dict[str, float]:
    outputs = torch.cat([net(batch) for batch in images.split(batch_size)])[:count].float()
    return objective.measures(outputs, labels[:count])


def final_measures(
    net: nn.Module,
    statistics: RunningStatistics,
    splits: Splits,
    as_trained: Tensor,
    batch_size: int,
    final: Final = "all",
    objective: Objective = CLASSIFY,
) -> dict[str, float]:
    """The measures at the end of a run, whose training shows ``splits.train`` as it is in ``as_trained``.

    ``<split>_loss``, ``<split>_accuracy`` (or whatever the objective measures) with the configured running averages. As ``final``
    (:class:`normlab.config.MeasureConfig`) says, also with suffix ``_recalibrated`` (statistics over ``as_trained``, since plain images
    have others than augmented ones), and for validation and test ``_batch`` (the batches' own statistics, in batches of the training's
    size) and ``_decay_<d>`` for each decay of the ladder (``_phases``: of a decay changed by phase). Without running statistics the first
    holds for the others too, and there is no ladder; nor is there where they feed training. Where a norm of the user's own keeps buffers
    and declares nothing of them, only the first is known and recorded. The net is left with the configured running averages.
    """
    level = FINALS.index(final)
    own, decays = level >= FINALS.index("statistics"), final == "all"
    measures: dict[str, float] = {}

    def record(part: str, suffix: str, values: dict[str, float]) -> None:
        measures.update({f"{part}_{name}{suffix}": value for name, value in values.items()})

    def recorded(part: str) -> dict[str, float]:
        return {name: measures[f"{part}_{name}"] for name in objective.metrics}

    def measured(split: Split) -> dict[str, float]:
        return evaluate(net, split, objective)

    parts = {"validation": splits.validation, "test": splits.test}
    train = Split(splits.train.images[:CALIBRATION_IMAGES], splits.train.labels[:CALIBRATION_IMAGES])
    statistics.install()
    record("train", "", measured(train))
    for part, split in parts.items():
        record(part, "", measured(split))
    if not can_recalibrate(net):
        return measures
    if not running_norms(net):
        for part in parts:
            for suffix in ("_recalibrated", "_batch"):
                record(part, suffix, recorded(part))
        record("train", "_recalibrated", recorded("train"))
        return measures
    for part, split in parts.items():
        for decay in statistics.decays if statistics.layers and decays else ():
            if decay == statistics.configured:
                record(part, f"_decay_{decay:g}", recorded(part))
                continue
            statistics.install(decay)
            record(part, f"_decay_{decay:g}", measured(split))
        if statistics.layers and statistics.phases and decays:
            statistics.install_phases()
            record(part, "_phases", measured(split))
        if own:
            record(part, "_batch", evaluate_on_batch_statistics(net, split, batch_size, objective))
    if level >= FINALS.index("recalibrated"):
        with recalibrated(net, as_trained):
            record("train", "_recalibrated", measured(train))
            for part, split in parts.items():
                record(part, "_recalibrated", measured(split))
    statistics.install()
    return measures | (statistics.steadiness() if decays else {})
