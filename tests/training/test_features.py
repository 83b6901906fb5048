"""Probes of features: nets whose features tell everything, and nothing."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from normlab.config import RunConfig
from normlab.data.batches import Split, Splits, load_splits
from normlab.training.features import features


class Leaky(nn.Module):
    """Features that hold the class, which is written into the first pixel."""

    def __init__(self, leak: bool) -> None:
        super().__init__()
        self.leak = leak
        self.head = nn.Linear(11, 10)

    def forward(self, input: Tensor) -> Tensor:
        hidden = torch.zeros(len(input), 11) + 1e-3 * input.flatten(1)[:, 1:2]
        if self.leak:
            hidden[torch.arange(len(input)), input[:, 0, 0, 0].long()] = 5.0
        logits: Tensor = self.head(hidden)
        return logits


@pytest.mark.parametrize(("leak", "least", "most"), [(True, 1.0, 1.0), (False, 0.0, 0.35)])
def test_probes_find_what_features_hold(
    make_config: Callable[..., RunConfig], leak: bool, least: float, most: float
) -> None:
    config = make_config({"data.train_size": 500})
    splits = load_splits(config.data, 0)

    def marked(split: Split) -> Split:
        images = split.images.clone()
        images[:, 0, 0, 0] = split.labels.float()
        return Split(images, split.labels)

    told = Splits(marked(splits.train), marked(splits.validation), marked(splits.test), splits.shape, splits.classes)
    found = features(Leaky(leak), config, told)
    assert set(found) == {"linear", "neighbours"}  # embedded digits have no other data set
    assert all(least <= value <= most for value in found.values())
