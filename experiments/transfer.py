"""Does batch norm help on new data? Two claims on fine-tuning and on stored statistics in it."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from normlab.core.claim import Arm, Case, Claim, Contrast, Text
from normlab.report.results import Results
from normlab.report.style import COLOURS, DATA_TITLES, draw_points, legend_of_dots, method_title

NORMS = ("none", "batch", "group")
BY_IMAGES = ("setting", "images")
A_CLASS = Text("per class", "1クラスあたり")


def gains_more(than: str) -> Case:
    """What pre-training gains with batch norm, less what it gains with another norm."""

    def arm(grid: str, norm: str) -> Arm:
        return Arm(grid, {"norm": norm, "level": "best"})

    title = method_title(than)
    part = Contrast(
        Text(f"gain with batch norm − gain with {title}", f"利得 BN − {title}"),
        "test_accuracy",
        arm("finetuned", "batch"),
        arm("scratch", "batch"),
        less=(arm("finetuned", than), arm("scratch", than)),
    )
    return Case(A_CLASS, (part,), by=BY_IMAGES)


def better_than_frozen(statistics: str, en: str, ja: str) -> Contrast:
    return Contrast(
        Text(f"{en} − frozen", f"{ja} − 凍結"),
        "test_accuracy",
        Arm("statistics", {"statistics": statistics, "level": "best"}),
        Arm("statistics", {"statistics": "frozen", "level": "best"}),
    )


CLAIMS = (
    Claim(
        id="quick-adaptation",
        sources=("A §4.5",),
        statement=Text(
            "Nets with batch norm adapt fast to new data, also to little of it.",
            "バッチ正規化のネットは、少ないデータでも新しいデータに速く適応する。",
        ),
        method=Text(
            "Test accuracy after a short fine-tuning minus after the same training from scratch, with batch norm, less the same without "
            "norm, at several numbers of images a class; every arm at its best rate. (Group norm is shown besides.)",
            "短い微調整後と、同じ学習を最初から行った場合とのテスト正解率の差(利得)を、BN と正規化なしで比べる。"
            "1クラスあたりの画像数ごとに、各々最適な学習率で。(グループ正規化も併せて示す。)",
        ),
        kind="superiority",
        cases=(gains_more("none"),),
        shown_besides=(
            gains_more("group"),
            Case(
                Text("fine-tuned", "微調整後"),
                tuple(
                    Contrast(
                        Text(f"batch norm − {method_title(norm)}", f"BN − {method_title(norm)}"),
                        "test_accuracy",
                        Arm("finetuned", {"norm": "batch", "level": "best"}),
                        Arm("finetuned", {"norm": norm, "level": "best"}),
                    )
                    for norm in ("none", "group")
                ),
                by=BY_IMAGES,
            ),
        ),
    ),
    Claim(
        id="stale-when-finetuning",
        sources=("B challenges 10",),
        statement=Text(
            "In fine-tuning, the statistics of pre-training fit the new data badly.",
            "微調整では、事前学習の統計量が新しいデータに合わない。",
        ),
        method=Text(
            "Test accuracy after fine-tuning with the stored statistics frozen, against updating them as ever, and against retaking them "
            "once from the new training images before freezing them; both must be better than frozen.",
            "保存した統計量を凍結した微調整を、通常どおり更新する場合、および新しい訓練画像で一度取り直してから凍結する場合と比べる。"
            "両方が凍結に優ること。",
        ),
        kind="superiority",
        cases=(
            Case(
                A_CLASS,
                (
                    better_than_frozen("updated", "updated", "更新"),
                    better_than_frozen("retaken", "retaken", "取り直し"),
                ),
                by=BY_IMAGES,
            ),
        ),
    ),
)


def figure(results: Results) -> Figure | None:
    """Test accuracy fine-tuned and from scratch by norm, and by what is done with the statistics."""
    plot, axes = plt.subplots(
        len(results.settings), 2, figsize=(11, 3.5 * len(results.settings)), squeeze=False, layout="constrained"
    )
    modes = {"frozen": "#999999", "retaken": COLOURS["switchable"], "updated": COLOURS["batch"]}
    for (left, right), setting in zip(axes, results.settings, strict=True):
        rows = results.select("finetuned", setting=setting, level="best")
        amounts = list(dict.fromkeys(rows["images"])) if len(rows) else []
        for place, images in enumerate(amounts):
            for offset, norm in enumerate(NORMS):
                for shift, grid, alpha in ((0.0, "scratch", 0.45), (0.1, "finetuned", 1.0)):
                    cells = results.select(grid, setting=setting, images=images, norm=norm, level="best")
                    values = [100 * v for v in results.values(cells, "test_accuracy")]
                    if values:
                        x = place + 0.26 * (offset - 1) + shift
                        draw_points(left, x, values, _faded(COLOURS[norm], alpha))
            for offset, (mode, colour) in enumerate(modes.items()):
                cells = results.select("statistics", setting=setting, images=images, statistics=mode, level="best")
                values = [100 * v for v in results.values(cells, "test_accuracy")]
                if values:
                    draw_points(right, place + 0.25 * (offset - 1), values, colour)
        for ax, title in (
            (left, "from scratch (pale) and fine-tuned"),
            (right, "batch norm's statistics in fine-tuning"),
        ):
            ax.set_xticks(range(len(amounts)), amounts)
            ax.set_xlim(-0.5, max(1, len(amounts)) - 0.4)
            ax.set(title=f"{DATA_TITLES[setting]}: {title}", xlabel="images a class", ylabel="test accuracy, %")
    legend_of_dots(plot, {method_title(norm): COLOURS[norm] for norm in NORMS} | modes, columns=6)
    return plot


def _faded(colour: str, alpha: float) -> str:
    """``colour`` mixed with white."""
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(alpha * part + (1 - alpha) * 255):02x}" for part in parts)
