"""The Hydra sweeper of normlab: experiments and command-line sweeps, run only where the store lacks them."""

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobStatus
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

PASSED_ON = ("results", "scale")  # What a worker needs of the command line; the plan holds everything else.
NOT_A_RUNS = ("experiment", "tracker", "results", "evaluation", "sweep", "hydra")


@dataclass
class NormlabSweeperConf:
    """``hydra/sweeper=normlab``"""

    _target_: str = "hydra_plugins.normlab_sweeper.NormlabSweeper"
    max_batch_size: int | None = None


ConfigStore.instance().store(group="hydra/sweeper", name="normlab", node=NormlabSweeperConf, provider="normlab")


class NormlabSweeper(Sweeper):
    """Expands ``experiment=…`` or the sweeps of the command line, and has the launcher run workers on what is missing.

    Every launcher serves: its jobs are workers that share one plan, as many as it runs at a time.
    """

    def __init__(self, max_batch_size: int | None = None) -> None:
        del max_batch_size
        self.config: DictConfig | None = None
        self.launcher: Launcher | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from hydra.core.plugins import Plugins

        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        from normlab.runs.store import Store
        from normlab.sweeps.sweep import forget_missing, sweep

        assert self.config is not None
        config: Any = OmegaConf.to_container(
            OmegaConf.masked_copy(self.config, ["experiment", "scale", "tracker", "results", "evaluation", "sweep"]),
            resolve=True,
        )
        overrides = OverridesParser.create().parse_overrides(arguments)
        store = Store.of_scale(config["results"], config["scale"]["name"])
        _register(config, store)
        title = config["experiment"]["name"] if config["experiment"] else "sweep"
        expand = _expander(config, overrides, store)
        if config["sweep"]["retry_missing"]:
            store.refresh()
            forget_missing(expand().planned, store)
        passed_on = [a for a, o in zip(arguments, overrides, strict=True) if o.key_or_group in PASSED_ON]

        def launch(plan: Path) -> None:
            assert self.launcher is not None
            jobs = [
                [*passed_on, f"sweep.plan={_quoted(plan)}", f"sweep.worker={i}"] for i in range(self._workers(config))
            ]
            for result in self.launcher.launch(jobs, initial_job_idx=0):
                if result.status != JobStatus.COMPLETED:
                    raise result._return_value  # the public property would print a line of its own before raising

        return sweep(title, expand, launch, store, config["tracker"], config["sweep"]["time_limit"])

    def _workers(self, config: Any) -> int:
        if config["sweep"]["workers"]:
            return int(config["sweep"]["workers"])
        assert self.config is not None
        wanted = OmegaConf.select(self.config, "hydra.launcher.n_jobs") or 1
        return int(wanted) if wanted > 0 else os.cpu_count() or 1


def _quoted(path: Path) -> str:
    """A path as a value of Hydra's grammar, whatever characters are in it."""
    return "'" + str(path.resolve()).replace("'", "\\'") + "'"


def _register(config: Any, store: Any) -> None:
    """Note the hashes of an experiment's claims before their first runs."""
    if not config["experiment"]:
        return
    from experiments import NAMES, load_experiment
    from normlab.verdicts.registry import make_lock, register, register_second_look

    if config["experiment"]["name"] in NAMES:
        experiment = load_experiment(config["experiment"]["name"])
        lock = make_lock([(experiment.design, experiment.claims)])
        register_second_look(store.root, experiment.design, config["scale"]["name"])
        register(
            store.root,
            {
                claim: scales[config["scale"]["name"]]
                for claim, scales in lock.items()
                if config["scale"]["name"] in scales
            },
        )


def _expander(config: Any, overrides: Sequence[Override], store: Any) -> Any:
    """A function that expands what the command line asks for against the store as it is."""
    from experiments import NAMES, load_experiment
    from normlab.runs.evaluations import named_evaluations
    from normlab.runs.key import run_key
    from normlab.sweeps.compose import Composer
    from normlab.sweeps.design import Design
    from normlab.sweeps.expand import Expander, Expansion, Planned
    from normlab.verdicts.looks import expand_and_judge

    runs_own = [o for o in overrides if (o.key_or_group or "").split("/")[0].split(".")[0] not in NOT_A_RUNS]
    choices = {_name(o): list(o.sweep_iterator()) if o.is_sweep_override() else [o.value()] for o in runs_own}
    values = {key: [_plain(v) for v in found] for key, found in choices.items()}
    composer = Composer()
    if config["experiment"]:
        design = Design.parse(config["experiment"], f"experiment {config['experiment'].get('name')}")
        fixed = {key: found[0] for key, found in values.items() if key != "scale"}
        expander = Expander(design, config["scale"]["name"], store, composer, fixed)
        grids = config["sweep"]["grids"]
        claims = () if fixed or design.name not in NAMES else load_experiment(design.name).claims

        def expand_experiment() -> Expansion:
            expansion, _ = expand_and_judge(expander, claims)
            return expansion if grids is None else expander.expand(grids)

        return expand_experiment

    evaluate = named_evaluations(config["evaluation"])

    def expand() -> Expansion:
        expansion = Expansion()
        for combination in itertools.product(*values.values()):
            run = composer(dict(zip(values, combination, strict=True)))
            expansion.planned.append(Planned(run_key(run), run, None, "report", evaluate=evaluate))
        return expansion

    return expand


def _name(override: Override) -> str:
    return ("+" if override.is_add() else "") + (override.key_or_group or "")


def _plain(value: Any) -> Any:
    """A sweep's element as a value: Hydra iterates over texts such as '0.1'."""
    if isinstance(value, str):
        import yaml

        parsed = yaml.safe_load(value)
        return value if isinstance(parsed, str) or parsed is None else parsed
    return value
