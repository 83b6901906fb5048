"""Does batch norm hold the inputs of layers still, and is that why it helps? Four claims on the mechanism."""

import math

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from experiments.wording import ON_EACH_DATA_SET, RATIO_10_PERCENT
from normlab.core.claim import Arm, Case, Claim, Contrast, Text
from normlab.report.results import Results
from normlab.report.style import COLOURS, DATA_TITLES, draw_points, legend_of_dots

STANDARD = 0.1  # how far from mean 0 and variance 1 still counts as standardized
WHEN = ("setting", "when")
TITLES = {
    "none": Text("none", "none"),
    "batch": Text("batch norm", "BN"),
    "noisy": Text("with moving noise", "動くノイズつき"),
    "steady": Text("with steady noise", "動かないノイズつき"),
}
DRIFT, SHIFT = "input_drift.log_drift", "gradient_shift.log_shift"


def moving(arm: str) -> Arm:
    return Arm("moving", {"arm": arm, "level": "best"})


def trained(arm: str) -> Arm:
    return Arm("trained", {"arm": arm, "level": "best"})


def matched(norm: str) -> Arm:
    return Arm("matched", {"norm": norm})


def moves_more(measure: str, en: str, ja: str, same_rate: bool) -> Case:
    """What moves with none over what moves with batch norm, for both of them as fast as they learn best, or equally fast."""
    none, batch = (Arm("same_rate", {"arm": arm}) if same_rate else moving(arm) for arm in ("none", "batch"))
    rate = Text("one rate", "同じ学習率") if same_rate else Text("each at its best rate", "各々最適な学習率")
    part = Contrast(Text(f"{en}, none over batch norm", f"{ja} none ÷ BN"), measure, none, batch)
    return Case(Text(f"{en}, {rate.en}", f"{ja}、{rate.ja}"), (part,), by=WHEN)


def standardized(arm: str, en: str, ja: str, of: str = "") -> Case:
    """How far means are from 0 and variances from 1, in what layers read or norms give."""
    return Case(
        Text(en, ja),
        (
            Contrast(Text("size of the means", "平均の大きさ"), f"layer_inputs.{of}mean", trained(arm)),
            Contrast(
                Text("distance of variances from 1", "分散の1からの隔たり"), f"layer_inputs.{of}variance", trained(arm)
            ),
        ),
    )


def accuracy(plus: str, minus: str, delta: float | None = None) -> Contrast:
    """Recalibrated: running averages taken under noise would not fit a net that is asked without it."""
    return Contrast(
        Text(f"{TITLES[plus].en} − {TITLES[minus].en}", f"{TITLES[plus].ja} − {TITLES[minus].ja}"),
        "test_accuracy_recalibrated",
        trained(plus),
        trained(minus),
        delta=delta,
    )


def drifts_more(when: str) -> Contrast:
    noisy, none = (Arm("moving", {"arm": arm, "when": when, "level": "best"}) for arm in ("noisy", "none"))
    name = Text(f"drift {when}, moving noise over none", f"入力の動き({when}) 動くノイズ ÷ none")
    return Contrast(name, DRIFT, noisy, none, unit="ratio", delta=0.0)


