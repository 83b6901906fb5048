"""Nothing to draw: the report shows the numbers."""

from matplotlib.figure import Figure

from normlab.report.results import Results


def figure(results: Results) -> Figure | None:
    """Nothing to draw: the report shows the numbers."""
    del results
    return None
