"""Which learning rates work? Five claims on how batch norm changes the choice of the rate."""

import math

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from experiments.wording import ON_EACH_DATA_SET, RATIO_10_PERCENT
from normlab.core.claim import Arm, Case, Claim, Contrast, Text
from normlab.report.results import Results
from normlab.report.style import COLOURS, DATA_TITLES, accuracy_axis, draw_line, method_title, plain_log_axis

# Of the figure: norm, measure and line.
LINES = (
    ("none", "validation_accuracy", "-"),
    ("batch", "validation_accuracy", "-"),
    ("batch", "validation_accuracy_recalibrated", "--"),
)
QUARTER_DECADE = 0.25  # The ladders' resolution, in decades.
RECALIBRATED = Text("with recalibrated statistics", "再較正した統計量")
LAGGING = Text(
    "Rates are constant here, so weights move up to the last step and running averages (decay 0.9) lag behind them: at good rates "
    "batch norm loses accuracy in its averages, not in its weights, and the more the higher the rate. Measured on the same runs "
    "with statistics recomputed over the training images, it comes out as below. What the claim says of training itself is "
    "closer to that; what a user of a constant rate gets is the verdict.",
    "ここでは学習率が一定で、重みは最後まで動き続けるため、移動平均(減衰率0.9)が遅れる。良い学習率でもバッチ正規化は重みではなく"
    "平均のために正解率を失い、学習率が高いほど大きい。同じ学習結果を、訓練画像で計算し直した統計量で測ると下のとおり。学習そのものについての"
    "主張にはこちらが近く、一定の学習率で使う人が得るものは判定のほうである。",
)


def stable_rate(measure: str) -> tuple[Contrast, ...]:
    name = Text("largest stable rate, batch over none", "安定な最大学習率 batch ÷ none")
    batch, none = Arm("sgd_rates", {"norm": "batch"}), Arm("sgd_rates", {"norm": "none"})
    return (Contrast(name, measure, batch, none, over="optimizer.lr"),)


def mistuned_parts(measure: str) -> tuple[Contrast, ...]:
    return tuple(
        Contrast(
            Text(f"best − {level}", f"最適 − {level}"),
            measure,
            Arm("mistuned", {"norm": "batch", "level": "best"}),
            Arm("mistuned", {"norm": "batch", "level": level}),
        )
        for level in ("×10", "÷100")
    )


def high_rate(measure: str) -> Contrast:
    return Contrast(
        Text("test accuracy, high − low rate", "テスト正解率 高 − 低"),
        measure,
        Arm("long", {"norm": "batch", "level": "high"}),
        Arm("long", {"norm": "batch", "level": "low"}),
    )


def adaptive_parts(norm: str, measure: str = "rate_width@0.02") -> tuple[Contrast, ...]:
    return tuple(
        Contrast(
            Text(f"{title} − SGD", f"{title} − SGD"),
            measure,
            Arm(f"{optimizer}_rates", {"norm": norm}),
            Arm("sgd_rates", {"norm": norm}),
            over="optimizer.lr",
        )
        for optimizer, title in (("adam", "Adam"), ("rmsprop", "RMSprop"))
    )


