"""How do gradients flow through deep nets? Five claims, and the theory of gradients at initialization beside them."""

import math

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator, NullFormatter

from experiments.wording import RATIO_10_PERCENT
from normlab.core.claim import Arm, Case, Claim, Contrast, Text
from normlab.nets.mean_field import gradient_growth
from normlab.report.results import Results
from normlab.report.style import COLOURS, DATA_TITLES, accuracy_axis, draw_line, method_title

ACTIVATIONS = ("sigmoid", "tanh", "relu")
TEN_IN_64_LAYERS = math.log(10) / 64  # a growth per layer by which gradients grow tenfold over 64 layers
STEEPNESS = 1 / 64  # the same in decades a layer
ONE_STEP = math.log(1.7)  # of the grid of depths
NETS_OF_THEORY = (("none", "kaiming"), ("none", "xavier"), ("batch", "kaiming"))
EACH_NET = Text("at initialization", "初期値")
TRAINED = Text("trained MLP", "学習後の MLP")
TRAINED_CONV = Text("trained convolutions", "学習後の畳み込み")


def flatter(arm: str, axes: dict[str, str] | None = None) -> tuple[Contrast, ...]:
    more = axes or {}
    return (
        Contrast(
            Text("steepness of none − of batch norm, decades a layer", "傾き none − BN(1層あたりの桁)"),
            "gradient_flow.slope",
            Arm(arm, {"norm": "none", **more}),
            Arm(arm, {"norm": "batch", **more}),
        ),
    )


def growth_over_theory(norm: str, activation: str, scheme: str) -> Contrast:
    theory = gradient_growth(norm, activation, scheme)
    grid = "at_init" if scheme == "kaiming" else "at_init_xavier"
    return Contrast(
        Text(
            f"{method_title(norm)}, {scheme}, {activation}: measured over theory's ×{theory:.3f}",
            f"{method_title(norm)}・{scheme}・{activation}:測定 ÷ 理論 ×{theory:.3f}",
        ),
        "gradient_flow.growth",
        Arm(grid, {"norm": norm, "net": "mlp", "net.activation": activation}),
        reference=theory,
        log=True,
        unit="ratio",
    )


