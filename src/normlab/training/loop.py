"""The training loop: one plain function from a problem to what came out."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from normlab.config import RunConfig
from normlab.training.observers import Listener, Probe, Saving, Stopwatch, Validations
from normlab.training.problem import Problem
from normlab.training.savepoint import Savepoint

LOOP_VERSION = 1  # Bumped when the loop's results change; part of every run's key.


@dataclass
class Result:
    """What one run left: its end, its measures, its history (a row a logged step) and its weights."""

    status: str
    diverged_step: int | None
    measures: dict[str, float]
    history: list[dict[str, Any]]
    weights: dict[str, Tensor]


def run(
    problem: Problem, config: RunConfig, listener: Listener | None = None, savepoint: Savepoint | None = None
) -> Result:
    """Train what ``problem`` sets up, and measure it.

    A run is ``diverged`` at the step at which the problem says that it failed, else ``ok``. ``listener`` hears each validation row. With a
    ``savepoint`` training goes on where that was written, bit by bit as if it had never stopped.
    """
    steps, stop = problem.steps, config.training.stop
    losses = torch.zeros(steps, device=problem.device)
    watch, saving = Stopwatch(), Saving(savepoint, config)
    validations = Validations(problem, config, watch, listener)
    probe = Probe(problem) if config.measure.probe_loss else None
    first, stopped = 0, False
    if saved := saving.load():
        problem.go_on(saved["problem"])
        first, validations.rows = saved["step"], saved["rows"]
        losses.copy_(saved["losses"])
        if probe:
            probe.losses.copy_(saved["probe"])
        watch.leave_out(watch.seconds - saved["seconds"])

    done = first
    for done in range(first + 1, steps + 1):
        problem.step(done - 1, losses[done - 1])
        if probe:
            probe.look(done)
        if stop and done % stop.every == 0:
            stopped = problem.reached(stop, losses[:done])
        if stopped or done in validations.at:
            finite = validations.look(done, losses[:done])
            if stopped or not finite:
                break
        saving.look(
            done,
            lambda: {
                "problem": problem.state(),
                "rows": validations.rows,
                "losses": losses,
                "probe": probe.losses if probe else None,
                "seconds": watch.seconds,
            },
        )

    seconds, losses = watch.seconds, losses[:done]
    if not steps:
        validations.rows[0] = {"train_loss": float("nan")} | problem.validate()
    measures: dict[str, float] = {}
    if torch.isfinite(losses).all():
        last = validations.rows[done]
        whole = config.measure.final != "validation"
        measures = (
            problem.measure() if whole else {n: last[n] for m in problem.metrics if (n := f"validation_{m}") in last}
        )
    measures |= {"train_seconds": seconds, "steps": done if stopped else steps, "steps_per_epoch": problem.per_epoch}
    measures |= {"reached": float(stopped)} if stop else {}
    failed = problem.failed_step(losses)
    history = _history(config, losses, problem.per_epoch, validations.rows, probe.losses if probe else None)
    status = "ok" if failed is None else "diverged"
    return Result(status, failed, measures | problem.facts(), history, problem.weights())


def _history(
    config: RunConfig, losses: Tensor, per_epoch: int, rows: dict[int, dict[str, float]], probe: Tensor | None
) -> list[dict[str, Any]]:
    """A row every ``log_every`` steps and at each validation; a row's training loss is the mean since the last row."""
    values = losses.tolist()
    wanted = sorted({*range(config.measure.log_every, len(values) + 1, config.measure.log_every), *rows} - {0})
    looks = list(dict.fromkeys(name for row in rows.values() for name in row if name != "train_loss"))
    history, last = [], 0
    for step in wanted:
        since = values[last:step]
        history.append(
            {
                "step": step,
                "epoch": step / per_epoch,
                "train_loss": sum(since) / len(since),
                **{name: rows.get(step, {}).get(name) for name in looks},
                "probe_loss": None if probe is None else probe[step - 1].item(),
            }
        )
        last = step
    return history