CLAIMS = (
    Claim(
        id="inputs-stay-standardized",
        sources=("A §3.1", "B intro"),
        statement=Text(
            "With batch norm the inputs of every layer keep mean 0 and variance 1.",
            "バッチ正規化により、各層の入力は平均0・分散1に保たれる。",
        ),
        method=Text(
            "In trained nets, over training images: root mean square over channels of the means of what layers read, and of the "
            "distance of their variances from 1, averaged over layers: both 0 within 0.1. With the norm before the activation, as "
            "usual, and after it, where nothing stands between norm and layer.",
            "学習後のネットで各層が読む入力について、チャネル平均の二乗平均平方根と、分散の1からの隔たりの二乗平均平方根(層平均)。"
            "ともに 0 ± 0.1 以内であること。正規化が活性化の前(通常)の場合と、後(層の直前)の場合。",
        ),
        kind="equivalence",
        unit="number",
        delta=STANDARD,
        cases=(
            standardized("batch", "norm before the activation", "正規化が活性化の前"),
            standardized("after", "norm after the activation", "正規化が活性化の後"),
        ),
        shown_besides=(
            standardized("batch", "what norms give, before the activation", "活性化の前の、正規化の出力", of="norm_"),
            standardized("none", "without norm", "正規化なし"),
        ),
    ),
    Claim(
        id="reduces-ics",
        sources=("A §1", "B intro", "B benefits 5"),
        statement=Text(
            "Batch norm keeps the distribution of layers' inputs from moving while other layers learn.",
            "バッチ正規化は、他の層の学習によって層の入力の分布が動くのを抑える。",
        ),
        method=Text(
            "How far means and standard deviations of layers' inputs move in ten steps, in units of the layer's own standard "
            "deviation; and how much a layer's gradient changes, relative to itself, when the layers below take their step. Each of "
            "none over batch norm, early and late in training, at one rate and each at its best.",
            "層の入力の平均と標準偏差が10ステップで動く量(その層の標準偏差を単位とする)と、下の層が更新されたときに層の勾配が変わる割合。"
            "none ÷ BN、学習の初期と後期、同じ学習率と各々最適な学習率。",
        ),
        kind="superiority",
        unit="ratio",
        delta=RATIO_10_PERCENT,
        cases=(
            moves_more(DRIFT, "drift of inputs", "入力の動き", same_rate=False),
            moves_more(DRIFT, "drift of inputs", "入力の動き", same_rate=True),
            moves_more(SHIFT, "change of gradients", "勾配の変化", same_rate=False),
            moves_more(SHIFT, "change of gradients", "勾配の変化", same_rate=True),
        ),
    ),
    Claim(
        id="ics-is-the-reason",
        sources=("B intro",),
        statement=Text(
            "Batch norm helps because it keeps the distribution of layers' inputs from moving.",
            "バッチ正規化が効くのは、層への入力の分布が動かなくなるためである。",
        ),
        method=Text(
            "Batch norm against batch norm with random scales and shifts behind it whose distribution jumps at every step, so that the "
            "next layer's inputs move; and the same noise with a distribution that stays, against it: test accuracy must fall in both. "
            "Conditions: batch norm gains over no norm, and with the moving noise inputs drift more than without any norm, early and "
            "late.",
            "バッチ正規化と、その直後に毎ステップ分布が動く乱数の拡大・移動を加えたものを比べ、さらに同じ大きさで分布の動かないノイズとも比べ、"
            "どちらでも動くノイズのテスト正解率が低いこと。条件:BN が正規化なしより良いこと、"
            "動くノイズでは入力の動きが正規化なしより大きいこと(初期と後期)。",
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (accuracy("batch", "noisy"), accuracy("steady", "noisy")),
                given=(accuracy("batch", "none"), drifts_more("early"), drifts_more("late")),
            ),
        ),
        shown_besides=(
            Case(Text("does the noisy net gain", "ノイズつきでも利得があるか"), (accuracy("noisy", "none"),)),
        ),
        checked=Text(
            "The noise moves the inputs as it should: their drift is far above that without norm. It is also too strong for these small "
            "nets: with moving and with steady noise alike they end little above chance, so that the second part compares two nets on "
            "the floor. What refutes is that noise which does not move does as much harm; a weaker noise might tell the two apart. "
            "That noisy nets still gain over no norm, as reported for larger nets, is not seen here.",
            "ノイズは意図どおり入力を動かしており、その動きは正規化なしを大きく上回る。ただし、この小さなネットには強すぎる。"
            "動くノイズでも動かないノイズでも偶然水準をわずかに上回るだけなので、二つ目の部分は底にある二つのネットの比較である。"
            "反証の根拠は、動かないノイズも同じだけ害になることで、より弱いノイズなら両者の差が見えるかもしれない。"
            "より大きなネットで報告された、ノイズつきでも正規化なしに勝るという結果は、ここでは見られない。",
        ),
    ),
    Claim(
        id="smoother-landscape",
        sources=("B reference 2",),
        statement=Text("Batch norm makes the loss landscape smoother.", "バッチ正規化は、損失の地形を滑らかにする。"),
        method=Text(
            "Nets stopped at the same training loss, early and late, at two rates: along the gradient, in steps measured against the "
            "weights' norms, the range of the loss, the largest change of the gradient, and the largest change per length of step. Each "
            "of none over batch norm. Condition: the losses where they stopped are equal within 0.15.",
            "同じ訓練損失(初期と後期)で止めたネットで、二つの学習率で、勾配方向に(重みのノルムを単位として)進んだときの損失の幅、"
            "勾配の最大変化、歩幅あたりの最大変化。いずれも none ÷ BN。条件:止めた時点の損失の差が 0.15 以内。",
        ),
        kind="superiority",
        unit="ratio",
        delta=RATIO_10_PERCENT,
        cases=(
            Case(
                Text("training", "学習"),
                tuple(
                    Contrast(
                        Text(f"{en}, none over batch norm", f"{ja} none ÷ BN"),
                        f"landscape.{measure}",
                        matched("none"),
                        matched("batch"),
                    )
                    for measure, en, ja in (
                        ("log_loss_range", "loss range", "損失の幅"),
                        ("log_gradient_change", "change of the gradient", "勾配の変化"),
                        ("log_smoothness", "change per length", "長さあたりの変化"),
                    )
                ),
                by=("setting", "loss", "optimizer.lr"),
                given=(
                    Contrast(
                        Text("loss of none − of batch norm", "損失 none − BN"),
                        "landscape.loss",
                        matched("none"),
                        matched("batch"),
                        unit="number",
                        delta=0.15,
                        kind="equivalence",
                    ),
                ),
            ),
        ),
    ),
)


