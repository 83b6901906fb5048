"""What moves in training, by arm; how rough the landscape is; and test accuracy under noise that moves and noise that stays."""

import math

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.covariate_shift.claims import AS_SLOW, DRIFT, SHIFT
from normlab.report.results import Results
from normlab.report.style import COLOURS, accuracy_axis, draw_points, legend_of_dots, plain_log_axis

# The noises have colours that are no method's.
ARMS = {
    "none": ("no norm", COLOURS["none"]),
    "batch": ("batch norm", COLOURS["batch"]),
    AS_SLOW: ("batch norm at the rate of no norm", "#7fb2d9"),
    "steady at 0.2": ("BN, steady noise of 0.2", "#a9a5bd"),
    "moving at 0.2": ("BN, moving noise of 0.2", "#d98fab"),
    "steady at 0.4": ("BN, steady noise of 0.4", "#6f6a8a"),
    "moving at 0.4": ("BN, moving noise of 0.4", "#b5446e"),
}
STAGES = ("early", "late")
PANELS = (
    (DRIFT, "inputs move, in 10 steps", "part of their standard deviation"),
    (SHIFT, "gradients change", "part of their length"),
    ("landscape.log_smoothness", "roughness of the landscape", "change of the gradient per length"),
)


def figure(results: Results) -> Figure | None:
    """A row a setting: what moves, roughness, accuracy under noise."""
    plot, axes = plt.subplots(
        len(results.settings), 4, figsize=(13.5, 3.4 * len(results.settings)), squeeze=False, layout="constrained"
    )
    for row, setting in zip(axes, results.settings, strict=True):
        for ax, (measure, title, label) in zip(row[:3], PANELS, strict=True):
            _stages(ax, results, setting, measure)
            ax.set(title=f"{results.title(setting)}: {title}", ylabel=label)
        _disturbed(row[3], results, setting)
    legend_of_dots(plot, dict(ARMS.values()), columns=4)
    return plot


def _stages(ax: Axes, results: Results, setting: str, measure: str) -> None:
    """A measure early and late in training, by arm."""
    for place, stage in enumerate(STAGES):
        for offset, (arm, (_, colour)) in enumerate(ARMS.items()):
            values = [math.exp(value) for value in _values(results, setting, measure, arm, stage)]
            draw_points(ax, place + 0.11 * (offset - 3), values, colour)
    ax.set_xticks(range(len(STAGES)), STAGES)
    ax.set_xlim(-0.5, len(STAGES) - 0.5)
    plain_log_axis(ax, of="y")


def _values(results: Results, setting: str, measure: str, arm: str, stage: str) -> list[float]:
    if measure.startswith("landscape"):
        rows = results.select("matched", setting=setting, norm=arm, loss=stage, rate="high")
    else:
        rows = results.select(
            "disturbance" if arm.startswith("moving") else "moving", setting=setting, arm=arm, when=stage
        )
    return results.values(rows, measure)


def _disturbed(ax: Axes, results: Results, setting: str) -> None:
    """Test accuracy under noise, where it was tried."""
    arms = [arm for arm in ARMS if len(results.select("disturbed", setting=setting, arm=arm, level="best"))]
    if not arms:
        ax.set_axis_off()
        return
    for place, arm in enumerate(arms):
        rows = results.select("disturbed", setting=setting, arm=arm, level="best")
        draw_points(ax, place, [100 * v for v in results.values(rows, "test_accuracy_recalibrated")], ARMS[arm][1])
    ax.set_xticks(
        range(len(arms)), [ARMS[arm][0].replace(", ", ",\n").replace(" ", "\n", 1) for arm in arms], fontsize=8
    )
    ax.set_xlim(-0.5, len(arms) - 0.5)
    ax.set_title(f"{results.title(setting)}: noise behind the norm")
    accuracy_axis(ax)
