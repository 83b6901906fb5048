"""A single run from the command line, with its course and its end on the terminal."""

from typing import Any

from rich.console import Console

from normlab.config import RunConfig
from normlab.errors import NormlabError
from normlab.runs.claim import Claim
from normlab.runs.evaluations import evaluate_run, named_evaluations
from normlab.runs.execute import execute, is_done, scientific
from normlab.runs.key import run_key
from normlab.runs.store import Store
from normlab.tracking import make_tracker

SHOWN = ("test_accuracy", "test_accuracy_recalibrated", "test_accuracy_batch", "test_loss", "train_loss", "seconds")


def _right_to(store: Store, key: str) -> Claim:
    """The right to do a run.

    Raises:
        NormlabError: while another process has it.
    """
    claim = store.claim(key)
    if claim is None:
        raise NormlabError(f"another process is at run {key}; `make status` shows how far sweeps are")
    return claim


def train_one(composed: dict[str, Any]) -> None:
    """Do the composed run and the evaluations asked for unless the store holds them, and show its measures.

    A run that is recorded as missing is tried again: whoever asks for it alone means it.

    Raises:
        NormlabError: while another process is at this run.
    """
    console = Console(highlight=False, soft_wrap=True)
    config = RunConfig.parse({name: composed[name] for name in RunConfig.model_fields})
    store = Store.of_scale(composed["results"], composed["scale"]["name"]).refresh()
    key = run_key(config)
    evaluations = named_evaluations(composed["evaluation"])
    if (store.facts(key) or {}).get("status") == "missing":
        store.forget({key})
    if is_done(store, key, config):
        console.print(f"run {key} is done already:")
    else:
        tracker = make_tracker(composed["tracker"])
        tracker.start(key, scientific(config), None, None)
        record = None

        def listen(row: dict[str, float]) -> None:
            console.print(
                f"epoch {row['epoch']:6.2f}   train loss {row['train_loss']:.4f}   "
                f"validation loss {row['validation_loss']:.4f}   validation accuracy {row['validation_accuracy']:.4f}"
            )
            tracker.row(row)

        try:
            with _right_to(store, key):
                record = execute(config, store, listener=listen)
        finally:
            tracker.finish(record)
            tracker.close()
        store.refresh()
    facts = store.facts(key) or {}
    end = f" at step {facts['diverged_step']:.0f}" if facts.get("diverged_step") else ""
    console.print(f"{facts['status']}{end}" + (f": {facts['reason']}" if facts.get("reason") else ""))
    for name in SHOWN:
        if facts.get(name) is not None:
            console.print(f"  {name:28s} {facts[name]:.4f}")
    for evaluation in evaluations:
        found = store.evaluation(key, evaluation)
        if found is None:
            with _right_to(store, key):
                found = evaluate_run(config, evaluation, store)
        console.print(f"{evaluation}:")
        for name, value in found.items():
            console.print(f"  {name:28s} {value:.4f}")
    console.print(f"  record {key} in {store.root}")
