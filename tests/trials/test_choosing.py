"""A choice among methods: the answer, what is left out and why, and where the time goes."""

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from normlab.commands.choose import choose as command
from normlab.data.own import import_images
from normlab.errors import NormlabError
from normlab.trials import choosing
from normlab.trials.answer import html, picture, save, table
from normlab.trials.choosing import Shelf, Wish, chosen
from normlab.trials.seconds import Seconds

NET = """
import torch
from torch import nn

class MyNet(nn.Module):
    def __init__(self, num_classes, norm_layer, in_channels):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(in_channels, 8, 3, padding=1), norm_layer(8), nn.ReLU(), nn.AdaptiveMaxPool2d(2), nn.Flatten())
        self.head = nn.Linear(32, num_classes)
    def forward(self, x):
        return self.head(self.body(x))
"""


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two classes of stripes, in which all can be learned; three seeds, one rate; costs are not measured."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(choosing, "SEEDS", 3)
    monkeypatch.setattr(choosing, "RATES", (0.1,))
    monkeypatch.setattr(
        choosing, "net_costs", lambda configs: [{"step": 1.0 + i, "saved_bytes": 1.0} for i in range(len(configs))]
    )
    source = np.random.default_rng(0)
    images = source.integers(0, 60, (300, 8, 8)).astype(np.uint8)
    labels = np.arange(300) % 2
    images[labels == 0, ::2] += 150
    images[labels == 1, :, ::2] += 150
    np.savez(tmp_path / "stripes.npz", images=images, labels=labels)
    import_images(tmp_path / "stripes.npz", "stripes")
    (tmp_path / "my_nets.py").write_text(NET)
    yield
    sys.path[:] = [folder for folder in sys.path if folder != str(tmp_path)]
    plt.close("all")


def wish(tmp_path: Path, **changed: object) -> Wish:
    values = {"data": "stripes", "net": f"{tmp_path / 'my_nets.py'}:MyNet", "batch_size": 16, "epochs": 2.0}
    return Wish(**{**values, "norms": ("none", "batch", "frn"), **changed})  # type: ignore[arg-type]


def test_ones_own_net_on_ones_own_images(tmp_path: Path) -> None:
    """What does not fit is left out with its reason; all else is reported on the same seeds, and the answer is kept."""
    found = chosen(wish(tmp_path), 2.0, results=tmp_path, jobs=1, listener=lambda tick: None)
    assert set(found.left_out) == {"frn"}
    assert "brings its activation" in found.left_out["frn"]
    rows = table(found)
    assert dict(zip(rows["method"], rows["n"], strict=True)) == {"none": 3, "batch": 3}
    assert rows["test_accuracy"].is_monotonic_decreasing
    assert (rows["lr"] == 0.0125).all()  # 0.1 at batches of 128
    page = save(found, tmp_path / "answer")
    assert {file.name for file in page.parent.iterdir()} == {"index.html", "choice.csv", "choice.png"}
    assert "left out" in page.read_text()
    assert picture(found).get_size_inches()[0] == 11
    again = chosen(
        wish(tmp_path), 2.0, results=tmp_path, jobs=1, listener=lambda tick: pytest.fail("nothing is left to do")
    )
    assert table(again).equals(rows)


def test_before_anything_is_known_it_says_so(tmp_path: Path) -> None:
    found = chosen(wish(tmp_path), 1e-6, results=tmp_path, jobs=1, listener=lambda tick: None)
    assert found.choice is None
    assert "Nothing is known yet" in html(found)
    assert table(found).empty


def test_methods_are_held_against_a_linear_model_on_the_same_images(tmp_path: Path) -> None:
    found = chosen(wish(tmp_path, norms=("none", "batch")), 2.0, results=tmp_path, jobs=1, listener=lambda tick: None)
    assert 0.6 < found.facts["linear"] < 1.0  # a few steps are enough to be above chance
    lower = dataclasses.replace(found, facts={**found.facts, "linear": 0.0})
    assert table(lower)["clears_linear"].all()
    assert "untrained" not in html(lower)
    higher = dataclasses.replace(found, facts={**found.facts, "linear": 1.0})
    assert not table(higher)["clears_linear"].any()
    assert "untrained" in html(higher)
    assert "100.0 %" in picture(higher).axes[0].get_xlabel()


def test_a_method_that_is_clearly_behind_is_given_less_time(tmp_path: Path) -> None:
    shelf = Shelf(wish(tmp_path, norms=("none", "batch", "group")), "cpu", tmp_path)
    look = shelf.look(Seconds(shelf.store), {})
    look.accuracies = {
        "none": {0: 0.50, 1: 0.51, 2: 0.49},
        "batch": {0: 0.90, 1: 0.91, 2: 0.905},
        "group": {0: 0.895, 1: 0.92, 2: 0.89},
    }
    assert {question.name: question.weight for question in look.questions()} == {
        "none": 0.1,
        "batch": 1.0,
        "group": 1.0,
    }


def test_the_recipe_is_that_of_its_images(tmp_path: Path) -> None:
    """Grey images are not flipped; validation is a fifth of what is left of them; what is said besides goes before."""
    shelf = Shelf(wish(tmp_path, overrides={"training.epochs": 3}), "cpu", tmp_path)
    config = shelf.composer({**shelf.base, "norm": "batch"})
    assert (config.data.augment, config.data.validation_size, config.training.epochs) == ("none", 50, 3)
    assert (config.schedule.name, config.optimizer.weight_decay) == ("one_cycle", 0.0005)


def test_the_command_takes_a_folder_and_says_the_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command(
        str(tmp_path / "stripes.npz"), "cnn", 16, 1.0, "none,batch", ["net.widths=[4]"], 1.0, str(tmp_path), 1, False
    )
    said = capsys.readouterr().out
    assert "★" in said
    assert "batch norm" in said
    assert "(a linear model" in said
    assert f"answer: {tmp_path}" in said


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"norms": ("batch", "bach")}, "unknown norm 'bach'"),
        ({"data": "nothing"}, "unknown data set 'nothing'"),
        ({"net": "resnte"}, "resnte"),
        ({"overrides": {"net.depht": 3}}, "net.depht"),
    ],
)
def test_what_is_not_there_is_told(changed: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(NormlabError, match=message):
        chosen(wish(tmp_path, **changed), 1.0, results=tmp_path, jobs=1, listener=lambda tick: None)
