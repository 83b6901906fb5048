"""What simple models of scikit-learn reach on the same scenes: every net has to be better."""

import json
from functools import lru_cache

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from scipy import ndimage
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from normlab.config import RunConfig
from normlab.core.claim import Text
from normlab.data import find_image_set
from normlab.data.scenes import INK, Scenes, load_scenes
from normlab.errors import NormlabError
from normlab.report.results import Results
from normlab.tasks import detection, segmentation

GRIDS = {"segmentation": ("outlined", "test_iou"), "detection": ("found", "test_average_precision")}
PATCH = 13  # pixels around one, by which it is told what stands there
PIXELS = 20_000  # that the model of pixels is fitted to
CROP = 16  # pixels of a side that a piece is resized to
LEAST = 6  # pixels of a side of a piece that may be a thing


def baselines(results: Results) -> pd.DataFrame:
    """A row a setting, arm and batch: its measure beside that of the simple model; ``cleared``: it is better."""
    rows = []
    for setting, config in results.configs.items():
        grid, measure = GRIDS[config.task]
        found = results.select(grid, setting=setting, level="best")
        for (arm, batch), runs in found.groupby(["norm", "batch"], sort=False) if len(found) else ():
            values = results.values(runs, measure)
            mean, simple = float(np.mean(values)), simple_model(results, setting)
            rows.append(
                {
                    "setting": setting,
                    "data": results.title(setting),
                    "arm": arm,
                    "batch": batch,
                    "n": len(values),
                    "measure": measure,
                    "value": mean,
                    "simple_model": simple,
                    "cleared": mean > simple if simple == simple else None,
                    "diverged": int((runs["status"] == "diverged").sum()),
                }
            )
    return pd.DataFrame(rows)


def simple_model(results: Results, setting: str) -> float:
    """What the simple model of a setting reaches: as it was found before, where the data are not there; else NaN."""
    try:
        return _fitted(json.dumps(results.configs[setting].plain()))
    except NormlabError:
        before = results.bar(setting)
        return before.value if before else float("nan")


@lru_cache(maxsize=4)
def _fitted(text: str) -> float:
    """Pixels: logistic regression on the 13×13 pixels around each. Boxes: connected pieces of ink, logistic regression on each piece
    resized to 16×16, pieces of clutter being a class of their own.
    """
    config = RunConfig.parse(json.loads(text))
    scenes, classes = load_scenes(config.data, config.seed), find_image_set(config.data.name).classes
    return (_outlined if config.task == "segmentation" else _found)(scenes.train, scenes.test, classes)


def _patches(images: Tensor) -> Tensor:
    """(N, 1, H, W) → (N·H·W, 169)."""
    return F.unfold(images, PATCH, padding=PATCH // 2).transpose(1, 2).flatten(0, 1)


def _outlined(train: Scenes, test: Scenes, classes: int) -> float:
    masks, source = train.masks.flatten(), np.random.default_rng(0)
    things, others = ((masks > 0).nonzero()[:, 0].numpy(), (masks == 0).nonzero()[:, 0].numpy())
    chosen = np.concatenate([source.choice(part, PIXELS // 2, replace=False) for part in (things, others)])
    side = train.masks.shape[1] * train.masks.shape[2]
    padded = F.pad(train.images, [PATCH // 2] * 4)
    rows = []
    for place in chosen:
        scene, pixel = divmod(int(place), side)
        row, column = divmod(pixel, train.masks.shape[2])
        rows.append(padded[scene, 0, row : row + PATCH, column : column + PATCH].flatten())
    model = LogisticRegression(max_iter=300).fit(torch.stack(rows).numpy(), masks[chosen].numpy())
    said = [torch.from_numpy(model.predict(_patches(image[None]).numpy())) for image in test.images]
    logits = F.one_hot(torch.stack(said).view_as(test.masks), 1 + classes).movedim(-1, 1).float()
    return segmentation.mean_iou(logits, test.masks)


def _pieces(image: Tensor) -> list[tuple[list[float], np.ndarray]]:
    """Connected pieces of ink that are large enough: the box of each, and what is in it."""
    found = []
    labelled, _ = ndimage.label(image.numpy() >= INK, structure=np.ones((3, 3)))
    for rows, columns in ndimage.find_objects(labelled):
        if max(rows.stop - rows.start, columns.stop - columns.start) >= LEAST:
            inside = F.interpolate(image[None, None, rows, columns], size=(CROP, CROP), mode="bilinear")
            found.append(([columns.start, rows.start, columns.stop, rows.stop], inside.flatten().numpy()))
    return found


def _found(train: Scenes, test: Scenes, classes: int) -> float:
    rows, labels = [], []
    for image, boxes, kinds in zip(train.images, train.boxes, train.classes, strict=True):
        for box, inside in _pieces(image[0]):
            overlaps = [
                _overlap(box, true.tolist()) if kind >= 0 else 0.0 for true, kind in zip(boxes, kinds, strict=True)
            ]
            best = int(np.argmax(overlaps))
            rows.append(inside)
            labels.append(int(kinds[best]) if overlaps[best] >= 0.5 else classes)
    model = LogisticRegression(max_iter=300).fit(np.stack(rows), labels)
    said = []
    for image in test.images:
        pieces = _pieces(image[0])
        shares = (
            model.predict_proba(np.stack([inside for _, inside in pieces]))
            if pieces
            else np.zeros((0, len(model.classes_)))
        )
        shares = torch.from_numpy(shares[:, model.classes_ < classes])
        scores, kinds = shares.max(1) if len(shares) else (torch.zeros(0), torch.zeros(0, dtype=torch.int64))
        boxes = torch.tensor([box for box, _ in pieces], dtype=torch.float32).view(-1, 4)
        said.append({"boxes": boxes, "scores": scores, "labels": torch.from_numpy(model.classes_)[kinds]})
    there = [{"boxes": b[c >= 0], "labels": c[c >= 0]} for b, c in zip(test.boxes, test.classes, strict=True)]
    return detection.precision_of(said, there, classes)


def _overlap(one: list[float], other: list[float]) -> float:
    """Intersection over union of two boxes."""
    width = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    height = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return width * height / (sum(areas) - width * height)


PUBLISHED = {
    "baselines_scenes": (
        Text("Detection, segmentation: are the nets trained?", "検出・セグメンテーション:ネットは学習できているか"),
        baselines,
    )
}
