"""Segmentation and detection: their losses and measures by formula, and nets that learn."""

import builtins
from typing import Any

import pytest
import torch
from torch import Tensor

from normlab.data.batches import Split, Splits
from normlab.data.scenes import MOST, SIDE, Scenes, compose
from normlab.errors import NormlabError
from normlab.nets.detector import BOX, STRIDE
from normlab.sweeps.compose import Composer
from normlab.tasks import detection, segmentation
from tests.data.test_scenes import bars

CLASSES = 2


def some_scenes(count: int = 30) -> Scenes:
    made = bars()
    images, labels = torch.from_numpy(made.train_images).float() / 255, torch.from_numpy(made.train_labels).long()
    return compose(images, labels, count, torch.Generator().manual_seed(0))


def told(masks: Tensor, classes: int) -> Tensor:
    """Logits that say just that."""
    return 20.0 * torch.nn.functional.one_hot(masks, classes).movedim(-1, 1).float()


def test_mean_iou_is_counted_over_all_pixels_of_all_images() -> None:
    masks = torch.tensor([[[0, 0], [1, 1]], [[0, 0], [0, 2]]])
    said = torch.tensor([[[0, 1], [1, 1]], [[0, 0], [0, 0]]])
    # class 0: both 4 of 5 + 5 − 4 = 6; class 1: 2 of 2 + 3 − 2 = 3; class 2: 0 of 1; class 3 is nowhere
    assert segmentation.mean_iou(told(said, 4), masks) == pytest.approx((4 / 6 + 2 / 3 + 0) / 3)
    assert segmentation.mean_iou(told(masks, 4), masks) == 1.0


def test_things_and_nothing_count_alike_in_the_loss() -> None:
    logits, masks = torch.randn(2, 3, 4, 4), torch.zeros(2, 4, 4, dtype=torch.int64)
    masks[0, 1, :2] = torch.tensor([1, 2])
    found = torch.nn.functional.cross_entropy(logits, masks, reduction="none")
    expected = (found[masks > 0].mean() + found[masks == 0].mean()) / 2
    torch.testing.assert_close(segmentation.loss(logits, masks), expected)


def test_ignorance_is_the_loss_of_the_best_that_says_the_same_of_every_pixel() -> None:
    made = some_scenes()
    splits = Splits(*[Split(made.images, made.masks)] * 3, (1, SIDE, SIDE), 1 + CLASSES)
    counts = torch.bincount(made.masks.flatten())[1:].double()
    best = torch.cat([torch.tensor([0.5], dtype=torch.float64), counts / counts.sum() / 2]).log()
    said = best[None, :, None, None].expand(len(made), -1, SIDE, SIDE)
    assert segmentation.ignorance(splits) == pytest.approx(segmentation.loss(said, made.masks).item())
    worse = said + 0.1 * torch.randn(1, 1 + CLASSES, 1, 1)
    assert segmentation.loss(worse, made.masks) > segmentation.ignorance(splits)


def test_targets_hold_the_boxes_and_classes_of_scenes() -> None:
    made = some_scenes()
    for scene, found in enumerate(detection.boxes_of(detection.targets(made, CLASSES))):
        there = made.classes[scene] >= 0
        wanted = sorted(zip(made.boxes[scene, there].tolist(), made.classes[scene, there].tolist(), strict=True))
        boxes = [[round(side, 3) for side in box] for box in found["boxes"].tolist()]
        assert sorted(zip(boxes, found["labels"].tolist(), strict=True)) == wanted


def perfect(wanted: Tensor) -> Tensor:
    """Outputs that tell of just what stands there."""
    heat, boxes = wanted[:, :CLASSES], wanted[:, CLASSES:-1]
    return torch.cat([torch.where(heat == 1, 10.0, -10.0), boxes], dim=1)


