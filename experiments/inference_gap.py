"""What do running statistics cost in inference? Two claims on the gap to batch statistics and on its repair."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from normlab.core.claim import Arm, Case, Claim, Contrast, Text
from normlab.report.results import Results
from normlab.report.style import COLOURS, DATA_TITLES, accuracy_axis, draw_line

DECAYS = (0.9, 0.99, 0.999)
LADDER = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999)
RATES = {"constant": Text("constant rate", "一定の学習率"), "annealed": Text("annealed rate", "下げていく学習率")}


def against_running(statistics: str, en: str, ja: str) -> tuple[Case, ...]:
    """Accuracy with other statistics minus with running averages: by batch size and rate, and by length and decay."""

    def part(grid: str, decay: float) -> tuple[Contrast, ...]:
        name = Text(f"{en} − running, decay {decay:g}", f"{ja} − 移動統計量(減衰率 {decay:g})")
        measure = f"test_accuracy_{statistics}"
        return (Contrast(name, measure, Arm(grid), Arm(grid, measure=f"test_accuracy_decay_{decay:g}")),)

    sizes = tuple(Case(title, part(grid, 0.9), by=("setting", "data.batch_size")) for grid, title in RATES.items())
    lengths = tuple(
        Case(Text(f"decay {decay:g}", f"減衰率 {decay:g}"), part("lengths", decay), by=("setting", "length"))
        for decay in DECAYS
    )
    return sizes + lengths


CLAIMS = (
    Claim(
        id="train-test-mismatch",
        sources=("B challenges 2",),
        statement=Text(
            "That batch norm uses the batch's statistics in training and running ones in inference costs accuracy.",
            "訓練時はバッチ統計量、推論時は移動統計量という違いが、正解率を下げる。",
        ),
        method=Text(
            "Test accuracy of the same nets with each batch's own statistics (batches as in training) minus with running averages: by "
            "batch size, at a constant and an annealed rate; and by decay, for short and long training.",
            "同じネットのテスト正解率の、各バッチの統計量(訓練時と同じ大きさ)と移動統計量との差。バッチサイズごと(一定・下げていく学習率)、"
            "および減衰率ごと(短い・長い学習)。",
        ),
        kind="superiority",
        cases=against_running("batch", "batch statistics", "バッチ統計量"),
    ),
    Claim(
        id="recalibration-helps",
        sources=("B practice 8",),
        statement=Text(
            "Recalibrating the statistics after training repairs it.", "学習後に統計量を再較正すれば、それを直せる。"
        ),
        method=Text(
            "Test accuracy of the same nets with statistics recomputed over training images at the final weights, minus with running "
            "averages, in the same settings.",
            "同じネットのテスト正解率の、最終的な重みで訓練画像から再計算した統計量と移動統計量との差。同じ設定で比べる。",
        ),
        kind="superiority",
        cases=against_running("recalibrated", "recalibrated", "再較正"),
    ),
)


def figure(results: Results) -> Figure | None:
    """Test accuracy by kind of statistics: over the batch size at both rates, and over the decay for both lengths."""
    plot, axes = plt.subplots(
        len(results.settings), 3, figsize=(12.5, 3.5 * len(results.settings)), squeeze=False, layout="constrained"
    )
    looks = {
        "": ("running, decay 0.9", "-"),
        "_recalibrated": ("recalibrated", "--"),
        "_batch": ("the batch's own", ":"),
    }
    for row, setting in zip(axes, results.settings, strict=True):
        for ax, (grid, title) in zip(row, RATES.items(), strict=False):
            rows = results.select(grid, setting=setting)
            sizes = sorted(rows["data.batch_size"].unique()) if len(rows) else []
            for suffix, (label, line) in looks.items():
                groups = [
                    [100 * v for v in results.values(rows[rows["data.batch_size"] == size], f"test_accuracy{suffix}")]
                    for size in sizes
                ]
                if groups and all(groups):
                    draw_line(ax, range(len(sizes)), groups, label=label, colour=COLOURS["batch"], linestyle=line)
            ax.set_xticks(range(len(sizes)), [str(int(size)) for size in sizes])
            ax.set(title=f"{DATA_TITLES[setting]}: {title.en}", xlabel="batch size")
            accuracy_axis(ax)
        for length, colour in (("short", COLOURS["decorrelated"]), ("long", COLOURS["learned_momentum"])):
            rows = results.select("lengths", setting=setting, length=length)
            groups = [[100 * v for v in results.values(rows, f"test_accuracy_decay_{decay:g}")] for decay in LADDER]
            if all(groups):
                draw_line(row[2], range(len(LADDER)), groups, label=f"{length}, running", colour=colour)
                best = [100 * v for v in results.values(rows, "test_accuracy_recalibrated")]
                draw_line(
                    row[2],
                    [0, len(LADDER) - 1],
                    [best, best],
                    f"{length}, recalibrated",
                    colour,
                    linestyle="--",
                    marker="",
                )
        row[2].set_xticks(range(len(LADDER)), [f"{decay:g}" for decay in LADDER])
        row[2].set(title=f"{DATA_TITLES[setting]}: constant rate", xlabel="decay of the running averages")
        accuracy_axis(row[2])
    handles = {label: handle for ax in axes[0] for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    plot.legend(handles.values(), handles.keys(), loc="outside upper left", ncols=4, handlelength=3)
    return plot
