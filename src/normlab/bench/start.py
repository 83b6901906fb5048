"""Start: how long a command takes before it does its work."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from normlab.bench.overhead import SHORT, timed_script
from normlab.bench.rows import Row, amount
from normlab.core.record import Record
from normlab.runs.store import Store

ROUNDS = 3
CHANGED = "tabular_series"  # which shares its runs with no other experiment


def start() -> Iterator[Row]:
    """Commands in turns, on a warm disk."""
    with tempfile.TemporaryDirectory() as folder:
        one_step = [f"{key}={str(value).replace(' ', '')}" for key, value in SHORT.items()]
        one_step += ["data=mnist", "training.epochs=0.1", "measure.validate_every=0.1", "measure.final=validation"]
        empty = Path(folder) / "results"
        commands = {
            "train.py --help": (("train.py", "--help"), 1.5, ""),
            "train.py for the first batches": (
                ("train.py", *one_step[1:], f"results={empty}"),
                6.0,
                "a whole run of one step on MNIST, its record included",
            ),
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for round_ in range(ROUNDS):
            for name, (command, _, _) in commands.items():
                seed = [f"seed={round_}"] if "first" in name else []
                times[name].append(timed_script(*command, *seed))
    for name, (_, bar, note) in commands.items():
        yield amount(replace(Row("start", "warm disk", name, note=note), bar=bar, better="lower"), times[name], "s")
    yield from reports()


def reports() -> Iterator[Row]:
    """The report of scale cpu from its tables alone, then again, then after another number has come into one experiment."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        copy_results(results)
        row = Row("start", "warm disk", "", better="lower", bar=10.0)
        first = timed_script("report.py", "cpu", str(results))
        yield amount(replace(row, item="report.py, from nothing", bar=60.0, note="all figures and pages"), [first], "s")
        again = [timed_script("report.py", "cpu", str(results)) for _ in range(ROUNDS)]
        yield amount(replace(row, item="report.py, nothing changed"), again, "s")
        changed = []
        for round_ in range(ROUNDS):
            change_a_run(results / "cpu", 1e-4 * (round_ + 1))
            changed.append(timed_script("report.py", "cpu", str(results)))
        yield amount(replace(row, item="report.py, one experiment changed", note=f"a run of {CHANGED}"), changed, "s")


def change_a_run(root: Path, by: float) -> None:
    """Another test accuracy in the record of the first reported run of :data:`CHANGED`."""
    store = Store(root).refresh()
    reported = (facts for key in store if (facts := store.facts(key)) and facts.get("role") == "report")
    facts = next(f for f in reported if f["experiment"] == CHANGED and f["status"] == "ok" and "test_accuracy" in f)
    rows = [
        {str(name): value for name, value in row.items()} for row in store.history(facts["run_key"]).to_dict("records")
    ]
    store.put(Record(facts | {"test_accuracy": facts["test_accuracy"] - by}, rows))


def copy_results(folder: Path) -> None:
    """The committed runs of scale cpu, so that the report draws what a reader's report draws."""
    source = Path(__file__).resolve().parents[3] / "results" / "cpu"
    (folder / "cpu").mkdir(parents=True)
    for file in source.glob("*.parquet"):
        shutil.copy(file, folder / "cpu")
