"""Recipes: how a practitioner would train this, as a short list of overrides that everything else departs from."""

from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import OmegaConf

from normlab.core.design import config_dirs
from normlab.errors import NormlabError


def load_recipe(name: str) -> dict[str, Any]:
    """The overrides of ``configs/recipe/<name>.yaml``.

    Raises:
        NormlabError: if there is none.
    """
    files = {file.stem: file for folder in config_dirs()[::-1] for file in (folder / "recipe").glob("*.yaml")}
    if name not in files:
        raise NormlabError(f"unknown recipe {name!r}; there are {', '.join(sorted(files))}")
    found = OmegaConf.to_container(OmegaConf.load(files[name]))
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}


def with_recipe(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """``overrides`` behind those of the recipe that they name, if they do: what they say themselves holds."""
    if "recipe" not in overrides:
        return dict(overrides)
    own = {key: value for key, value in overrides.items() if key != "recipe"}
    return {key: value for key, value in load_recipe(str(overrides["recipe"])).items() if key not in own} | own


def in_words(words: Sequence[str]) -> list[str]:
    """A command line's overrides with ``recipe=<name>`` replaced by what it means, but for keys that have a word of their own."""
    named = [word for word in words if word.startswith("recipe=")]
    rest = [word for word in words if not word.startswith("recipe=")]
    if not named:
        return rest
    keys = {word.lstrip("+~").partition("=")[0] for word in rest}
    found = load_recipe(named[-1].partition("=")[2])
    return [*(f"{key}={_told(value)}" for key, value in found.items() if key not in keys), *rest]


def _told(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value).replace(" ", "")
