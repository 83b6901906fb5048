"""Peers: the same net on the same data, trained by the script people write and by Lightning's Trainer."""

from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec

from normlab.bench.contestants import BATCH, NETS, STEPS, configure, loops, with_steps
from normlab.bench.crew import Crew, take_turns
from normlab.bench.rows import Row, machine, ratio
from normlab.bench.script_peer import scripts

ROUNDS = 5
ONE_PROCESS = {"MNIST · cnn 16-32": 3.0, "CIFAR-10 · cnn_wide": 1.7}
TWO_PROCESSES = {"MNIST · cnn 16-32": 2.1, "CIFAR-10 · cnn_wide": 1.6}
NO_LIGHTNING = "not run: Lightning is not installed (`make bench` installs it)"


def peers() -> Iterator[Row]:
    """Every process of every peer at batch 128, each with all cores or, in pairs, with one thread a process."""
    for setting in NETS:
        yield from _one_process(setting)
        yield from _two_processes(setting)


def _one_process(setting: str) -> Iterator[Row]:
    threads = int(str(machine()["cores"]))
    config = configure(setting, **{"numerics.threads": threads})
    steps = STEPS[config.data.name]
    name = f"{setting} · batch {BATCH} · one process, {threads} threads"
    lightning = find_spec("lightning") is not None
    with ExitStack() as stack:
        ours = stack.enter_context(Crew(loops, {"run": with_steps(config, steps)}, threads=threads))
        script = stack.enter_context(Crew(scripts, config, steps, threads=threads))
        members = {
            "normlab": (ours, "run"),
            "script, loader in the process": (script, "0 workers"),
            "script, 2 loader workers": (script, "2 workers"),
        }
        if lightning:
            from normlab.bench.lightning_peer import trainers

            trainer = stack.enter_context(Crew(trainers, config, steps, threads=threads))
            for label in ("default", "stripped"):
                members[f"Lightning {label}, loader in the process"] = (trainer, f"{label}, 0 workers")
                members[f"Lightning {label}, 2 loader workers"] = (trainer, f"{label}, 2 workers")
        rates = take_turns(members, ROUNDS)
    ours_, theirs = rates.pop("normlab"), rates
    best = max(theirs, key=lambda label: sum(theirs[label]))
    for label, found in theirs.items():
        bar = ONE_PROCESS[setting] if label == best else None
        row = Row("peers", name, "normlab", label, bar=bar, note="the best peer" if label == best else "")
        yield ratio(row, ours_, found)
    if not lightning:
        yield Row("peers", name, "normlab", "Lightning", note=NO_LIGHTNING)


def _two_processes(setting: str) -> Iterator[Row]:
    config = configure(setting)
    steps = STEPS[config.data.name]
    with (
        Crew(loops, {"run": with_steps(config, steps)}, processes=2) as ours,
        Crew(scripts, config, steps, processes=2) as script,
    ):
        rates = take_turns({"normlab": (ours, "run"), "script": (script, "0 workers")}, ROUNDS)
    name = f"{setting} · batch {BATCH} · two processes, one thread each"
    row = Row("peers", name, "normlab", "script, loader in the process", bar=TWO_PROCESSES[setting])
    yield ratio(row, rates["normlab"], rates["script"])
