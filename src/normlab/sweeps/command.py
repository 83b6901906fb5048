"""What a command line asks for: one run, or with -m the runs and experiments that Hydra's sweeps name."""

import copy
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf
from pydantic import Field, PositiveFloat, PositiveInt

from normlab.config import RunConfig
from normlab.core.design import Overrides
from normlab.core.schema import Strict, check
from normlab.errors import NormlabError
from normlab.runs.evaluations import named_evaluations

# What decides no run: it says what is done with all of them, so it cannot differ among the runs of one command.
ABOUT_ALL = ("results", "scale", "tracker", "sweep")


class ScaleConfig(Strict):
    """How large experiments are, and what runs are on."""

    name: str
    title: str
    device: str
    cuda_graph: bool


class TrackerConfig(Strict):
    """Who hears of runs besides the store."""

    name: str
    project: str | None = None
    entity: str | None = None


class SweepConfig(Strict):
    """How a sweep goes about its runs; ``configs/train.yaml`` says what each field means."""

    workers: PositiveInt | None = None
    grids: tuple[str, ...] | None = None
    settings: tuple[str, ...] | None = None
    time_limit: PositiveFloat | None = None
    retry_missing: bool = False
    plan: str | None = None
    worker: int = 0


class Command(Strict):
    """A composed configuration, checked: a run, and what is to be done with it."""

    run: RunConfig
    results: str = Field(min_length=1)
    scale: ScaleConfig
    tracker: TrackerConfig
    sweep: SweepConfig
    evaluation: str | tuple[str, ...] | None = None
    experiment: Mapping[str, Any] | None = None

    @classmethod
    def parse(cls, composed: Mapping[str, Any]) -> "Command":
        """Check what Hydra composed.

        Raises:
            NormlabError: for a bad value, a key that nobody reads, or an unknown evaluation.
        """
        own = {name: value for name, value in composed.items() if name not in RunConfig.model_fields}
        run = RunConfig.parse({name: composed[name] for name in RunConfig.model_fields if name in composed})
        unknown = sorted(set(own) - {*cls.model_fields, "hydra"})
        if unknown:
            known = ", ".join(sorted({*RunConfig.model_fields, *cls.model_fields} - {"run"}))
            raise NormlabError(f"unknown key {unknown[0]!r}; there are {known}")
        if isinstance(own.get("results"), int | float):
            own["results"] = str(own["results"])
        command = check(cls, {name: value for name, value in own.items() if name != "hydra"} | {"run": run})
        named_evaluations(command.evaluation, command.run)
        for part in ("grids", "settings"):
            if getattr(command.sweep, part) is not None and not command.experiment:
                raise NormlabError(f"sweep.{part}: {part} belong to an experiment; set experiment=… with -m")
        return command

    @classmethod
    def of(cls, config: DictConfig) -> "Command":
        """The same of Hydra's own object."""
        return cls.parse(plain(config))


def plain(config: DictConfig) -> dict[str, Any]:
    """A composed configuration as plain data with interpolations resolved, Hydra's own node left out."""
    kept = OmegaConf.masked_copy(config, [str(name) for name in config if name != "hydra"])
    found: Any = OmegaConf.to_container(kept, resolve=True)
    return {str(name): value for name, value in found.items()}


class Jobs:
    """The jobs of a command line with -m: each means what the same overrides mean for a single run.

    Hydra composes every combination of group choices once; values are then set by Hydra's own function on a copy.

    Raises:
        NormlabError: for a sweep over what cannot differ among the runs of one command.
    """

    def __init__(self, loader: ConfigLoader, master: DictConfig, arguments: Sequence[str]) -> None:
        self._loader = loader
        self._master = master
        self.overrides: list[Override] = OverridesParser.create(config_loader=loader).parse_overrides(list(arguments))
        self._groups = set(loader.list_groups(""))
        self._composed: dict[tuple[str, ...], DictConfig] = {}
        for override in self.overrides:
            if override.is_sweep_override() and _root(override) in ABOUT_ALL:
                raise NormlabError(
                    f"{override.input_line}: {_root(override)} is one for all runs of a command; give one value"
                )
            if override.is_sweep_override() and not override.is_discrete_sweep():
                raise NormlabError(
                    f"{override.input_line}: an interval has no end of values; list those that are wanted"
                )

    def __iter__(self) -> Iterator[Command]:
        """Every combination of the values swept, in Hydra's order."""
        for texts in itertools.product(*(self._texts(override) for override in self.overrides)):
            yield Command.of(self._compose(texts))

    @staticmethod
    def _texts(override: Override) -> list[str]:
        """One override as Hydra writes it for single runs: as it was typed, or once for each value swept."""
        if not override.is_sweep_override():
            return [override.input_line or ""]
        return [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]

    def _compose(self, texts: Sequence[str]) -> DictConfig:
        parsed = OverridesParser.create().parse_overrides(list(texts))
        chosen = tuple(text for text, o in zip(texts, parsed, strict=True) if self._is_choice(o))
        if chosen not in self._composed:
            self._composed[chosen] = self._loader.load_sweep_config(self._master, list(chosen))
        config = copy.deepcopy(self._composed[chosen])
        ConfigLoaderImpl._apply_overrides_to_config([o for o in parsed if not self._is_choice(o)], config)
        return config

    def _is_choice(self, override: Override) -> bool:
        """Whether it chooses an option of a group, or is about Hydra itself."""
        key = override.key_or_group
        return key in self._groups or "/" in key or key.startswith("hydra.")

    def experiments(self) -> list[Command]:
        """A command an experiment, where the command line names experiments; empty where it names runs."""
        named = [override for override in self.overrides if override.key_or_group == "experiment"]
        if all(override.value() is None for override in named):
            return []
        for override in self.overrides:
            root = _root(override)
            if override.is_sweep_override() and root not in ("experiment", "evaluation"):
                raise NormlabError(
                    f"{override.input_line}: an experiment has axes of its own; give one value, or leave the experiment out"
                )
            if root == "evaluation":
                raise NormlabError(
                    f"{override.input_line}: an experiment says itself what it evaluates; leave this out"
                )
        return list(self)

    def set_for_all(self) -> Overrides:
        """What the command line sets for every run of an experiment, as the composed configuration has it.

        Raises:
            NormlabError: for what cannot be set on top of a design.
        """
        found: Overrides = {}
        composed = plain(self._master)
        for override in self.overrides:
            key = override.key_or_group
            if _root(override) in (*ABOUT_ALL, "experiment", "hydra"):
                continue
            if override.is_delete() or override.package:
                raise NormlabError(
                    f"{override.input_line}: cannot be done to an experiment's runs; set a value instead"
                )
            if key in self._groups:
                found[key] = override.value()
                continue
            value: Any = composed
            for name in key.split("."):
                value = value[name]
            found[("+" if override.is_add() or override.is_force_add() else "") + key] = value
        return found


def _root(override: Override) -> str:
    return override.key_or_group.split("/")[0].split(".")[0]
