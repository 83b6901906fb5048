"""Two norms side by side, from the runs that are there."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from normlab.errors import NormlabError
from normlab.report.compare import compare as compared
from normlab.runs.store import Store


def compare(norms: Sequence[str], scale: str, results: str) -> None:
    """Print the comparison of two norms, named as in ``norm=…`` or by their class.

    Raises:
        NormlabError: unless there are two.
    """
    if len(norms) != 2:
        raise NormlabError('name two norms, as in make compare ARGS="batch my_pkg.MyNorm"')
    rows = compared(Store.of_scale(results, scale).refresh(), *norms)
    title = f"{norms[0]} − {norms[1]}, test accuracy"
    table = Table(title=Text(title), title_justify="left", show_lines=True)
    for name in rows.columns:
        table.add_column(Text(str(name)), overflow="fold", min_width=24 if name == "setting" else None)
    for row in rows.itertuples(index=False):
        table.add_row(*(Text(f"{value:.3g}" if isinstance(value, float) else str(value)) for value in row))
    console = Console(highlight=False, markup=False)
    console = Console(highlight=False, markup=False, width=max(console.width, 110))
    console.print(table)
    console.print(f"in every row: {rows.attrs['common']}")
