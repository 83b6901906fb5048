"""What a net is to learn: the loss that training lowers, and what is measured of its outputs."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from normlab.core.metric import ACCURACY, CLASSIFICATION, ERROR, LOSS, REGRESSION, Metric
from normlab.data.batches import Splits


@dataclass(frozen=True)
class Objective:
    """Learning from labels.

    Attributes:
        metrics: what is measured, by name.
        loss: the mean over a batch, of outputs and labels.
        measures: of the outputs and labels of a whole split, a number a metric.
        ignorance: the loss of a net that says the same of every sample; one that ends there has failed.
        facts: what a record says besides: what a failed run counts as.
    """

    metrics: Mapping[str, Metric]
    loss: Callable[[Tensor, Tensor], Tensor]
    measures: Callable[[Tensor, Tensor], dict[str, float]]
    ignorance: Callable[[Splits], float]
    facts: Callable[[Splits], dict[str, float]]


def _classified(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Mean cross-entropy, and the share of labels whose logit is the largest."""
    accuracy = (logits.argmax(1) == labels).double().mean().item()
    return {LOSS.name: F.cross_entropy(logits, labels).item(), ACCURACY.name: accuracy}


def _predicted(outputs: Tensor, targets: Tensor) -> dict[str, float]:
    """Σ (y − ŷ)² / Σ (y − ȳ)²: 1 is what saying the mean of these targets would have."""
    apart = (targets - targets.mean(0)).square().sum()
    return {ERROR.name: ((targets - outputs).square().sum() / apart).item()}


# Classes: logits (N, classes, …) and labels (N, …).
CLASSIFY = Objective(
    CLASSIFICATION,
    F.cross_entropy,
    _classified,
    lambda splits: math.log(splits.classes),
    lambda splits: {"chance": 1 / splits.classes},
)

# Numbers: outputs and targets (N, values), the latter standardized over the training samples.
PREDICT = Objective(REGRESSION, F.mse_loss, _predicted, lambda splits: 1.0, lambda splits: {"chance_error": 1.0})
