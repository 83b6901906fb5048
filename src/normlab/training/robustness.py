"""How well a trained net does on corrupted images, with its own statistics and with those of such images."""

import copy
import math

import torch
from torch import Tensor, nn

from normlab.config import RunConfig
from normlab.data import find_image_set
from normlab.data.batches import FIXED, Split, Splits, shift_images, unshift_images
from normlab.data.corruptions import CORRUPTIONS, SEVERITIES, STYLES, corrupt
from normlab.norms.running import running_norms
from normlab.seeds import generator
from normlab.training.adaptation import adapt
from normlab.training.evaluate import evaluate
from normlab.training.statistics import can_recalibrate

TEST, TARGET = 2_000, 500  # images asked of, and other images under the same corruption to adapt to
AMOUNTS = (8, 32, 128)
DRAWS = 3  # of that many images, for each corruption
KNOWN = 0.1  # above chance, from which on a net has something to keep
MIDDLE = 3  # the severity at which the amount of target images is varied


def corruptions(net: nn.Module, config: RunConfig, splits: Splits) -> dict[str, float]:
    """Test accuracy on 2,000 test images under ten corruptions in five severities, the same images and noise for every net.

    - ``accuracy_clean``: without any corruption
    - ``accuracy``: the mean over corruptions and severities; ``accuracy_<s>``: at severity s; ``accuracy_<corruption>``: over
      severities
    - ``accuracy_adapted``, ``accuracy_adapted_<s>``: the same with running statistics retaken from 500 other (validation) images
      under the same corruption; ``accuracy_clean_adapted``: from such clean ones
    - ``accuracy_adapted_of_<n>``: at severity 3, from n such images (or all, where there are fewer), the mean over three draws
      for each corruption, which are the run's own
    - ``accuracy_style``, ``accuracy_style_<s>``, ``accuracy_style_adapted``: where every image has a contrast and brightness of its
      own
    - ``kept_…``: each of these as a share of what the net knows on clean images, (accuracy − chance) / (accuracy_clean − chance) with
      chance = 1 / classes; undefined (NaN) for a net that knows next to nothing, less than ten points. ``kept_clean`` is 1.

    A net without running statistics has nothing to adapt: its adapted accuracies are its accuracies. Where a norm of the user's own
    keeps buffers and declares nothing of them, there are no adapted accuracies.
    """
    test, target = _part(splits.test, TEST), _part(splits.validation, TARGET)
    known = can_recalibrate(net)
    adaptable = known and bool(running_norms(net))
    clean = evaluate(net, test)["accuracy"]
    stored: dict[tuple[str, int], float] = {}
    adapted: dict[tuple[str, int], float] = {}
    amounts: dict[int, list[float]] = {amount: [] for amount in AMOUNTS}
    for name in (*CORRUPTIONS, *STYLES):
        for severity in SEVERITIES:
            asked = Split(_corrupted(test.images, config, name, severity), test.labels)
            stored[name, severity] = adapted[name, severity] = evaluate(net, asked)["accuracy"]
            if adaptable:
                others = _corrupted(target.images, config, name, severity, other=True)
                adapted[name, severity] = _adapted(net, asked, others)
            for amount in AMOUNTS if severity == MIDDLE and name in CORRUPTIONS else ():
                if not adaptable:
                    amounts[amount].append(stored[name, severity])
                    continue
                source = generator(config.seed, f"corruptions/{name}/{amount}")
                draws = [torch.randperm(len(others), generator=source)[:amount] for _ in range(DRAWS)]
                amounts[amount].append(_mean([_adapted(net, asked, others[draw]) for draw in draws]))
    measures = {"accuracy_clean": clean}
    measures["accuracy_clean_adapted"] = _adapted(net, test, target.images) if adaptable else clean
    for label, found_in in (("accuracy", stored), ("accuracy_adapted", adapted)):
        for severity in SEVERITIES:
            measures[f"{label}_{severity}"] = _mean([found_in[name, severity] for name in CORRUPTIONS])
        measures[label] = _mean([measures[f"{label}_{severity}"] for severity in SEVERITIES])
    measures |= {f"accuracy_adapted_of_{amount}": _mean(found) for amount, found in amounts.items()}
    measures |= {f"accuracy_{name}": _mean([stored[name, s] for s in SEVERITIES]) for name in (*CORRUPTIONS, *STYLES)}
    measures |= {f"accuracy_style_{s}": stored["style", s] for s in SEVERITIES}
    measures["accuracy_style_adapted"] = _mean([adapted["style", s] for s in SEVERITIES])
    measures |= _kept(measures, 1 / splits.classes)
    return measures if known else {name: value for name, value in measures.items() if "adapted" not in name}


def _kept(accuracies: dict[str, float], chance: float) -> dict[str, float]:
    """Every accuracy above chance as a share of the clean one above chance."""
    known = accuracies["accuracy_clean"] - chance
    return {
        name.replace("accuracy", "kept", 1): (value - chance) / known if known >= KNOWN else math.nan
        for name, value in accuracies.items()
    }


def _adapted(net: nn.Module, asked: Split, target: Tensor) -> float:
    changed = copy.deepcopy(net)
    adapt(changed, target)
    return evaluate(changed, asked)["accuracy"]


def _corrupted(images: Tensor, config: RunConfig, name: str, severity: int, other: bool = False) -> Tensor:
    """Standardized images under a corruption of what they show."""
    image_set = find_image_set(config.data.name)
    mean = torch.tensor(image_set.mean).view(1, -1, 1, 1) / image_set.white
    std = torch.tensor(image_set.std).view(1, -1, 1, 1) / image_set.white
    shown = (unshift_images(images.cpu(), config.data.shift) * std + mean).clamp(0, 1)
    changed = (corrupt(shown, name, severity, FIXED - other) - mean) / std
    return torch.empty_like(images).copy_(shift_images(changed, config.data.shift))


def _part(split: Split, count: int) -> Split:
    """Images from all over a split, which is sorted by nothing but may be by its file."""
    chosen = torch.linspace(0, len(split) - 1, min(count, len(split))).long()
    return Split(split.images[chosen], split.labels[chosen])


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
