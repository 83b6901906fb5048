"""Overrides to run configurations, composing each combination of groups once."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from normlab.config import RunConfig
from normlab.core.design import config_dir, config_dirs
from normlab.errors import NormlabError
from normlab.sweeps.recipe import with_recipe

GROUPS = ("data", "net", "norm", "optimizer", "schedule", "scale")


class Composer:
    """Turns overrides (``{"norm": "batch", "optimizer.lr": 0.1}``) into checked configurations.

    Hydra composes the whole once, and every option is read once, alone: no group's options reach into another's. An option with a defaults
    list of its own is Hydra's to compose, too. Values are set on the plain result, in the order given.
    """

    def __init__(self) -> None:
        self._options: dict[tuple[str, str] | None, dict[str, Any]] = {}
        self._composed: dict[tuple[tuple[str, str], ...], str] = {}

    def _option(self, choice: tuple[str, str] | None) -> dict[str, Any]:
        """The whole configuration with one group's option chosen, or none; of a plain option that group alone."""
        if choice not in self._options and (plain := _plain_option(choice)) is not None:
            self._options[choice] = plain
        if choice not in self._options:
            overrides = [f"{choice[0]}={choice[1]}"] if choice else []
            if GlobalHydra.instance().is_initialized():
                config = compose("train", overrides)
            else:
                with initialize_config_dir(str(config_dir()), version_base="1.3"):
                    config = compose("train", overrides)
            self._options[choice] = cast(dict[str, Any], OmegaConf.to_container(config, resolve=False))
        return self._options[choice]

    def _groups(self, choices: tuple[tuple[str, str], ...]) -> dict[str, Any]:
        """The configuration with these options, the caller's own."""
        if choices not in self._composed:
            content = self._option(None) | {choice[0]: self._option(choice)[choice[0]] for choice in choices}
            from_scale = {name: content["scale"][name] for name in ("device", "cuda_graph")}
            content["numerics"] = content["numerics"] | from_scale
            self._composed[choices] = json.dumps({name: content[name] for name in RunConfig.model_fields})
        return cast(dict[str, Any], json.loads(self._composed[choices]))

    def __call__(self, overrides: Mapping[str, Any]) -> RunConfig:
        """The configuration that ``overrides`` mean; ``recipe`` among them stands for a list of others.

        Raises:
            NormlabError: for an unknown key or a value out of its range.
            HydraException: for an unknown group choice.
        """
        overrides = with_recipe(overrides)
        choices = tuple(sorted((k, str(v)) for k, v in overrides.items() if k in GROUPS))
        values = self._groups(choices)
        for key, value in overrides.items():
            if key not in GROUPS:
                _set(values, key, value)
        return RunConfig.parse(values)


def _plain_option(choice: tuple[str, str] | None) -> dict[str, Any] | None:
    """What the file of an option holds, below its group's name; None where Hydra has to say."""
    if choice is None:
        return None
    group, name = choice
    file = next((found for folder in config_dirs() if (found := folder / group / f"{name}.yaml").is_file()), None)
    if file is None or Path(name).name != name:
        return None
    content = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
    return {group: content} if isinstance(content, dict) and "defaults" not in content else None


def _set(values: dict[str, Any], key: str, value: Any) -> None:
    new = key.startswith("+")
    *path, last = key.lstrip("+").split(".")
    node: Any = values
    for name in path:
        node = node.get(name) if isinstance(node, dict) else None
    if not isinstance(node, dict) or (last not in node and not new):
        raise NormlabError(f"unknown override key {key!r}; `python scripts/train.py --cfg job` shows what there is")
    node[last] = copy.deepcopy(value)  # a later key may reach into it
