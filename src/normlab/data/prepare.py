"""``make data``: fetch, verify and store every data set, trying its sources in order."""

import tempfile
import warnings
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from normlab.data import find_data_set
from normlab.data.images import Arrays, DataSet, checked, data_dir, read, store, stored_file
from normlab.errors import NormlabError, first_line


def fetch(data_set: DataSet, console: Console, verbose: bool = False) -> tuple[Arrays, str]:
    """The arrays from the first source that has them, checked, and that source; ``verbose`` says why others were passed over.

    Raises:
        NormlabError: if no source has them, with every source's reason.
    """
    reasons = []
    for source in data_set.sources:
        try:
            with tempfile.TemporaryDirectory(dir=data_dir(), prefix="fetch-") as folder, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return checked(data_set, source.fetch(Path(folder)), source.label), source.label
        except Exception as error:  # Whatever a source fails with, the next one is tried and the reason is shown.
            reasons.append(f"{source.label}: {first_line(error)[:160]}")
            if verbose:
                console.print(f"  {data_set.title}: not from {reasons[-1]}")
    raise NormlabError(f"no source has {data_set.title}: {'; '.join(reasons)}")


def prepare(names: list[str], verbose: bool = False) -> None:
    """Make each named data set ready, with a line about each; one that is there and whole costs a check.

    Raises:
        NormlabError: after all were tried, if some could not be had.
    """
    data_sets = [find_data_set(name) for name in names]
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    data_dir().mkdir(parents=True, exist_ok=True)
    failures = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("data sets", total=len(names))
        for data_set in data_sets:
            progress.update(bar, description=f"{data_set.title}: checking")
            try:
                read(data_set)
                console.print(f"{data_set.title}: ready")
            except NormlabError:
                stored_file(data_set).unlink(missing_ok=True)
                progress.update(bar, description=f"{data_set.title}: fetching")
                try:
                    arrays, origin = fetch(data_set, console, verbose)
                    store(data_set, arrays)
                    console.print(f"{data_set.title}: stored and verified, from {origin}")
                except NormlabError as error:
                    failures.append(str(error))
            progress.advance(bar)
    if failures:
        raise NormlabError(" | ".join(failures))
