"""One trial from beginning to end: checks, costs, and the runs that its minutes allow."""

import datetime
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from normlab.data.batches import load_splits
from normlab.errors import NormlabError
from normlab.norms import norm_version
from normlab.runs.execute import environment
from normlab.targets import Maker, users_errors_told
from normlab.training.cost import net_costs
from normlab.trials.bench import BATCH, Bench, Progress
from normlab.trials.card import Card
from normlab.trials.checks import checked
from normlab.trials.docket import YOURS
from normlab.trials.engine import Engine, Listener
from normlab.trials.findings import findings
from normlab.trials.shown import shown
from normlab.trials.subject import Subject, method

COST = "cost"
DEFAULT_MINUTES = {"quick": 3.0, "cpu": 30.0}


def trial(
    norm: str | Maker,
    minutes: float | None = None,
    scale: str = "quick",
    results: str | Path = "results",
    jobs: int = 0,
    listener: Listener | None = None,
    **options: Any,
) -> Card:
    """Put a norm on trial and return its report card.

    ``norm``: a class, a function that makes norms, a target (``my_pkg.MyNorm``, ``./mine.py:MyNorm``) or a method's name. Other ``options``
    go to its constructor. ``minutes``: 3 at quick, 30 at cpu if not said; further minutes go on where the last ones ended. ``jobs``:
    processes, a core each if 0. ``listener`` is told how it goes; if there is none, it is shown.

    Raises:
        NormlabError: for a norm that is not there, cannot be built or does not normalize maps; a scale without a trial, or whose data are
            not there; no minutes.
    """
    if minutes is not None and not minutes > 0:
        raise NormlabError(f"minutes={minutes:g}: a trial takes more than 0")
    deadline = time.monotonic() + 60 * (minutes or DEFAULT_MINUTES.get(scale, 30.0))
    subject = Subject.of(norm, options)
    bench = Bench.of(subject, scale, results)
    trained = _trained(bench)
    with ExitStack() as stack:
        told = listener or stack.enter_context(shown())
        checks = list(checked(subject))
        engine = Engine(bench, jobs)
        try:
            measure_costs(bench)
            engine.run(deadline, told)
        except KeyboardInterrupt:
            print(
                f"stopped; the same command goes on. What is known: {folder_of(bench) / 'index.html'}", file=sys.stderr
            )
            raise
        finally:  # also when it is interrupted: what is there is shown
            progress = bench.look(engine.seconds, engine.given_up)
            found = findings(bench, progress, checks, costs_there(bench))
            card = Card(subject.label, bench.docket, found, trained, _facts(bench, progress, engine))
            card.save(folder_of(bench))
    return card


def folder_of(bench: Bench) -> Path:
    """Where the card of a trial is kept: ``<results>/trials/<scale>/<label>``."""
    return bench.store.root / "cards" / bench.subject.label


def measure_costs(bench: Bench) -> None:
    """Measure once what a step, a pass and the memory cost, in turns with batch norm; nothing where the norm cannot be trained."""
    if costs_there(bench):
        return
    place = bench.docket.situations[bench.docket.flagship]
    overrides = bench.docket.overrides(bench.scale)[bench.docket.flagship]
    norms = (method(BATCH), bench.subject)
    configs = [bench.composer({**overrides, **place.arm(norm)}) for norm in norms]
    try:
        with users_errors_told(bench.subject.targets):
            measured = net_costs(configs)
    except Exception:  # its runs will say why
        return
    for key, values in zip(_cost_keys(bench), measured, strict=True):
        bench.store.put_evaluation(key, COST, values)
    bench.store.refresh()


def costs_there(bench: Bench) -> dict[str, dict[str, float]]:
    """The costs that were measured before."""
    found = [bench.store.evaluation(key, COST) for key in _cost_keys(bench)]
    return (
        {arm: dict(values) for arm, values in zip((BATCH, YOURS), found, strict=True) if values} if all(found) else {}
    )


def _cost_keys(bench: Bench) -> list[str]:
    """Names under which costs are kept: the pair's, since ratios are within a measurement."""
    own = f"{bench.subject.label}_{norm_version(bench.subject.config)}"
    return [f"{arm}_beside_{own}" for arm in (BATCH, YOURS)]


def _trained(bench: Bench) -> dict[str, str]:
    """How long and on how many images the nets of each situation are trained.

    Raises:
        NormlabError: if its data are not there.
    """
    found = {}
    for name, overrides in bench.docket.overrides(bench.scale).items():
        config = bench.composer({**overrides, "norm": BATCH})
        images = len(load_splits(config.data, 0).train)
        found[name] = f"{config.data.name}: {images:,} images × {config.training.epochs:g} epochs"
    return found


def _facts(bench: Bench, progress: Progress, engine: Engine) -> dict[str, Any]:
    there = environment()
    further = [plan for plans in progress.eased.values() for plan in plans if plan.axes["arm"] == YOURS]
    own = {plan.run_key for plan in further} & set(bench.store.runs()["run_key"])
    own |= {key for standing in progress.standings.values() for key in standing.runs.get(YOURS, {}).values()}
    name = bench.subject.overrides.get("norm.target", bench.subject.label)
    return {
        "scale": bench.scale,
        "runs": len(own),
        "machine": there["gpu"] or there["cpu"],
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "failed": "; ".join(sorted(set(engine.given_up.values()))[:3]),
        "command": f"normlab trial {name} --scale {bench.scale} --minutes {60 if bench.scale == 'cpu' else 10}",
    }
