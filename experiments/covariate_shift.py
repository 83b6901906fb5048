"""Does batch norm hold the inputs of layers still, and is that why it helps? Four claims on the mechanism."""

import math

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from experiments.wording import ON_EACH_DATA_SET, RATIO_10_PERCENT
from normlab.report.inputs import Results
from normlab.report.style import COLOURS, DATA_TITLES, draw_points, legend_of_dots
from normlab.verdicts.claim import Arm, Case, Claim, Contrast, Text

STANDARD = 0.1  # how far from mean 0 and variance 1 still counts as standardized
WHEN = ("setting", "when")
DRIFT, SHIFT = "input_drift.log_drift", "gradient_shift.log_shift"


def moving(arm: str) -> Arm:
    return Arm("moving", {"arm": arm, "level": "best"})


def late(arm: str) -> Arm:
    return Arm("moving", {"arm": arm, "when": "late", "level": "best"})


def trained(arm: str) -> Arm:
    return Arm("trained", {"arm": arm, "level": "best"})


def matched(norm: str) -> Arm:
    return Arm("matched", {"norm": norm, "level": "soonest"})


def moves_more(measure: str, en: str, ja: str, same_rate: bool) -> Case:
    """What moves with none over what moves with batch norm, for both of them as fast as they learn best, or equally fast."""
    none, batch = (Arm("same_rate", {"arm": arm}) if same_rate else moving(arm) for arm in ("none", "batch"))
    rate = Text("one rate", "同じ学習率") if same_rate else Text("each at its best rate", "各々最適な学習率")
    part = Contrast(Text(f"{en}, none over batch norm", f"{ja} none ÷ BN"), measure, none, batch)
    return Case(Text(f"{en}, {rate.en}", f"{ja}、{rate.ja}"), (part,), by=WHEN)


CLAIMS = (
    Claim(
        id="inputs-stay-standardized",
        sources=("A §3.1", "B intro"),
        statement=Text(
            "With batch norm the inputs of every layer keep mean 0 and variance 1.",
            "バッチ正規化により、各層の入力は平均0・分散1に保たれる。",
        ),
        method=Text(
            "In trained nets, over training images: root mean square over channels of the means of what layers read (after γ, β and "
            "the activation), and the mean of their variances, averaged over layers: equal to 0 and 1 within 0.1.",
            "学習後のネットの各層の入力(γ・β・活性化の後)について、チャネル平均の二乗平均平方根と、分散の平均。"
            "それぞれ 0 と 1 に ±0.1 以内で等しいこと。",
        ),
        kind="equivalence",
        unit="number",
        delta=STANDARD,
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(Text("size of the means − 0", "平均の大きさ − 0"), "layer_inputs.mean", trained("batch")),
                    Contrast(
                        Text("variance − 1", "分散 − 1"), "layer_inputs.variance", trained("batch"), reference=1.0
                    ),
                ),
            ),
        ),
        beside=(
            Case(
                Text("what the norms give, before the activation", "活性化の前の、正規化の出力"),
                (
                    Contrast(
                        Text("size of the means − 0", "平均の大きさ − 0"), "layer_inputs.norm_mean", trained("batch")
                    ),
                    Contrast(
                        Text("variance − 1", "分散 − 1"), "layer_inputs.norm_variance", trained("batch"), reference=1.0
                    ),
                ),
            ),
            Case(
                Text("without norm", "正規化なし"),
                (
                    Contrast(Text("size of the means − 0", "平均の大きさ − 0"), "layer_inputs.mean", trained("none")),
                    Contrast(Text("variance − 1", "分散 − 1"), "layer_inputs.variance", trained("none"), reference=1.0),
                ),
            ),
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
            "And this is why batch norm helps.",
            "そして、これがバッチ正規化の効く理由である。",
        ),
        method=Text(
            "Batch norm against batch norm with random scales and shifts behind it, which move the next layer's inputs at every step: "
            "test accuracy must fall. Conditions: with the noise inputs drift at least as much as without any norm, and the noisy net is "
            "better than the one without norm, so that there is a gain to explain.",
            "バッチ正規化と、その直後に毎ステップ変わる乱数の拡大・移動を加えたものを比べ、テスト正解率が下がること。条件:雑音ありの入力の動きが"
            "正規化なし以上であること、かつ雑音ありのネットが正規化なしより良い(説明すべき利得がある)こと。",
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        Text("batch norm − noisy batch norm", "BN − 雑音つき BN"),
                        "test_accuracy",
                        trained("batch"),
                        trained("noisy"),
                    ),
                ),
                given=(
                    Contrast(
                        Text("drift, noisy batch norm over none", "入力の動き 雑音つき BN ÷ none"),
                        DRIFT,
                        late("noisy"),
                        late("none"),
                        unit="ratio",
                        delta=0.0,
                    ),
                    Contrast(
                        Text("noisy batch norm − none", "雑音つき BN − none"),
                        "test_accuracy",
                        trained("noisy"),
                        trained("none"),
                        delta=0.0,
                    ),
                ),
            ),
        ),
    ),
    Claim(
        id="smoother-landscape",
        sources=("B reference 2",),
        statement=Text("Batch norm makes the loss landscape smoother.", "バッチ正規化は、損失の地形を滑らかにする。"),
        method=Text(
            "Nets stopped at the same training loss, early and late: along the gradient, in steps measured against the weights' norms, "
            "the range of the loss, the largest change of the gradient, and the largest change per length of step. Each of none over "
            "batch norm.",
            "同じ訓練損失(初期と後期)で止めたネットで、勾配方向に(重みのノルムを単位として)進んだときの損失の幅、勾配の最大変化、"
            "歩幅あたりの最大変化。いずれも none ÷ BN。",
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
                by=("setting", "loss"),
            ),
        ),
        beside=(
            Case(
                Text("whether the losses are matched", "損失が揃っているか"),
                (
                    Contrast(
                        Text("training loss, none − batch norm (recalibrated)", "訓練損失 none − BN(再較正)"),
                        "train_loss_recalibrated",
                        matched("none"),
                        matched("batch"),
                        unit="number",
                    ),
                ),
                by=("setting", "loss"),
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
        "none": ("none", COLOURS["none"]),
        "batch": ("batch norm", COLOURS["batch"]),
        "noisy": ("noisy BN", "#D55E00"),
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
                    draw_points(ax, place + 0.22 * (offset - 1), values, colour)
            ax.set_xticks([0, 1], ["early", "late"])
            ax.set_xlim(-0.5, 1.5)
            ax.set_yscale("log")
            ax.set(title=DATA_TITLES[setting], ylabel=label)
        for place, (arm, (_, colour)) in enumerate(arms.items()):
            rows = results.select("trained", setting=setting, arm=arm, level="best")
            draw_points(row[2], place, [100 * v for v in results.values(rows, "test_accuracy")], colour)
        row[2].set_xticks(range(len(arms)), [title for title, _ in arms.values()])
        row[2].set_xlim(-0.5, len(arms) - 0.5)
        row[2].set(title=DATA_TITLES[setting], ylabel="test accuracy, %")
    legend_of_dots(plot, dict(arms.values()), columns=3)
    return plot