CLAIMS = (
    Claim(
        id="higher-stable-lr",
        sources=("A §3.2", "A §4.3", "A §5.4", "B benefits 1", "B practice 6"),
        statement=Text(
            "Batch norm allows much higher learning rates.",
            "バッチ正規化を使うと、ずっと高い学習率で学習できる。",
        ),
        method=Text(
            "The largest rate that trains to within 5 points of the arm's own best validation accuracy, found for every seed on a "
            "ladder of rates: batch over none. Much higher means at least three times.",
            "各条件の最良の検証正解率から5ポイント以内に達する最大の学習率を、シードごとに段階的に探し、batch ÷ none を求める。"
            "三倍以上を「ずっと高い」とする。",
        ),
        kind="superiority",
        unit="ratio",
        delta=math.log(3),
        cases=(Case(ON_EACH_DATA_SET, stable_rate("largest_stable_rate@0.05")),),
        checked=LAGGING,
        shown_besides=(Case(RECALIBRATED, stable_rate("largest_stable_rate_recalibrated@0.05")),),
    ),
    Claim(
        id="faster-by-higher-lr",
        sources=("A §3.2", "A §4.3", "B benefits 1"),
        statement=Text(
            "It is the higher rate that makes training with batch norm faster.",
            "バッチ正規化で許される高い学習率が、学習を速くする。",
        ),
        method=Text(
            "Epochs until validation accuracy first reaches the target (looked at every tenth of an epoch): batch norm at the rate "
            "that is fastest for none over batch norm at its own fastest rate.",
            "検証正解率が目標に達するまでのエポック数(0.1エポック刻み)。none に最速の率での batch ÷ 自身に最速の率での batch。",
        ),
        kind="superiority",
        unit="ratio",
        delta=RATIO_10_PERCENT,
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        Text(
                            "epochs at none's rate over epochs at its own",
                            "none の率でのエポック数 ÷ 自身の率でのエポック数",
                        ),
                        "epochs_to@{target}",
                        Arm("fastest", {"norm": "batch", "level": "none's fastest"}),
                        Arm("fastest", {"norm": "batch", "level": "fastest"}),
                        log=True,
                    ),
                ),
            ),
        ),
        checked=Text(
            "On both data sets the tuning seeds named the same rate for both arms, so that these are the same runs and every effect is "
            "exactly 1: no rate of the grid above none's fastest makes batch norm faster. The interval is the resolution of the "
            "measure, a tenth of an epoch.",
            "どちらのデータでも調整用シードが両条件に同じ学習率を選んだため、両者は同じ学習であり、効果は全て正確に1となる。"
            "none に最速の率より高い格子の率で、BN が速くなるものはない。区間は測定の分解能(0.1エポック)による。",
        ),
    ),
    Claim(
        id="bad-lr-still-fails",
        sources=("A §5.4", "B practice 6"),
        statement=Text(
            "With a badly chosen rate, nets with batch norm train badly too.",
            "学習率の選択を誤れば、バッチ正規化を使っても学習はうまくいかない。",
        ),
        method=Text(
            "Test accuracy of batch norm at its best rate minus at ten times that rate, and minus at a hundredth of it; each must "
            "lose at least 5 points.",
            "最適な学習率での batch のテスト正解率と、その10倍・100分の1での正解率の差。どちらも5ポイント以上下がること。",
        ),
        kind="superiority",
        delta=0.05,
        cases=(Case(ON_EACH_DATA_SET, mistuned_parts("test_accuracy")),),
        checked=LAGGING,
        shown_besides=(Case(RECALIBRATED, mistuned_parts("test_accuracy_recalibrated")),),
    ),
    Claim(
        id="adaptive-optimizer",
        sources=("A §5.4",),
        statement=Text(
            "Adam and RMSprop make the choice of the rate easier.",
            "Adam や RMSprop を使うと、学習率の選択が楽になる。",
        ),
        method=Text(
            "The width, in decades, of the range of rates within 2 points of the best validation accuracy, found for every seed "
            "on a ladder of rates: Adam minus SGD and RMSprop minus SGD; both must be wider.",
            "最良の検証正解率から2ポイント以内に入る学習率の幅(桁数)をシードごとに求め、Adam − SGD と RMSprop − SGD を比較。"
            "両方とも広いこと。",
        ),
        kind="superiority",
        unit="number",
        delta=QUARTER_DECADE,
        cases=(
            Case(Text("with batch norm", "バッチ正規化あり"), adaptive_parts("batch")),
            Case(Text("without norm", "正規化なし"), adaptive_parts("none"), scales=("cpu",)),
        ),
        checked=LAGGING,
        shown_besides=(Case(RECALIBRATED, adaptive_parts("batch", "rate_width_recalibrated@0.02")),),
    ),
    Claim(
        id="high-lr-better-optimum",
        sources=("A §4.3",),
        statement=Text(
            "With batch norm, high rates lead to better optima than low ones.",
            "バッチ正規化の下では、高い学習率の方が良い最適解に至る。",
        ),
        method=Text(
            "Batch norm at the highest good rate (within 2 points of the best on tuning seeds) against a thirtieth of it, trained "
            "for 30 epochs: lowest training loss reached (as a factor) and test accuracy; both must be better.",
            "良好な最大の学習率(調整用シードで最良から2ポイント以内)とその30分の1で30エポック学習し、"
            "到達した最小の訓練損失とテスト正解率を比較。両方とも優れること。",
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    high_rate("test_accuracy"),
                    Contrast(
                        Text("lowest training loss, low over high rate", "最小の訓練損失 低 ÷ 高"),
                        "lowest_train_loss",
                        Arm("long", {"norm": "batch", "level": "low"}),
                        Arm("long", {"norm": "batch", "level": "high"}),
                        log=True,
                        unit="ratio",
                        delta=RATIO_10_PERCENT,
                    ),
                ),
            ),
        ),
    ),
)


def figure(results: Results) -> Figure | None:
    """Validation accuracy over the learning rate, for each optimizer with and without batch norm."""
    optimizers = {"sgd_rates": "SGD, momentum 0.9", "adam_rates": "Adam", "rmsprop_rates": "RMSprop"}
    plot, axes = plt.subplots(
        len(results.settings),
        3,
        figsize=(11.5, 3.3 * len(results.settings)),
        squeeze=False,
        layout="constrained",
        sharey="row",
    )
    for row, setting in zip(axes, results.settings, strict=True):
        for ax, (grid, title) in zip(row, optimizers.items(), strict=True):
            for norm, measure, line in LINES:
                rows = results.select(grid, setting=setting, norm=norm)
                rates = sorted(rate for rate in rows["optimizer.lr"].unique()) if len(rows) else []
                groups = [
                    [100 * v for v in results.values(rows[rows["optimizer.lr"] == rate], measure)] for rate in rates
                ]
                common = [(r, g) for r, g in zip(rates, groups, strict=True) if len(g) >= len(results.seeds)]
                if common:
                    x, y = [rate for rate, _ in common], [group for _, group in common]
                    label = method_title(norm) + (", recalibrated statistics" if line == "--" else "")
                    draw_line(ax, x, y, label=label, colour=COLOURS[norm], linestyle=line)
            ax.set(title=f"{DATA_TITLES[setting]}: {title}", xlabel="learning rate")
            plain_log_axis(ax)
        accuracy_axis(row[0], "validation accuracy, %")
    handles, labels = axes[0][0].get_legend_handles_labels()
    plot.legend(handles, labels, loc="outside upper left", ncols=3, fontsize=8, handlelength=3)
    return plot
