"""A recipe means the same in a design, in a notebook and on a command line, and what stands beside it holds."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from normlab.core.design import config_dir
from normlab.errors import NormlabError
from normlab.runs.key import run_key
from normlab.runs.store import Store
from normlab.sweeps.compose import Composer
from normlab.sweeps.recipe import in_words, load_recipe, with_recipe

RECIPES = sorted(file.stem for file in (config_dir() / "recipe").glob("*.yaml"))


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_what_its_overrides_say(name: str, composer: Composer) -> None:
    assert run_key(composer({"recipe": name, "norm": "group"})) == run_key(
        composer(load_recipe(name) | {"norm": "group"})
    )
    # "both" leaves norms out where they cannot stand: sites would differ.
    assert composer({"recipe": name}).net.norm_in != "both"


def test_what_stands_beside_it_holds(composer: Composer) -> None:
    config = composer({"training.epochs": 16, "recipe": "V"})
    assert (config.training.epochs, config.data.train_size) == (16, 20_000)
    words = in_words(["recipe=M", "data=fashion_mnist", "optimizer.lr=0.1,0.3"])
    assert "data=mnist" not in words
    assert words[-2:] == ["data=fashion_mnist", "optimizer.lr=0.1,0.3"]
    assert "net.widths=[16,32]" in words
    assert with_recipe({"norm": "batch"}) == {"norm": "batch"}


def test_fields_that_an_option_chosen_otherwise_lacks_are_left_out(composer: Composer) -> None:
    config = composer({"recipe": "V", "net": "linear", "net.widths": [], "norm": "none"})
    assert (config.net.name, config.net.head, config.data.train_size) == ("linear", "average", 20_000)
    residual = composer({"recipe": "V", "net": "resnet", "net.depth": 8})
    assert (residual.net.norm_in, residual.net.widths) == ("conv", (16, 32, 64))
    words = in_words(["recipe=M", "optimizer=adam"])
    assert not any(word.startswith("optimizer.nesterov") for word in words)
    assert "optimizer.weight_decay=0.0005" in words


def test_an_unknown_recipe_is_an_error(composer: Composer) -> None:
    with pytest.raises(NormlabError, match="unknown recipe 'W'; there are"):
        composer({"recipe": "W"})


def test_on_the_command_line(
    tmp_path: Path, call: Callable[..., subprocess.CompletedProcess[str]], composer: Composer
) -> None:
    small = {
        "data": "digits",
        "data.train_size": 100,
        "data.validation_size": 50,
        "training.epochs": 1,
        "net.widths": [4],
    }
    words = [f"{key}={value}".replace(" ", "") for key, value in small.items()]
    done = call("train.py", "recipe=M", *words, "norm=layer", "data.batch_size=20")
    assert done.returncode == 0, done.stderr
    config = composer({"recipe": "M", **small, "norm": "layer", "data.batch_size": 20})
    assert run_key(config) in Store(tmp_path / "results" / "quick").refresh()
    done = call("train.py", "recipe=nothing")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
