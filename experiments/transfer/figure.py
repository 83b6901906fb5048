"""The course of accuracy fine-tuned and from scratch by norm, and accuracy by what is done with the statistics."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from normlab.report.results import Results
from normlab.report.style import COLOURS, draw_points, legend_of_dots, method_title

NORMS = ("none", "batch", "group")


def figure(results: Results) -> Figure | None:
    """The course of accuracy fine-tuned and from scratch by norm, and accuracy by what is done with the statistics."""
    plot, axes = plt.subplots(
        len(results.settings), 2, figsize=(11, 3.5 * len(results.settings)), squeeze=False, layout="constrained"
    )
    modes = {"frozen": "#999999", "retaken": COLOURS["switchable"], "updated": COLOURS["batch"]}
    for (left, right), setting in zip(axes, results.settings, strict=True):
        rows = results.select("finetuned", setting=setting, level="best")
        amounts = list(dict.fromkeys(rows["images_a_class"])) if len(rows) else []
        for place, images in enumerate(amounts):
            for offset, norm in enumerate(NORMS):
                for shift, grid, alpha in ((0.0, "scratch", 0.45), (0.1, "finetuned", 1.0)):
                    cells = results.select(grid, setting=setting, images_a_class=images, norm=norm, level="best")
                    values = [100 * v for v in results.values(cells, "mean_validation_accuracy")]
                    if values:
                        x = place + 0.26 * (offset - 1) + shift
                        draw_points(left, x, values, _faded(COLOURS[norm], alpha))
            for offset, (mode, colour) in enumerate(modes.items()):
                cells = results.select(
                    "statistics", setting=setting, images_a_class=images, statistics=mode, level="best"
                )
                values = [100 * v for v in results.values(cells, "test_accuracy")]
                if values:
                    draw_points(right, place + 0.25 * (offset - 1), values, colour)
        for ax, title in (
            (left, "from scratch (pale) and fine-tuned, mean on the way"),
            (right, "batch norm's statistics, to other contrast"),
        ):
            ax.set_xticks(range(len(amounts)), amounts)
            ax.set_xlim(-0.5, max(1, len(amounts)) - 0.4)
            ax.set(
                title=f"{results.title(setting)}: {title}",
                xlabel="images a class",
                ylabel="validation accuracy, %" if ax is left else "test accuracy, %",
            )
    legend_of_dots(plot, {method_title(norm): COLOURS[norm] for norm in NORMS} | modes, columns=6)
    return plot


def _faded(colour: str, alpha: float) -> str:
    """``colour`` mixed with white."""
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(alpha * part + (1 - alpha) * 255):02x}" for part in parts)
