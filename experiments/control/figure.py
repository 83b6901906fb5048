"""How soon agents learn with each norm, and what they earn in the end."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from normlab.report.results import Results
from normlab.report.style import COLOURS, draw_line, draw_points, method_title

NORMS = ("none", "batch", "layer")


def figure(results: Results) -> Figure | None:
    """A row an environment: the return over the steps of training, and that at the end, a dot a seed."""
    plot, axes = plt.subplots(
        len(results.settings), 2, figsize=(11, 3.6 * len(results.settings)), squeeze=False, layout="constrained"
    )
    for (left, right), setting in zip(axes, results.settings, strict=True):
        for place, norm in enumerate(NORMS):
            rows = results.select("agents", setting=setting, norm=norm, level="best")
            _course(left, results, list(rows["run_key"]) if len(rows) else [], norm)
            if values := results.values(rows, "test_return"):
                draw_points(right, place, values, COLOURS[norm])
        left.set(title=results.title(setting), xlabel="steps in the environment", ylabel="return")
        right.set(title=f"{results.title(setting)}: trained, 100 episodes", ylabel="return")
        right.set_xticks(range(len(NORMS)), [method_title(norm) for norm in NORMS])
        if left.get_legend_handles_labels()[0]:
            left.legend(fontsize=8)
    return plot


def _course(ax: Axes, results: Results, keys: list[str], norm: str) -> None:
    courses = [results.store.history(key).dropna(subset=["validation_return"]) for key in keys]
    courses = [course for course in courses if len(course)]
    if courses:
        returns = np.stack([course["validation_return"].to_numpy() for course in courses], axis=1)
        draw_line(ax, courses[0]["step"].to_numpy(), list(returns), method_title(norm), COLOURS[norm])