def figure(results: Results) -> Figure | None:
    """Drift of inputs and change of gradients early and late, and test accuracy, by arm."""
    plot, axes = plt.subplots(
        len(results.settings), 3, figsize=(12, 3.3 * len(results.settings)), squeeze=False, layout="constrained"
    )
    arms = {
        "none": ("no norm", COLOURS["none"]),
        "batch": ("batch norm", COLOURS["batch"]),
        "noisy": ("BN with moving noise", "#D55E00"),
        "steady": ("BN with steady noise", COLOURS["layer"]),
    }
    for row, setting in zip(axes, results.settings, strict=True):
        for ax, measure, label in (
            (row[0], DRIFT, "drift of inputs in 10 steps, σ"),
            (row[1], SHIFT, "change of gradients, relative"),
        ):
            for place, when in enumerate(("early", "late")):
                for offset, (arm, (_, colour)) in enumerate(arms.items()):
                    rows = results.select("moving", setting=setting, arm=arm, when=when, level="best")
                    values = [math.exp(value) for value in results.values(rows, measure)]
                    draw_points(ax, place + 0.2 * (offset - 1.6), values, colour)
            ax.set_xticks([0, 1], ["early", "late"])
            ax.set_xlim(-0.5, 1.5)
            ax.set_yscale("log")
            ax.set(title=DATA_TITLES[setting], ylabel=label)
        for place, (arm, (_, colour)) in enumerate(arms.items()):
            rows = results.select("trained", setting=setting, arm=arm, level="best")
            draw_points(row[2], place, [100 * v for v in results.values(rows, "test_accuracy")], colour)
        row[2].set_xticks(range(len(arms)), [title.replace(" ", "\n") for title, _ in arms.values()], fontsize=8)
        row[2].set_xlim(-0.5, len(arms) - 0.5)
        row[2].set(title=DATA_TITLES[setting], ylabel="test accuracy, %")
    legend_of_dots(plot, dict(arms.values()), columns=3)
    return plot