def test_average_precision_is_one_for_what_is_right_and_falls_with_what_is_wrong() -> None:
    wanted = detection.targets(some_scenes(), CLASSES)
    outputs = perfect(wanted)
    assert detection.average_precision(outputs, wanted) == pytest.approx(1.0)
    others = outputs.clone()
    others[:, :CLASSES] = outputs[:, :CLASSES].flip(1)
    assert detection.average_precision(others, wanted) < 0.05
    # Boxes moved by a tenth of their width overlap by 9/11: right at the seven overlaps of 0.5 to 0.8 of ten.
    moved = outputs.clone()
    width = outputs[:, CLASSES] + outputs[:, CLASSES + 2]
    moved[:, CLASSES] -= width / 10
    moved[:, CLASSES + 2] += width / 10
    assert detection.average_precision(moved, wanted) == pytest.approx(0.7)
    assert detection.average_precision(torch.full_like(outputs, -30.0), wanted) < 0.05


def test_what_is_told_of_where_nothing_is_counts_against_it_whatever_its_box() -> None:
    wanted = detection.targets(some_scenes(), CLASSES)
    found = []
    for right in (2.0, -5.0):  # a proper box, and one turned inside out
        outputs = perfect(wanted)
        corner = outputs[:, :, 0, 0]
        free = wanted[:, -1, 0, 0] == 0
        corner[free] = torch.tensor([20.0, 20.0, 1.0, 1.0, right, 1.0])  # surer than of anything that is there
        found.append(detection.average_precision(outputs, wanted))
    assert found[0] == pytest.approx(found[1])
    assert found[0] < 0.8


def test_one_thing_of_two_that_is_not_told_of_halves_it() -> None:
    made = some_scenes()
    wanted = detection.targets(made, CLASSES)
    silent = perfect(wanted)
    silent[: len(made) // 2, :CLASSES] = -30.0  # scores of 1e-13, below all others
    found = detection.average_precision(silent, wanted)
    shares = []
    for label in range(CLASSES):
        there = (made.classes == label).sum(1)
        shares.append((there[len(made) // 2 :].sum() / there.sum()).item())
    assert found == pytest.approx(sum(shares) / CLASSES, abs=0.02)  # over 101 recalls


def test_the_detection_loss_is_its_formula() -> None:
    wanted = detection.targets(some_scenes(3), CLASSES)
    outputs = torch.randn(3, CLASSES + BOX, SIDE // STRIDE, SIDE // STRIDE)
    p, y, centre = torch.sigmoid(outputs[:, :CLASSES]), wanted[:, :CLASSES], wanted[:, -1]
    things = centre.sum()
    focal = torch.where(y == 1, (1 - p) ** 2 * p.log(), (1 - y) ** 4 * p**2 * (1 - p).log()).sum() / things
    sides = (outputs[:, CLASSES:] - wanted[:, CLASSES:-1]).abs().mean(1)
    expected = -focal + sides[centre > 0].mean()
    torch.testing.assert_close(detection.loss(outputs, wanted), expected)
    assert things <= 3 * MOST


def test_no_detector_that_says_the_same_everywhere_has_a_lower_loss_than_ignorance() -> None:
    made = some_scenes()
    wanted = detection.targets(made, CLASSES)
    ignorant = detection.ignorance(Splits(*[Split(made.images, wanted)] * 3, (1, SIDE, SIDE), CLASSES))
    said = torch.zeros(CLASSES + BOX, requires_grad=True)
    optimizer = torch.optim.Adam([said], lr=0.1)
    for _ in range(300):
        found = detection.loss(said[None, :, None, None].expand(len(made), -1, *wanted.shape[2:]), wanted)
        found.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert found.item() == pytest.approx(ignorant, rel=0.01)
    assert detection.loss(perfect(wanted), wanted) < 0.05 * ignorant


def test_where_pycocotools_is_not_installed_a_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **options: Any) -> Any:
        if name.startswith("pycocotools"):
            raise ImportError(name)
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    wanted = detection.targets(some_scenes(2), CLASSES)
    with pytest.raises(NormlabError, match=r"pip install 'normlab\[detection\]'"):
        detection.average_precision(perfect(wanted), wanted)
    with pytest.raises(NormlabError, match=r"pip install 'normlab\[detection\]'"):  # before anything is trained
        detection.make(Composer()({"task": "detection", "data": "mnist", "net": "detector"}), torch.device("cpu"), None)
