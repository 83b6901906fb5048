"""Scenes: what is said to stand in them does, and who shares which."""

import numpy as np
import pytest
import torch

from normlab.config import DataConfig
from normlab.data import scenes
from normlab.data.images import Arrays
from normlab.data.scenes import APART, INK, SIDE, SIZES, compose, load_scenes


def bars(count: int = 300) -> Arrays:
    """Images of 28×28: lying bars (class 0) and standing ones (class 1), on nothing, of lengths and places of their own."""
    source = np.random.default_rng(0)
    images, labels = np.zeros((count, 1, 28, 28), np.uint8), (np.arange(count) % 2).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        length, row, column = source.integers(14, 20), source.integers(2, 8), source.integers(2, 8)
        shape = (6, length) if label == 0 else (length, 6)
        image[0, row : row + shape[0], column : column + shape[1]] = 255
    half = count // 2
    return Arrays(images[:half], labels[:half], images[half:], labels[half:])


@pytest.fixture
def things() -> tuple[torch.Tensor, torch.Tensor]:
    made = bars()
    return torch.from_numpy(made.train_images).float() / 255, torch.from_numpy(made.train_labels.astype(np.int64))


def drawn(things: tuple[torch.Tensor, torch.Tensor], count: int = 60, seed: int = 0) -> scenes.Scenes:
    return compose(*things, count, torch.Generator().manual_seed(seed))


def test_boxes_are_those_of_the_pixels_of_things(things: tuple[torch.Tensor, torch.Tensor]) -> None:
    made = drawn(things)
    alone = [s for s in range(len(made)) if (made.classes[s] >= 0).sum() == 1]
    assert len(alone) > 5
    for scene in alone:
        rows, columns = (made.masks[scene] > 0).nonzero().T
        box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert made.boxes[scene, 0].tolist() == [float(side) for side in box]
        assert set(made.masks[scene].unique().tolist()) == {0, 1 + int(made.classes[scene, 0])}
        assert (made.images[scene, 0][made.masks[scene] > 0] >= INK).all()


def test_the_shape_of_a_box_is_that_of_its_class(things: tuple[torch.Tensor, torch.Tensor]) -> None:
    made = drawn(things)
    there = made.classes >= 0
    sides = (made.boxes[..., 2:] - made.boxes[..., :2])[there]
    lying = made.classes[there] == 0
    assert ((sides[:, 0] > sides[:, 1]) == lying).all()
    assert sides.max() <= max(SIZES)


def test_things_hide_little_of_each_other_and_stay_inside(things: tuple[torch.Tensor, torch.Tensor]) -> None:
    made = drawn(things)
    for boxes, classes in zip(made.boxes, made.classes, strict=True):
        found = boxes[classes >= 0]
        assert (found >= 0).all()
        assert (found <= SIDE).all()
        for place, one in enumerate(found):
            for other in found[:place]:
                width, height = (torch.minimum(one[2:], other[2:]) - torch.maximum(one[:2], other[:2])).clamp(min=0)
                areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
                assert width * height <= APART * min(areas) + 1e-4


def test_centres_are_apart(things: tuple[torch.Tensor, torch.Tensor]) -> None:
    made = drawn(things, 200)
    for boxes, classes in zip(made.boxes, made.classes, strict=True):
        centres = ((boxes[:, :2] + boxes[:, 2:]) / 2)[classes >= 0]
        for place, one in enumerate(centres):
            assert all((one - other).abs().max() >= scenes.CENTRES for other in centres[:place])


def test_parts_are_made_of_different_images(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, pools = bars(), []
    shades = np.arange(len(whole.train_images), dtype=np.uint8)
    marked = whole._replace(
        train_images=whole.train_images // 255 * (100 + shades % 150)[:, None, None, None],
        test_images=whole.test_images // 255 * 255,
    )

    def spy(images: torch.Tensor, labels: torch.Tensor, count: int, source: torch.Generator) -> scenes.Scenes:
        pools.append({image.numpy().tobytes() for image in images})
        return compose(images, labels, count, source)

    monkeypatch.setattr(scenes, "_arrays", lambda _: marked)
    monkeypatch.setattr(scenes, "HELD_OUT", 50)
    monkeypatch.setattr(scenes, "compose", spy)
    scenes._composed.cache_clear()
    load_scenes(DataConfig(name="mnist", train_size=5, validation_size=5, test_size=5, batch_size=5), 0)
    scenes._composed.cache_clear()
    train, validation, test = pools
    assert not train & validation
    assert not test & (train | validation)
    assert len(validation) == 50


def test_a_generator_decides_scenes(things: tuple[torch.Tensor, torch.Tensor]) -> None:
    one, same, other = drawn(things, 5), drawn(things, 5), drawn(things, 5, seed=1)
    assert torch.equal(one.images, same.images)
    assert torch.equal(one.boxes, same.boxes)
    assert not torch.equal(one.images, other.images)


def test_seeds_differ_in_training_scenes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenes, "_arrays", lambda _: bars())
    monkeypatch.setattr(scenes, "HELD_OUT", 50)
    scenes._composed.cache_clear()
    config = DataConfig(name="mnist", train_size=20, validation_size=10, test_size=10, batch_size=10)
    one, other = load_scenes(config, 0), load_scenes(config, 1)
    scenes._composed.cache_clear()
    assert not torch.equal(one.train.images, other.train.images)
    assert torch.equal(one.validation.images, other.validation.images)
    assert torch.equal(one.test.masks, other.test.masks)
