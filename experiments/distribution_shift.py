"""What if the inputs change? Four claims on stored statistics, on adapting them, and on changes of style."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.wording import ON_EACH_DATA_SET
from normlab.core.claim import Arm, Case, Claim, Contrast, Pick, Text
from normlab.data.corruptions import SEVERITIES
from normlab.report.results import Results
from normlab.report.style import COLOURS, DATA_TITLES, accuracy_axis, draw_line, draw_points, method_title
from normlab.training.robustness import AMOUNTS

DECAYS = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999)
NORMS = ("none", "batch", "layer", "group", "instance")


def asked(norm: str, measure: str) -> Arm:
    return Arm("trained", {"norm": norm, "level": "best"}, measure=f"corruptions.accuracy{measure}")


def loses_more(other: str) -> Contrast:
    """What batch norm loses from clean to corrupted images, less what another norm loses."""
    title = method_title(other)
    return Contrast(
        Text(f"loss of batch norm − loss of {title}", f"低下 BN − {title}"),
        "corruptions.accuracy",
        asked("batch", "_clean"),
        asked("batch", ""),
        less=(asked(other, "_clean"), asked(other, "")),
    )


CLAIMS = (
    Claim(
        id="stale-statistics",
        sources=("B challenges 6",),
        statement=Text(
            "When the distribution of inputs shifts, batch norm's stored statistics are wrong and cost accuracy.",
            "入力の分布が変わると、バッチ正規化が保存した統計量は合わなくなり、正解率が下がる。",
        ),
        method=Text(
            "Ten corruptions in five severities: accuracy lost against clean images, batch norm minus layer, group and instance norm; "
            "and batch norm with statistics retaken from images under the same corruption minus with the stored ones, less the same on "
            "clean images. All four must be positive.",
            "10種類の劣化を5段階で与えたときの正解率の低下(BN − レイヤー・グループ・インスタンス)と、"
            "同じ劣化を受けた画像で取り直した統計量と保存した統計量の差(劣化なしでの差を除く)。四つとも正であること。",
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    *(loses_more(other) for other in ("layer", "group", "instance")),
                    Contrast(
                        Text("target's statistics − stored", "対象の統計量 − 保存した統計量"),
                        "corruptions.accuracy_adapted",
                        asked("batch", "_adapted"),
                        asked("batch", ""),
                        less=(asked("batch", "_clean_adapted"), asked("batch", "_clean")),
                    ),
                ),
            ),
        ),
    ),
    Claim(
        id="adaptive-bn-data",
        sources=("B advanced 3",),
        statement=Text(
            "Adapting batch norm's statistics to the data helps.", "データに合わせて統計量を適応させると改善する。"
        ),
        method=Text(
            "Accuracy under ten corruptions of middle severity with statistics retaken from 8, 32 or 128 images under the same corruption, "
            "each minus with the stored ones (AdaBN, our reading of it).",
            "中程度の劣化10種類で、同じ劣化を受けた 8・32・128 枚から取り直した統計量と、保存した統計量の正解率の差(AdaBN と解釈した)。",
        ),
        kind="superiority",
        cases=tuple(
            Case(
                Text(f"{amount} images", f"{amount} 枚"),
                (
                    Contrast(
                        Text("adapted − stored", "適応 − 保存"),
                        "corruptions.accuracy_3",
                        asked("batch", f"_adapted_of_{amount}"),
                        asked("batch", "_3"),
                    ),
                ),
            )
            for amount in AMOUNTS
        ),
    ),
    Claim(
        id="adaptive-bn-phase",
        sources=("B advanced 3",),
        statement=Text(
            "Adapting batch norm to the phase of training helps.", "学習の段階に合わせて適応させると改善する。"
        ),
        method=Text(
            "Test accuracy with running averages whose decay rises from 0.5 over 0.9 to 0.99 in the course of training, minus with the "
            "usual 0.9, and minus with the fixed decay that is best on tuning seeds; at a constant and at an annealed rate.",
            "減衰率を学習中に 0.5・0.9・0.99 と上げた移動平均のテスト正解率と、通常の 0.9、および調整用シードで最良の固定減衰率との差。"
            "一定の学習率と、下げていく学習率。",
        ),
        kind="superiority",
        cases=(
            Case(
                Text("rate", "学習率"),
                (
                    Contrast(
                        Text("by phase − 0.9", "段階的 − 0.9"),
                        "test_accuracy_phases",
                        Arm("phases"),
                        Arm("phases", measure="test_accuracy_decay_0.9"),
                    ),
                    Contrast(
                        Text("by phase − best fixed", "段階的 − 最良の固定"),
                        "test_accuracy_phases",
                        Arm("phases"),
                        Arm("phases", measure=Pick("{part}_accuracy_decay_{value}", DECAYS)),
                    ),
                ),
                by=("setting", "rate"),
            ),
        ),
        checked=Text(
            "All averages are kept beside each other in the same runs, so that the weights are the same ones. At a constant rate the long "
            "average of the last phase lags behind the moving weights, as everywhere in this suite; once the rate is annealed there is "
            "next to nothing between the decays.",
            "全ての移動平均は同じ学習の中で並べて保たれるため、重みは同一である。一定の学習率では、最後の段階の長い平均が動く重みに遅れる"
            "(他の実験と同じ)。学習率を下げていけば、減衰率による差はほとんどない。",
        ),
    ),
    Claim(
        id="instance-style",
        sources=("B table",),
        statement=Text(
            "Instance norm is the one for tasks of style.", "インスタンス正規化は、スタイルに関わる課題に適している。"
        ),
        method=Text(
            "Our proxy: accuracy where every test image has a contrast and brightness of its own, in five severities, instance norm minus "
            "batch norm.",
            "代理課題:テスト画像ごとに異なる明暗とコントラストを5段階で与えたときの正解率。インスタンス − BN。",
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        Text("instance − batch norm", "インスタンス − BN"),
                        "corruptions.accuracy_style",
                        asked("instance", "_style"),
                        asked("batch", "_style"),
                    ),
                ),
            ),
        ),
        shown_besides=(
            Case(
                Text("what each loses against clean images", "劣化なしからの低下"),
                (
                    Contrast(
                        Text("loss of batch norm − loss of instance", "低下 BN − インスタンス"),
                        "corruptions.accuracy_style",
                        asked("batch", "_clean"),
                        asked("batch", "_style"),
                        less=(asked("instance", "_clean"), asked("instance", "_style")),
                    ),
                ),
            ),
        ),
    ),
)


def figure(results: Results) -> Figure | None:
    """Accuracy over the severity of corruptions and of changes of style, and over the amount of target images."""
    plot, axes = plt.subplots(
        len(results.settings), 3, figsize=(12.5, 3.5 * len(results.settings)), squeeze=False, layout="constrained"
    )
    for (left, middle, right), setting in zip(axes, results.settings, strict=True):
        for norm in NORMS:
            rows = results.select("trained", setting=setting, norm=norm, level="best")
            for ax, prefix in ((left, "accuracy"), (middle, "accuracy_style")):
                names = ["accuracy_clean", *(f"{prefix}_{severity}" for severity in SEVERITIES)]
                _line(ax, results, rows, names, method_title(norm), COLOURS[norm], "-")
            if norm == "batch":
                names = ["accuracy_clean_adapted", *(f"accuracy_adapted_{severity}" for severity in SEVERITIES)]
                _line(left, results, rows, names, "batch norm, target's statistics", COLOURS[norm], "--")
                amounts = ["accuracy_3", *(f"accuracy_adapted_of_{amount}" for amount in AMOUNTS)]
                for place, name in enumerate(amounts):
                    values = [100 * v for v in results.values(rows, f"corruptions.{name}")]
                    draw_points(right, place, values, COLOURS[norm])
        for ax, title in ((left, "ten corruptions"), (middle, "contrast and brightness an image")):
            ax.set(title=f"{DATA_TITLES[setting]}: {title}", xlabel="severity (0: clean)")
            accuracy_axis(ax)
        right.set_xticks(range(len(AMOUNTS) + 1), ["stored", *map(str, AMOUNTS)])
        right.set(
            title=f"{DATA_TITLES[setting]}: batch norm, severity 3", xlabel="target images that statistics are from"
        )
        right.set_xlim(-0.5, len(AMOUNTS) + 0.5)
        right.set_ylabel("test accuracy, %")
    handles, labels = axes[0][0].get_legend_handles_labels()
    plot.legend(handles, labels, loc="outside upper left", ncols=3)
    return plot


def _line(
    ax: Axes, results: Results, rows: pd.DataFrame, names: list[str], label: str, colour: str, linestyle: str
) -> None:
    groups = [[100 * v for v in results.values(rows, f"corruptions.{name}")] for name in names]
    if all(groups):
        draw_line(ax, range(len(names)), groups, label=label, colour=colour, linestyle=linestyle)
