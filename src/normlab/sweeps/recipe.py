"""Recipes: how a practitioner would train this, as a short list of overrides that everything else departs from."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from normlab.core.design import config_dirs
from normlab.errors import NormlabError


def load_recipe(name: str) -> dict[str, Any]:
    """The overrides of ``configs/recipe/<name>.yaml``.

    Raises:
        NormlabError: if there is none.
    """
    file = _file("recipe", name)
    if file is None:
        known = {file.stem for folder in config_dirs() for file in (folder / "recipe").glob("*.yaml")}
        raise NormlabError(f"unknown recipe {name!r}; there are {', '.join(sorted(known))}")
    return dict(_content(file, file.stat().st_mtime_ns))


def _file(group: str, option: str) -> Path | None:
    """The file of a group's option; normlab's own comes before one of the working directory."""
    plain = Path(option).name == option
    return next((f for folder in config_dirs() if plain and (f := folder / group / f"{option}.yaml").is_file()), None)


@lru_cache(maxsize=256)
def _content(file: Path, changed: int) -> Mapping[str, Any]:
    """What a file holds that was last ``changed`` then: a sweep asks for the same few of them thousands of times."""
    found = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}


def with_recipe(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """``overrides`` behind those of the recipe that they name, if they do: what they say themselves holds, and fields that an option chosen
    there lacks (as a linear net lacks ``net.head``) are left out.
    """
    if "recipe" not in overrides:
        return dict(overrides)
    own = {key: value for key, value in overrides.items() if key != "recipe"}
    return _fitting(load_recipe(str(overrides["recipe"])), own) | own


def in_words(words: Sequence[str]) -> list[str]:
    """A command line's overrides with ``recipe=<name>`` replaced by what it means, but for keys that have a word of their own."""
    named = [word for word in words if word.startswith("recipe=")]
    rest = [word for word in words if not word.startswith("recipe=")]
    if not named:
        return rest
    own = {key: value for key, _, value in (word.lstrip("+~").partition("=") for word in rest)}
    found = _fitting(load_recipe(named[-1].partition("=")[2]), own)
    return [*(f"{key}={_told(value)}" for key, value in found.items()), *rest]


def _fitting(recipe: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's overrides without those that are said otherwise, or that an option chosen otherwise does not have."""
    fields = {group: _fields(group, str(option)) for group, option in own.items() if "." not in group and option}

    def fits(key: str) -> bool:
        group, _, field = key.partition(".")
        known = fields.get(group)
        return key not in own and (not field or known is None or field in known)

    return {key: value for key, value in recipe.items() if fits(key)}


def _fields(group: str, option: str) -> set[str] | None:
    """The fields of a group's option; None if there is no such file."""
    file = _file(group, option)
    return set(_content(file, file.stat().st_mtime_ns)) if file else None


def _told(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value).replace(" ", "")
