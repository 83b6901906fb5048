"""The Hydra sweeper of normlab: experiments and command-line sweeps, run only where the store lacks them."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobStatus
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


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
        self.context: HydraContext | None = None
        self.launcher: Launcher | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from hydra.core.plugins import Plugins

        self.config = config
        self.context = hydra_context
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        from normlab.sweeps.command import Jobs

        assert self.config is not None
        assert self.context is not None
        jobs = Jobs(self.context.config_loader, self.config, arguments)
        experiments = jobs.experiments()
        for command in experiments:
            self._sweep(str((command.experiment or {})["name"]), command, _runs_of_experiment(command, jobs))
        if not experiments:
            commands = list(jobs)
            self._sweep("sweep", commands[0], _runs_of(commands))

    def _sweep(self, title: str, command: Any, expander: Callable[[Any], Callable[[], Any]]) -> None:
        from normlab.runs.store import Store
        from normlab.sweeps.sweep import forget_missing, sweep

        store = Store.of_scale(command.results, command.scale.name)
        expand = expander(store)
        if command.sweep.retry_missing:
            store.refresh()
            forget_missing(expand().planned, store)

        def launch(plan: Path) -> None:
            assert self.launcher is not None
            jobs = [[f"sweep.plan={quoted(plan)}", f"sweep.worker={i}"] for i in range(self._workers(command))]
            for result in self.launcher.launch(jobs, initial_job_idx=0):
                if result.status != JobStatus.COMPLETED:
                    raise result._return_value  # the public property would print a line of its own before raising

        sweep(title, expand, launch, store, command.tracker.model_dump(), command.sweep.time_limit)

    def _workers(self, command: Any) -> int:
        if command.sweep.workers:
            return int(command.sweep.workers)
        assert self.config is not None
        wanted = OmegaConf.select(self.config, "hydra.launcher.n_jobs") or 1
        return int(wanted) if wanted > 0 else os.cpu_count() or 1


def quoted(path: Path) -> str:
    """A path as a value of Hydra's grammar, whatever characters are in it."""
    text = str(path.resolve()).replace("${", "\\${")
    # A backslash before the quote would escape it; elsewhere it stands for itself.
    head, tail = text.rstrip("\\"), len(text) - len(text.rstrip("\\"))
    parts = head.split("'")
    for place, part in enumerate(parts[:-1]):
        parts[place] = part + "\\" * (len(part) - len(part.rstrip("\\")))
    return "'" + "\\'".join(parts) + "\\" * (2 * tail) + "'"


def _runs_of_experiment(command: Any, jobs: Any) -> Callable[[Any], Callable[[], Any]]:
    """What expands an experiment against a store as it is, its claims registered before its first runs."""
    from experiments import NAMES, load_experiment, own_experiments
    from normlab.core.design import Design
    from normlab.sweeps.expand import Expander
    from normlab.sweeps.planned import Expansion
    from normlab.verdicts.looks import expand_and_judge
    from normlab.verdicts.registry import register_experiment

    design, scale = Design.parse(command.experiment, f"experiment {command.experiment.get('name')}"), command.scale.name
    known, fixed = design.name in {*NAMES, *own_experiments()}, jobs.set_for_all()
    grids, settings = command.sweep.grids, command.sweep.settings
    for part, named, there in (("grid", grids, design.grids), ("setting", settings, design.at(scale).settings)):
        if unknown := sorted(set(named or ()) - set(there)):
            from normlab.errors import NormlabError

            raise NormlabError(
                f"sweep.{part}s: experiment {design.name} has no {part} {unknown[0]!r}; it has {', '.join(there)}"
            )

    def expander(store: Any) -> Callable[[], Expansion]:
        one = Expander(design, scale, store, extra=fixed)
        claims = load_experiment(design.name).claims if known and not fixed else ()
        if known:
            experiment = load_experiment(design.name)
            register_experiment(store.root, experiment.design, experiment.claims, scale)

        def expand() -> Expansion:
            expansion, _ = expand_and_judge(one, claims)
            return expansion if grids is None and settings is None else one.expand(grids, settings)

        return expand

    return expander


def _runs_of(commands: list[Any]) -> Callable[[Any], Callable[[], Any]]:
    """What gives the runs that a command line's sweeps name, and the evaluations that it asks of each."""
    from normlab.runs.evaluations import named_evaluations
    from normlab.runs.key import run_key
    from normlab.sweeps.planned import Expansion, Planned

    planned = [
        Planned(run_key(c.run), c.run, None, "report", evaluate=named_evaluations(c.evaluation, c.run))
        for c in commands
    ]
    return lambda store: lambda: Expansion(planned=list(planned))