CLAIMS = (
    Claim(
        id="no-vanish-explode",
        sources=("B components 7", "B benefits 3", "B benefits 7"),
        statement=Text(
            "Batch norm keeps gradients from vanishing and exploding: their norm changes less from layer to layer.",
            "バッチ正規化は勾配の消失と爆発を防ぐ。層から層への勾配ノルムの変化が小さくなる。",
        ),
        method=Text(
            "The logarithm of the gradient's norm at each layer's activations, as a line over the layers: its absolute slope without "
            "norm minus with batch norm, at 50 initializations and at the end of training, for three activations and depths up to 64.",
            "各層の活性での勾配ノルムの対数を層番号の直線とみなし、その傾きの絶対値を比べる(正規化なし − BN)。50個の初期値と学習後、"
            "三つの活性化関数、深さ64まで。",
        ),
        checked=Text(
            "See deeper-trains: with He et al.'s weights tanh and ReLU nets have little to be kept from; sigmoid nets have. The gradient "
            "is that of the activations, which the scale of the weights before a batch norm does not change (tested).",
            "deeper-trains を参照。He らの初期値では、tanh と ReLU のネットに防ぐべき消失・爆発はほとんどなく、シグモイドにはある。"
            "測るのは活性に関する勾配で、バッチ正規化の前の重みの大きさには依存しない(テスト済み)。",
        ),
        kind="superiority",
        unit="number",
        delta=STEEPNESS,
        cases=(
            Case(EACH_NET, flatter("at_init"), by=("setting", "net", "net.activation", "net.depth")),
            Case(TRAINED, flatter("deep", {"level": "best"}), by=("setting", "net.activation", "net.depth")),
            Case(TRAINED_CONV, flatter("deep_conv", {"level": "best"}), by=("setting", "net.depth"), scales=("cpu",)),
        ),
    ),
    Claim(
        id="steadier-gradients",
        sources=("A §1", "A §3.1", "A §4.1", "A §5.4"),
        statement=Text(
            "With batch norm gradients fluctuate less. (B challenges 7 says the opposite: gradient-noise.)",
            "バッチ正規化を使うと、勾配のばらつきが小さくなる。(B の課題7は逆を述べる:gradient-noise)",
        ),
        method=Text(
            "Nets stopped at the same training loss, early and late: the variance of the gradient over batches, over the square of its "
            "mean, of the net without norm over that with batch norm.",
            "同じ訓練損失(初期と後期)で止めたネットで、バッチ間の勾配の分散を平均の二乗で割った値。正規化なし ÷ BN。",
        ),
        kind="superiority",
        unit="ratio",
        delta=RATIO_10_PERCENT,
        cases=(
            Case(
                Text("training", "学習"),
                (
                    Contrast(
                        Text("relative variance, none over batch norm", "相対分散 none ÷ BN"),
                        "gradient_variance.log_relative_variance",
                        Arm("matched", {"norm": "none", "level": "soonest"}),
                        Arm("matched", {"norm": "batch", "level": "soonest"}),
                    ),
                ),
                by=("setting", "loss"),
            ),
        ),
        shown_besides=(
            Case(
                Text("whether the losses are matched", "損失が揃っているか"),
                (
                    Contrast(
                        Text("training loss, none − batch norm (recalibrated)", "訓練損失 none − BN(再較正)"),
                        "train_loss_recalibrated",
                        Arm("matched", {"norm": "none", "level": "soonest"}),
                        Arm("matched", {"norm": "batch", "level": "soonest"}),
                        unit="number",
                    ),
                ),
                by=("setting", "loss"),
            ),
        ),
    ),
    Claim(
        id="deeper-trains",
        sources=("B benefits 3", "B benefits 10"),
        statement=Text(
            "Depths at which training fails without batch norm train with it.",
            "バッチ正規化なしでは学習できない深さでも、使えば学習できる。",
        ),
        method=Text(
            "The largest depth up to which an MLP stays within 5 points of its validation accuracy at depth 8, each depth at its best "
            "rate: batch norm over none. A net that does not learn at depth 8 counts one step below it.",
            "深さ8のときの検証正解率から5ポイント以内を保つ最大の深さ(各深さで最適な学習率)。BN ÷ 正規化なし。"
            "深さ8で学習できないネットは、格子で一段下の深さとする。",
        ),
        kind="superiority",
        unit="ratio",
        delta=ONE_STEP,
        cases=(
            Case(
                Text("MLP", "MLP"),
                (
                    Contrast(
                        Text("largest depth, batch norm over none", "最大の深さ BN ÷ none"),
                        "largest_depth@0.05,0.1",
                        Arm("deep", {"norm": "batch", "level": "best"}),
                        Arm("deep", {"norm": "none", "level": "best"}),
                        over="net.depth",
                    ),
                ),
                by=("setting", "net.activation"),
            ),
        ),
        checked=Text(
            "It depends on the activation, as theory says it should: without norm the gradients of sigmoid nets shrink to a third a "
            "layer and no depth trains; He et al.'s weights keep those of tanh and ReLU nets as they are, and there batch norm makes "
            "them grow by a tenth and a fifth a layer (Yang et al. 2019). What is measured at initialization agrees with the theory within "
            "a few per cent. All arms have the same grid of rates, extended where the best lay at its end, and the same six or eight "
            "epochs; batch norm in front of the activation is the usual place.",
            "理論どおり、活性化関数によって異なる。正規化なしのシグモイドでは勾配が1層ごとに約3分の1になり、どの深さも学習できない。"
            "tanh と ReLU では He らの初期値が勾配を保つ一方、バッチ正規化は1層ごとに約1割・2割ずつ増大させる(Yang ら 2019)。"
            "初期値での測定は理論と数%以内で一致する。全条件で学習率の格子(端が最良なら拡張)とエポック数(6または8)は同じで、"
            "バッチ正規化は通常どおり活性化の前に置く。",
        ),
    ),
    Claim(
        id="not-a-cure-all",
        sources=("B practice 7",),
        statement=Text(
            "In very deep nets gradients remain a trouble in spite of batch norm.",
            "非常に深いネットでは、バッチ正規化があっても勾配の問題が残る。",
        ),
        method=Text(
            "The factor by which the gradient's norm grows from a layer to the one below, in MLPs of 64 layers with batch norm at "
            "50 initializations: above 1 by so much that gradients grow at least tenfold over the net.",
            "64層のバッチ正規化付き MLP の50個の初期値で、勾配ノルムが一つ下の層へ伝わるときの倍率。"
            "ネット全体で10倍以上になるだけ1を超えること。",
        ),
        kind="superiority",
        unit="ratio",
        delta=TEN_IN_64_LAYERS,
        cases=(
            Case(
                Text("64 layers", "64層"),
                (
                    Contrast(
                        Text("growth per layer", "1層あたりの倍率"),
                        "gradient_flow.growth",
                        Arm("at_init", {"norm": "batch", "net": "mlp", "net.depth": 64}),
                        reference=1.0,
                        log=True,
                    ),
                ),
                by=("setting", "net.activation"),
                scales=("cpu",),
            ),
            Case(
                Text("32 layers", "32層"),
                (
                    Contrast(
                        Text("growth per layer", "1層あたりの倍率"),
                        "gradient_flow.growth",
                        Arm("at_init", {"norm": "batch", "net": "mlp", "net.depth": 32}),
                        reference=1.0,
                        log=True,
                    ),
                ),
                by=("setting", "net.activation"),
                scales=("quick",),
            ),
        ),
        shown_besides=tuple(
            Case(
                Text("MLP, growth per layer over mean-field theory", "MLP、1層あたりの倍率 ÷ 平均場理論"),
                tuple(growth_over_theory(norm, activation, scheme) for norm, scheme in NETS_OF_THEORY),
                by=("setting", "net.depth"),
            )
            for activation in ACTIVATIONS
        ),
    ),
    Claim(
        id="clipping-helps",
        sources=("B practice 7",),
        statement=Text(
            "Clipping gradients helps very deep nets with batch norm.",
            "非常に深いバッチ正規化付きネットでは、勾配クリッピングが役立つ。",
        ),
        method=Text(
            "Test accuracy of MLPs of 64 layers with batch norm, gradients clipped to norm 1 minus not clipped, each at its best rate.",
            "64層のバッチ正規化付き MLP のテスト正解率。勾配ノルムを1に制限 − 制限なし。各々最適な学習率。",
        ),
        kind="superiority",
        cases=(
            Case(
                Text("64 layers", "64層"),
                (
                    Contrast(
                        Text("clipped − not clipped", "制限あり − なし"),
                        "test_accuracy",
                        Arm("clipped", {"clipping": "on", "level": "best"}),
                        Arm("clipped", {"clipping": "off", "level": "best"}),
                    ),
                ),
                by=("setting", "net.activation"),
            ),
        ),
    ),
)


