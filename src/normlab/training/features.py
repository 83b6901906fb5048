"""How much the features of a trained net tell a simple classifier, on its own data and on other images."""

import warnings
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from normlab.config import DataConfig, RunConfig
from normlab.data import find_image_set
from normlab.data.batches import Split, Splits, as_trained, load_splits, shifted
from normlab.training.statistics import recalibrate

TRAIN, TEST, NEIGHBOURS = 2000, 2000, 10


def features(net: nn.Module, config: RunConfig, splits: Splits) -> dict[str, float]:
    """Test accuracy of classifiers on the net's penultimate features (what its linear head reads), standardized; the net is in
    evaluation mode with recalibrated statistics.

    ``linear``: multinomial logistic regression with unit L2 penalty; ``neighbours``: the 10 nearest; both fitted on at
    most 2,000 training images. ``other_linear`` and ``other_neighbours``: the same on another data set's images, resized
    to this net's input, where there is one.
    """
    first = replace(splits.train, images=splits.train.images[:TRAIN], labels=splits.train.labels[:TRAIN])
    recalibrate(net, as_trained(first, config.data, config.seed))
    return _probe(net, splits.train, splits.test, "") | _on_other(net, config, splits)


def _on_other(net: nn.Module, config: RunConfig, splits: Splits) -> dict[str, float]:
    name = find_image_set(config.data.name).other
    if name is None:
        return {}
    sizes = DataConfig(name=name, train_size=TRAIN, validation_size=100, test_size=TEST)
    other = load_splits(sizes, config.seed)

    def fitted(split: Split) -> Split:
        resized = F.interpolate(split.images, size=splits.shape[1:], mode="bilinear", antialias=True)
        images = resized.mean(1, keepdim=True).expand(-1, splits.shape[0], -1, -1)
        return shifted(Split(images.to(splits.test.images.device), split.labels), config.data.shift)

    return _probe(net, fitted(other.train), fitted(other.test), "other_")


def _probe(net: nn.Module, train: Split, test: Split, prefix: str) -> dict[str, float]:
    from sklearn.exceptions import ConvergenceWarning  # here: most of what knows of this evaluation never makes it
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.preprocessing import StandardScaler

    fitted_on, asked_of = (_penultimate(net, split.images[:count]) for split, count in ((train, TRAIN), (test, TEST)))
    labels, truth = train.labels[:TRAIN].cpu().numpy(), test.labels[:TEST].cpu().numpy()
    scaler = StandardScaler().fit(fitted_on)
    measures = {}
    for name, classifier in (
        ("linear", LogisticRegression(C=1.0, max_iter=500)),
        ("neighbours", KNeighborsClassifier(NEIGHBOURS)),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # 500 iterations are the definition, converged or not
            classifier.fit(scaler.transform(fitted_on), labels)
        measures[f"{prefix}{name}"] = float(np.mean(classifier.predict(scaler.transform(asked_of)) == truth))
    return measures


@torch.no_grad()
def _penultimate(net: nn.Module, images: Tensor) -> np.ndarray:
    """(N, features): what the last linear layer reads, in evaluation mode."""
    head = [m for m in net.modules() if isinstance(m, nn.Linear)][-1]
    found: list[Tensor] = []
    handle = head.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0].float().cpu()))
    net.eval()
    for batch in images.split(500):
        net(batch)
    handle.remove()
    return torch.cat(found).numpy()
