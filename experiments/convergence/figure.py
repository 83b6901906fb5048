"""Validation accuracy over epochs at each arm's best rate, and test accuracy of all norms at batch size 128."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from normlab.report.results import Results
from normlab.report.style import COLOURS, DATA_TITLES, draw_line, draw_points, method_title


def figure(results: Results) -> Figure | None:
    """Validation accuracy over epochs at each arm's best rate, and test accuracy of all norms at batch size 128."""
    plot, axes = plt.subplots(
        len(results.settings), 2, figsize=(10, 3.4 * len(results.settings)), squeeze=False, layout="constrained"
    )
    for (left, right), setting in zip(axes, results.settings, strict=True):
        for norm, colour in COLOURS.items():
            rows = results.select("best_rates", setting=setting, norm=norm, level="best")
            if len(rows):
                draw_line(left, *validation_curve(results, rows), label=method_title(norm), colour=colour)
            rows = results.select("large_batch", setting=setting, norm=norm, level="best")
            if len(rows):
                accuracies = [100 * v for v in results.values(rows, "test_accuracy")]
                draw_points(right, list(COLOURS).index(norm), accuracies, colour)
        left.set(
            title=f"{DATA_TITLES[setting]}: training at the best rate", xlabel="epoch", ylabel="validation accuracy, %"
        )
        if left.lines:
            left.legend(fontsize=8)
        shown = [norm for norm in COLOURS if len(results.select("large_batch", setting=setting, norm=norm))]
        right.set_xticks([list(COLOURS).index(n) for n in shown], [method_title(n) for n in shown])
        right.margins(x=0.15)
        right.set(title=f"{DATA_TITLES[setting]}: batch 128, best rates", ylabel="test accuracy, %")
    return plot


def validation_curve(results: Results, rows: pd.DataFrame) -> tuple[list[float], list[list[float]]]:
    """Epochs, and at each the validation accuracies of all seeds in per cent."""
    by_epoch: dict[float, list[float]] = {}
    for key in rows["run_key"]:
        history = results.store.history(key).dropna(subset=["validation_accuracy"])
        for epoch, accuracy in zip(history["epoch"], history["validation_accuracy"], strict=True):
            if abs(epoch - round(epoch)) < 0.02:
                by_epoch.setdefault(round(epoch), []).append(100 * accuracy)
    epochs = sorted(by_epoch)
    return [float(e) for e in epochs], [by_epoch[e] for e in epochs]