def figure(results: Results) -> Figure | None:
    """Growth of gradients per layer at initialization beside theory, and the accuracy of trained nets, over depth."""
    activations = [a for a in ACTIVATIONS if len(results.select("at_init", net__activation=a))]
    if not activations:
        return None
    count = len(results.settings)
    plot, axes = plt.subplots(
        2 * count, len(activations), figsize=(4.2 * len(activations), 5.4 * count), squeeze=False, layout="constrained",
    )  # fmt: skip
    for place, setting in enumerate(results.settings):
        above, below = axes[2 * place], axes[2 * place + 1]
        for ax, activation in zip(above, activations, strict=True):
            for norm in ("none", "batch"):
                for net, line in (("mlp", "-"), ("conv", ":")):
                    rows = results.select("at_init", setting=setting, norm=norm, net=net, net__activation=activation)
                    label = f"{method_title(norm)}, {'MLP' if net == 'mlp' else 'convolutions'}"
                    draw_depths(ax, results, rows, "gradient_flow.growth", 1.0, label, norm, line)
                draw_theory(ax, norm, activation)
            ax.set_title(f"{DATA_TITLES[setting]}, {activation}: at initialization")
            ax.set_yscale("log")
            ax.yaxis.set_major_locator(LogLocator(base=10, subs=(1, 1.25, 1.5, 2, 3, 4, 5, 6, 8), numticks=20))
            ax.yaxis.set_major_formatter(lambda value, _: f"×{value:.3g}")
            ax.yaxis.set_minor_formatter(NullFormatter())
        above[0].set_ylabel("gradient's growth\nto the layer below")
        for ax, activation in zip(below, activations, strict=True):
            for norm in ("none", "batch"):
                rows = results.select("deep", setting=setting, norm=norm, net__activation=activation, level="best")
                draw_depths(ax, results, rows, "test_accuracy", 100.0, f"{method_title(norm)}, MLP", norm, "-")
            ax.set_title(f"{DATA_TITLES[setting]}, {activation}: trained MLPs")
            ax.sharey(below[0])
        accuracy_axis(below[0])
    handles, labels = axes[0][-1].get_legend_handles_labels()
    plot.legend(handles, labels, loc="outside upper left", ncols=4, fontsize=9)
    return plot


def draw_depths(
    ax: Axes, results: Results, rows: pd.DataFrame, measure: str, unit: float, label: str, norm: str, line: str
) -> None:
    """A measure over depth."""
    depths = sorted(rows["net.depth"].unique()) if len(rows) else []
    groups = [[unit * v for v in results.values(rows[rows["net.depth"] == depth], measure)] for depth in depths]
    if depths and all(groups):
        draw_line(ax, depths, groups, label=label, colour=COLOURS[norm], linestyle=line)
        ax.set_xscale("log", base=2)
        ax.set_xticks(depths, [str(int(depth)) for depth in depths])
        ax.minorticks_off()
    ax.set_xlabel("depth, layers")


def draw_theory(ax: Axes, norm: str, activation: str) -> None:
    """What mean-field theory says, as a thin line with its value."""
    theory = gradient_growth(norm, activation, "kaiming")
    ax.axhline(theory, color=COLOURS[norm], linewidth=1, linestyle=(0, (1, 3)))
    label = ax.annotate(
        f"theory ×{theory:.2f}", (0.5, theory), xycoords=("axes fraction", "data"), xytext=(0, 2 if norm == "batch" else -2),
        textcoords="offset points", ha="center", va="bottom" if norm == "batch" else "top", fontsize=7.5, color=COLOURS[norm],
    )  # fmt: skip
    label.set_path_effects([withStroke(linewidth=3, foreground="white")])
