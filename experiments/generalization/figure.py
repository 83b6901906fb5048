"""The gap at equal loss over the number of images, gains on spoilt images, and probes of matched nets."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from normlab.report.results import Results
from normlab.report.style import COLOURS, DATA_TITLES, accuracy_axis, draw_line, draw_points, method_title

PROBES = {
    "linear": "linear",
    "neighbours": "10-NN",
    "other_linear": "linear,\nother data",
    "other_neighbours": "10-NN,\nother data",
}


def figure(results: Results) -> Figure | None:
    """The gap at equal loss over the number of images, gains on spoilt images, and probes of matched nets."""
    plot, axes = plt.subplots(
        len(results.settings), 3, figsize=(13, 3.5 * len(results.settings)), squeeze=False, layout="constrained"
    )
    for (left, middle, right), setting in zip(axes, results.settings, strict=True):
        level = results.design.at(results.scale).settings[setting].constants["level"]
        for norm in ("none", "batch", "group"):
            rows = results.select("gaps", setting=setting, norm=norm, level="best")
            sizes = sorted(rows["images"].unique(), key=int) if len(rows) else []
            groups = {
                int(size): [100 * v for v in results.values(rows[rows["images"] == size], f"accuracy_gap@{level}")]
                for size in sizes
            }
            shown = {size: group for size, group in groups.items() if group}
            if shown:
                draw_line(left, list(shown), list(shown.values()), label=method_title(norm), colour=COLOURS[norm])
        left.set_title(f"{DATA_TITLES[setting]}: training − validation, at loss {level:g}")
        left.set_xlabel("training images")
        left.set_ylabel("accuracy gap, points")
        left.set_xscale("log")
        left.set_xticks([int(s) for s in sizes], sizes)
        left.minorticks_off()
        for place, noise in enumerate(("clean", "pixels", "labels")):
            for shift, norm in ((-0.15, "none"), (0.15, "batch")):
                rows = results.select("spoilt", setting=setting, norm=norm, noise=noise, level="best")
                if len(rows):
                    draw_points(
                        middle, place + shift, [100 * v for v in results.values(rows, "test_accuracy")], COLOURS[norm]
                    )
        middle.set_xticks(range(3), ["clean", "noisy pixels", "noisy labels"])
        middle.set_title(f"{DATA_TITLES[setting]}: spoilt training images")
        accuracy_axis(middle)
        rows = results.select("matched", setting=setting, level="soonest")
        kinds = {kind: title for kind, title in PROBES.items() if results.values(rows, f"features.{kind}")}
        for place, kind in enumerate(kinds):
            for shift, norm in ((-0.15, "none"), (0.15, "batch")):
                found = [100 * v for v in results.values(rows[rows["norm"] == norm], f"features.{kind}")]
                if found:
                    draw_points(right, place + shift, found, COLOURS[norm])
        right.set_xticks(range(len(kinds)), list(kinds.values()))
        right.set_title(f"{DATA_TITLES[setting]}: probes of equally accurate nets")
        accuracy_axis(right)
    handles, labels = axes[0][0].get_legend_handles_labels()
    plot.legend(handles, labels, loc="outside upper left", ncols=3, fontsize=9)
    return plot
