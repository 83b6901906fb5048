"""A single run from the command line, with its course and its end on the terminal."""

import time
from typing import Any

from rich.console import Console

from normlab.config import RunConfig
from normlab.core.metric import ACCURACY, METRICS
from normlab.errors import NormlabError
from normlab.runs.evaluations import evaluate_run, named_evaluations
from normlab.runs.execute import execute, is_done, scientific
from normlab.runs.key import run_key
from normlab.runs.lease import BEAT_SECONDS, PATIENCE_SECONDS, Lease
from normlab.runs.store import Store
from normlab.sweeps.command import Command
from normlab.tracking import make_tracker

KINDS = ("", "_recalibrated", "_batch")  # of statistics


def train_one(command: Command) -> None:
    """Do the composed run and the evaluations asked for unless the store holds them, and show its measures.

    A run that is recorded as missing is tried again: whoever asks for it alone means it.

    Raises:
        NormlabError: while another process is at this run; for an experiment, which is a sweep of runs.
    """
    if command.experiment:
        raise NormlabError("an experiment is a sweep of runs; add -m")
    console = Console(highlight=False, soft_wrap=True, markup=False)
    config = command.run
    store = Store.of_scale(command.results, command.scale.name).refresh()
    key = run_key(config)
    evaluations = named_evaluations(command.evaluation, command.run)
    done = is_done(store, key, config) and not store.is_missing(key)
    if done:
        console.print(f"run {key} is done already:")
    if not done or any(store.evaluation(key, name) is None for name in evaluations):
        with _right_to(store, key, console):
            if store.refresh().is_missing(key):
                store.forget_missing({key})
            if not is_done(store, key, config):
                _train(config, store, command.tracker.model_dump(), console)
            for name in evaluations:
                if store.evaluation(key, name) is None:
                    evaluate_run(config, name, store)
        store.refresh()
    _show(store, key, evaluations, console)


def _right_to(store: Store, key: str, console: Console) -> Lease:
    """The right to do a run. A holder on another machine is given the time to show that it lives.

    Raises:
        NormlabError: while another process has it.
    """
    until = time.monotonic() + PATIENCE_SECONDS + BEAT_SECONDS
    told = False
    while (lease := store.lease(key)) is None:
        if not told:
            console.print(
                f"another process is at run {key}; waiting up to {PATIENCE_SECONDS + BEAT_SECONDS:.0f} s for it"
            )
            told = True
        if time.monotonic() > until:
            raise NormlabError(f"another process is at run {key}; it can be asked for when that is done")
        time.sleep(BEAT_SECONDS / 2)
    return lease


def _train(config: RunConfig, store: Store, tracker_config: dict[str, Any], console: Console) -> None:
    tracker = make_tracker(tracker_config)
    tracker.start(run_key(config), scientific(config), None, None)
    record = None

    def listen(row: dict[str, float]) -> None:
        seen = [name for name in row if name == "train_loss" or name.startswith("validation_")]
        told = (f"{name.replace('_', ' ')} {row[name]:.4f}" for name in seen if not name.endswith("_recalibrated"))
        console.print(f"epoch {row['epoch']:6.2f}   {'   '.join(told)}")
        tracker.row(row)

    try:
        record = execute(config, store, listener=listen)
    finally:
        tracker.finish(record)
        tracker.close()


def _show(store: Store, key: str, evaluations: tuple[str, ...], console: Console) -> None:
    facts = store.facts(key) or {}
    end = f" at step {facts['diverged_step']:.0f}" if facts.get("diverged_step") else ""
    console.print(f"{facts['status']}{end}" + (f": {facts['reason']}" if facts.get("reason") else ""))
    metrics = METRICS.values()
    finals = [
        f"test_{metric.name}{kind}" for metric in metrics for kind in (KINDS if metric is ACCURACY else KINDS[:1])
    ]
    for name in (*finals, "train_loss", "seconds"):
        if facts.get(name) is not None:
            console.print(f"  {name:28s} {facts[name]:.4f}")
    for evaluation in evaluations:
        console.print(f"{evaluation}:")
        for name, value in (store.evaluation(key, evaluation) or {}).items():
            console.print(f"  {name:28s} {value:.4f}")
    console.print(f"  record {key} in {store.root}")
