"""Images of one's own: folders and arrays become a data set, and what is none is told in words."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from normlab.commands.data import data, is_source, taken_in
from normlab.config import RunConfig
from normlab.data import find_image_set
from normlab.data.batches import load_splits
from normlab.data.images import read
from normlab.data.own import import_images, own_names
from normlab.errors import NormlabError
from normlab.runs.key import versions

COLOURS = {"blue": (0, 0, 200), "green": (0, 180, 0), "red": (200, 0, 0)}


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def folder(root: Path, counts: dict[str, int], grey: bool = False, size: tuple[int, int] = (40, 30)) -> Path:
    """Images of one colour a class, of that size, brighter from one to the next."""
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for index in range(count):
            colour = COLOURS.get(name, (90, 90, 90))
            image = Image.new("RGB", size, tuple(min(255, part + index) for part in colour))
            (image.convert("L") if grey else image).save(root / name / f"{index:03d}.png")
    return root


def test_a_folder_a_class_becomes_a_data_set(tmp_path: Path) -> None:
    found = import_images(folder(tmp_path / "x", {"blue": 10, "green": 15, "red": 20}), "colours", side=16)
    arrays = read(find_image_set("colours"))
    assert found == find_image_set("colours")
    assert (found.shape, found.classes) == ((3, 16, 16), 3)
    assert np.bincount(arrays.test_labels).tolist() == [2, 3, 4]  # a fifth of each class
    assert np.bincount(arrays.train_labels).tolist() == [8, 12, 16]
    for label, name in enumerate(sorted(COLOURS)):
        brightest = arrays.train_images[arrays.train_labels == label].mean((0, 2, 3)).argmax()
        assert brightest == int(np.argmax(COLOURS[name]))
    assert own_names() == ["colours"]


def test_splits_that_are_there_are_kept(tmp_path: Path) -> None:
    folder(tmp_path / "x" / "train", {"a": 10, "b": 11})
    folder(tmp_path / "x" / "val", {"b": 3})
    import_images(tmp_path / "x", "split")
    arrays = read(find_image_set("split"))
    assert (len(arrays.train_labels), arrays.test_labels.tolist()) == (21, [1, 1, 1])
    assert arrays.train_images.shape[1:] == (3, 32, 32)


def test_grey_images_have_one_channel(tmp_path: Path) -> None:
    assert import_images(folder(tmp_path / "x", {"a": 10, "b": 10}, grey=True), "grey").shape == (1, 32, 32)


@pytest.mark.parametrize(
    ("images", "shape"),
    [
        (np.zeros((40, 12, 12), np.uint8), (1, 12, 12)),
        (np.zeros((40, 12, 12, 3), np.uint8), (3, 12, 12)),
        (np.zeros((40, 3, 12, 12), np.uint8), (3, 12, 12)),
        (np.zeros((40, 20, 12, 1), np.float32), (1, 12, 12)),
    ],
)
def test_arrays_may_have_any_usual_order(images: np.ndarray, shape: tuple[int, ...], tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", images=images, labels=np.arange(40) % 4 + 5)
    found = import_images(tmp_path / "x.npz", "arrays")
    assert (found.shape, found.classes) == (shape, 4)


def test_values_from_0_to_1_are_stretched_and_test_arrays_kept(tmp_path: Path) -> None:
    source = np.random.default_rng(0)
    train, test = source.random((40, 8, 8)), source.random((6, 8, 8))
    labels = np.array(["cat", "dog"] * 20)
    np.savez(tmp_path / "x.npz", x_train=train, y_train=labels, x_test=test, y_test=np.array(["dog"] * 6))
    import_images(tmp_path / "x.npz", "pets")
    arrays = read(find_image_set("pets"))
    np.testing.assert_array_equal(arrays.train_images[:, 0], np.rint(train * 255))
    assert arrays.test_labels.tolist() == [1] * 6


def test_a_run_reads_it_and_its_key_holds_what_it_holds(tmp_path: Path, make_config: Callable[..., RunConfig]) -> None:
    """Standardized by the training images; other images under the same name are other data."""
    source = np.random.default_rng(0).integers(0, 255, (80, 8, 8)).astype(np.uint8)
    labels = np.arange(80) % 4
    np.savez(tmp_path / "x.npz", images=source, labels=labels)
    import_images(tmp_path / "x.npz", "mine")
    sizes = {"data.train_size": 40, "data.validation_size": 16, "data.test_size": None, "data.batch_size": 8}
    config = make_config({"data": "own", "data.name": "mine", **sizes})
    splits = load_splits(config.data, 0)
    assert (splits.shape, splits.classes, len(splits.test)) == ((1, 8, 8), 4, 16)
    assert abs(float(splits.train.images.mean())) < 0.1
    first = versions(config)["data"]
    np.savez(tmp_path / "x.npz", images=255 - source, labels=labels)
    import_images(tmp_path / "x.npz", "mine")
    assert versions(config)["data"] != first


def test_the_command_takes_folders_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data([str(folder(tmp_path / "My Flowers", {"a": 10, "b": 10}))], None, 8, False)
    assert (
        "my_flowers: 2 classes, images of 3 × 8 × 8; use it as data=own data.name=my_flowers" in capsys.readouterr().out
    )
    assert taken_in(str(tmp_path / "My Flowers"), name="b") == "b"
    assert (is_source("digits"), is_source("./nowhere"), is_source("mnsit")) == (False, True, False)


FAULTS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "nowhere": (lambda p: p / "absent", "neither a folder of images nor an .npz"),
    "one class": (lambda p: folder(p / "x", {"a": 10}), "holds images of 1 classes"),
    "few": (lambda p: folder(p / "x", {"a": 10, "b": 3}), "class b has 3 images"),
    "no images": (lambda p: p, "holds images of 0 classes"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_holds_no_images_is_told(fault: str, tmp_path: Path) -> None:
    make, message = FAULTS[fault]
    (tmp_path / "empty").mkdir()
    with pytest.raises(NormlabError, match=message) as caught:
        import_images(make(tmp_path / "empty"), "x")
    assert "\n" not in str(caught.value)


ARRAYS = {
    "images and labels are wanted": {"pictures": np.zeros((4, 8, 8))},
    "for 3 labels": {"images": np.zeros((40, 8, 8)), "labels": np.arange(3)},
    "values from 0 to 300": {"images": np.linspace(0, 300, 40 * 64).reshape(40, 8, 8), "labels": np.arange(40) % 2},
    "pixels a side": {"images": np.zeros((40, 4, 4)), "labels": np.arange(40) % 2},
    "test label 9": {
        "images": np.zeros((40, 8, 8)), "labels": np.arange(40) % 2, "test_images": np.zeros((1, 8, 8)), "test_labels": [9],
    },
}  # fmt: skip


@pytest.mark.parametrize("message", ARRAYS)
def test_arrays_that_are_no_images_are_told(message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", **ARRAYS[message])  # type: ignore[arg-type]
    with pytest.raises(NormlabError, match=message):
        import_images(tmp_path / "x.npz", "x")


def test_a_file_that_is_no_image_or_archive_is_named(tmp_path: Path) -> None:
    folder(tmp_path / "x", {"a": 10, "b": 10})
    (tmp_path / "x" / "a" / "zzz.png").write_text("no image")
    with pytest.raises(NormlabError, match=r"zzz\.png cannot be read"):
        import_images(tmp_path / "x", "x")
    (tmp_path / "y.npz").write_text("no archive")
    with pytest.raises(NormlabError, match=r"y\.npz cannot be read"):
        import_images(tmp_path / "y.npz", "x")


@pytest.mark.parametrize(("name", "message"), [("No Name", "is no name for a data set"), ("../x", "is no name")])
def test_names_are_plain(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(NormlabError, match=message):
        import_images(tmp_path, name)
    with pytest.raises(NormlabError, match="name of another data set"):
        taken_in(str(folder(tmp_path / "mnist", {"a": 10, "b": 10})))
    with pytest.raises(NormlabError, match="unknown data set 'nowhere'"):
        find_image_set("nowhere")
