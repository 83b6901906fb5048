"""How good made images are: compared with real ones in the features of a classifier that is trained here, on the same data set."""

import io
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

from normlab.config import RunConfig
from normlab.core.record import write_atomically
from normlab.data import find_image_set
from normlab.data.images import data_dir, read
from normlab.errors import first_line
from normlab.tasks import images
from normlab.training import loop

VERSION = 2  # of the classifier, which what a run measures hangs on
NEIGHBOURS = 3
MOST, VALIDATION, STEPS = 20_000, 300, 600  # images that it learns from, images for validation, about how many steps
# Two convolutions without norm, so that no arm's own norm judges it.
CLASSIFIER = {
    "net": {"name": "cnn", "widths": [16, 32], "head": "flatten", "hidden": 64, "norm_in": "conv"},
    "norm": {"name": "none"},
    "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.0005},
    "schedule": {"name": "one_cycle", "warmup": 0.2},
    "numerics": {"device": "cpu"},
    "measure": {"final": "validation", "validate_every": 1000.0},
    "seed": 0,
}


@lru_cache(maxsize=2)
def features_of(data: str) -> nn.Module:
    """The classifier of a data set up to its hidden layer: images (N, C, H, W) → features (N, 64). It is trained when it is first asked
    for, with one thread, and kept beside the data.
    """
    there = len(read(find_image_set(data)).train_labels) - VALIDATION
    size = min(MOST, there)
    batch = 128 if size > 5000 else 32
    known = {
        "name": data,
        "train_size": size if size < there else None,
        "validation_size": VALIDATION,
        "batch_size": batch,
    }
    config = RunConfig.parse(CLASSIFIER | {"data": known, "training": {"epochs": max(3, STEPS * batch // size)}})
    net = images.net_of(config)
    file = data_dir() / "normlab" / "classifiers" / f"{data}-{find_image_set(data).version}-{VERSION}.pt"
    weights = _kept(file)
    if weights is None:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with torch.enable_grad():  # it is asked for where nets are measured
                weights = loop.run(images.make(config, torch.device("cpu"), None), config).weights
        finally:
            torch.set_num_threads(threads)
        content = io.BytesIO()
        torch.save(weights, content)
        write_atomically(file, content.getvalue())
    net.load_state_dict(weights)
    net.eval().requires_grad_(requires_grad=False)
    assert isinstance(net, nn.Sequential)
    return net[:-1]


def _kept(file: Path) -> dict[str, Tensor] | None:
    """The weights in a file; None where there is none, or a broken one."""
    if not file.exists():
        return None
    try:
        found: dict[str, Tensor] = torch.load(file, weights_only=True)
    except Exception as error:  # a file cut short: it is made again
        print(f"{file} is broken ({first_line(error)}) and made again")
        return None
    return found


def measures(real: Tensor, made: Tensor) -> dict[str, float]:
    """Of features of real and made images (N, D): their Fréchet distance, and the precision and recall of the latter."""
    precision, recall = precision_and_recall(real, made)
    return {"frechet": frechet(real, made), "precision": precision, "recall": recall}


def frechet(first: Tensor, second: Tensor) -> float:
    """|μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2·(Σ₁Σ₂)^½) of two samples (N, D), the squared Fréchet distance of normal distributions with their
    moments (Dowson & Landau 1982).
    """
    means, covariances = zip(*((x.double().mean(0), torch.cov(x.double().T)) for x in (first, second)), strict=True)
    values, vectors = torch.linalg.eigh(covariances[0])
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ covariances[1] @ root).clamp(min=0).sqrt().sum()
    apart = (means[0] - means[1]).square().sum()
    return float(apart + covariances[0].trace() + covariances[1].trace() - 2 * cross)


def precision_and_recall(real: Tensor, made: Tensor, neighbours: int = NEIGHBOURS) -> tuple[float, float]:
    """The share of made images that lie where real ones do, and of real ones that lie where made ones do. A sample lies where others do if
    one of them is nearer to it than to its own third neighbour.

    Paper: Kynkäänniemi et al. 2019.
    """
    return _inside(made, real, neighbours), _inside(real, made, neighbours)


def _inside(points: Tensor, others: Tensor, neighbours: int) -> float:
    reach = torch.cdist(others, others).kthvalue(neighbours + 1, dim=1).values  # the nearest is itself
    near = torch.cdist(points, others) <= reach
    return near.any(1).double().mean().item()
