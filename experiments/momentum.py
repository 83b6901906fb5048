"""How should running statistics follow the batches? Ten claims on the decay of running averages and on ε."""

from dataclasses import replace
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from experiments.wording import ON_EACH_DATA_SET, RATIO_10_PERCENT
from normlab.core.claim import Arm, Case, Claim, Contrast, Finding, Pick, Text
from normlab.norms.exact import constant_features
from normlab.report.results import Results
from normlab.report.style import COLOURS, DATA_TITLES, accuracy_axis, draw_line, plain_log_axis

DECAYS = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999)
RECOMMENDED = (0.9, 0.99, 0.999)
ACCURACY = "{part}_accuracy_decay_{value}"
GAP = "{part}_gap_decay_{value}"
EACH_LENGTH = Text("short and long training", "短い学習と長い学習")
BY_LENGTH = ("setting", "length")


def reading(grid: str, decay: float, what: str = "test_accuracy") -> Arm:
    """The runs of a grid as read with one decay."""
    return Arm(grid, measure=f"{what}_decay_{decay:g}")


def learned_against_fixed(change: str, delta: float | None = None) -> Contrast:
    """A learned decay against the best fixed one, on inputs that change as ``change`` says."""
    return Contrast(
        Text(f"learned − best fixed, change: {change}", f"学習 − 最良の固定(変化: {change})"),
        "test_accuracy",
        Arm("learned", {"change": change}),
        Arm("learned_reference", {"change": change}, measure=Pick(ACCURACY, DECAYS)),
        delta=delta,
    )


def epsilon(value: float) -> Arm:
    return Arm("epsilons", {"norm.eps": value, "level": "best"})


def against_recalibrated(decay: float, runs: Arm) -> Contrast:
    """What a running average costs against statistics recomputed over the training images, at the same weights."""
    return Contrast(
        Text(f"{decay:g} − recalibrated", f"{decay:g} − 再較正"),
        "test_accuracy",
        replace(runs, measure=f"test_accuracy_decay_{decay:g}"),
        replace(runs, measure="test_accuracy_recalibrated"),
    )


LAGGING = Text(
    "The averages were checked against batch norms of those momenta (a test), and the nets themselves are good: recalibrated "
    "statistics give full accuracy. At a constant rate weights move up to the last step and averages lag behind them, the more "
    "the higher the decay, from which short training suffers besides because an average that starts at (0, 1) is not yet warm. "
    "Where the rate is annealed to 0 (the runs of the ε grid, below and in the figure) the lag vanishes and 0.9 is as good as "
    "recalibrated statistics; 0.999 is still not warm after these few hundred steps.",
    "平均の実装は、同じ momentum のバッチ正規化と一致する(テスト済み)。再較正した統計量では正解率は十分で、ネット自体に問題はない。"
    "一定の学習率では重みが最後まで動き続け、減衰率が高いほど平均が遅れる。"
    "短い学習では、(0, 1) から始まる平均がまだ十分に追従していないことも加わる。"
    "学習率を0まで下げた場合(ε の格子の学習。下と図)、遅れは消え、0.9 は再較正と同等になる。0.999 は数百ステップではまだ温まらない。",
)


def epsilon_guards() -> Finding:
    """Constant features stay finite with ε and do not without."""
    with_eps, without = constant_features(1e-5), constant_features(0.0)
    holds = with_eps["share_finite"] == 1.0 and without["share_finite"] == 0.0
    return Finding(
        holds,
        {
            "share of finite outputs, ε = 1e-5": with_eps["share_finite"],
            "largest output, ε = 1e-5": with_eps["largest"],
            "share of finite outputs, ε = 0": without["share_finite"],
        },
    )


CLAIMS = (
    Claim(
        id="decay-range",
        sources=("B components 5", "B practice 2"),
        statement=Text(
            "A decay of the running averages between 0.9 and 0.999 is right.",
            "移動平均の減衰率は 0.9〜0.999 が適切である。",
        ),
        method=Text(
            "Test accuracy as read with decay 0.9, 0.99 and 0.999, each minus the decay that is best on tuning seeds out of "
            "0, 0.5, 0.9, 0.99, 0.999, 0.9999: none inferior, in short and in long training.",
            "減衰率 0.9・0.99・0.999 で読んだテスト正解率と、調整用シードで六つの候補から選んだ最良との差。"
            "短い学習でも長い学習でも、三つとも劣らないこと。",
        ),
        kind="noninferiority",
        cases=(
            Case(
                EACH_LENGTH,
                tuple(
                    Contrast(
                        Text(f"{decay:g} − best", f"{decay:g} − 最良"),
                        "test_accuracy",
                        reading("decays", decay),
                        Arm("decays", measure=Pick(ACCURACY, DECAYS)),
                    )
                    for decay in RECOMMENDED
                ),
                by=BY_LENGTH,
            ),
        ),
        checked=LAGGING,
        shown_besides=(
            Case(
                Text("constant rate", "一定の学習率"),
                tuple(against_recalibrated(decay, Arm("decays")) for decay in RECOMMENDED),
                by=BY_LENGTH,
            ),
            Case(
                Text("short, rate annealed to 0", "短い学習・0まで下げた学習率"),
                tuple(against_recalibrated(decay, epsilon(1e-5)) for decay in RECOMMENDED),
            ),
        ),
    ),
    Claim(
        id="decay-stability",
        sources=("B components 5",),
        statement=Text(
            "A higher decay makes running statistics steadier and slower.",
            "減衰率が高いほど、移動統計量は安定し、追従は遅くなる。",
        ),
        method=Text(
            "Over the last hundred steps: the running mean's change from step to step at decay 0.9 over that at 0.999, and its "
            "distance from the batches' own mean over the window at 0.999 over that at 0.9. Both must exceed one.",
            "最後の100ステップで、移動平均のステップ間変化(0.9 ÷ 0.999)と、バッチ平均からの遅れ(0.999 ÷ 0.9)。両方とも1を超えること。",
        ),
        kind="superiority",
        unit="ratio",
        delta=RATIO_10_PERCENT,
        cases=(
            Case(
                EACH_LENGTH,
                (
                    Contrast(
                        Text("change per step, 0.9 over 0.999", "ステップ間変化 0.9 ÷ 0.999"),
                        "jitter",
                        reading("decays", 0.9, "jitter"),
                        reading("decays", 0.999, "jitter"),
                        log=True,
                    ),
                    Contrast(
                        Text("lag, 0.999 over 0.9", "遅れ 0.999 ÷ 0.9"),
                        "lag",
                        reading("decays", 0.999, "lag"),
                        reading("decays", 0.9, "lag"),
                        log=True,
                    ),
                ),
                by=BY_LENGTH,
            ),
        ),
    ),
    Claim(
        id="decay-shift",
        sources=("B components 5", "B practice 2"),
        statement=Text(
            "Where distributions change fast, a lower decay is better.",
            "分布が速く変化する場合は、低い減衰率がよい。",
        ),
        method=Text(
            "The inputs' contrast and brightness change abruptly after 90 % or 70 % of the steps; test accuracy on changed inputs "
            "at the end, as read with decay 0.5 and 0.9, minus with 0.999. Both must be better.",
            "学習の90%または70%の時点で入力のコントラストと明るさを急変させ、変化後の入力に対するテスト正解率を、"
            "減衰率 0.5・0.9 と 0.999 で比較。両方とも優れること。",
        ),
        kind="superiority",
        cases=(
            Case(
                Text("recent and earlier change", "直近の変化と以前の変化"),
                tuple(
                    Contrast(
                        Text(f"{decay:g} − 0.999", f"{decay:g} − 0.999"),
                        "test_accuracy",
                        reading("shifted", decay),
                        reading("shifted", 0.999),
                    )
                    for decay in (0.5, 0.9)
                ),
                by=("setting", "change"),
            ),
        ),
    ),
    Claim(
        id="decay-sensitive",
        sources=("B challenges 5",),
        statement=Text(
            "Performance depends much on the decay, also within the usual range.",
            "通常の範囲内でも、性能は減衰率に大きく左右される。",
        ),
        method=Text(
            "Test accuracy as read with the best minus with the worst of the decays 0.9, 0.99, 0.999, both named on tuning seeds.",
            "減衰率 0.9・0.99・0.999 のうち、調整用シードが選んだ最良と最悪のテスト正解率の差。",
        ),
        kind="superiority",
        cases=(
            Case(
                EACH_LENGTH,
                (
                    Contrast(
                        Text("best − worst decay", "最良 − 最悪の減衰率"),
                        "test_accuracy",
                        Arm("decays", measure=Pick(ACCURACY, RECOMMENDED)),
                        Arm("decays", measure=Pick(ACCURACY, RECOMMENDED, "worst")),
                    ),
                ),
                by=BY_LENGTH,
            ),
        ),
    ),
    Claim(
        id="epsilon-sensitive",
        sources=("B challenges 5",),
        statement=Text("Performance depends much on ε.", "性能は ε に大きく左右される。"),
        method=Text(
            "Test accuracy of the best minus the worst ε from 1e-8 to 1e-1, each at its best rate, both named on tuning seeds.",
            "1e-8〜1e-1 の ε のうち、調整用シードが選んだ最良と最悪(各々最適な学習率)のテスト正解率の差。",
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        Text("best − worst ε", "最良 − 最悪の ε"),
                        "test_accuracy",
                        Arm("epsilon_extremes", {"level": "best"}),
                        Arm("epsilon_extremes", {"level": "worst"}),
                    ),
                ),
            ),
        ),
    ),
    Claim(
        id="epsilon-safe-range",
        sources=("B components 4", "B practice 3"),
        statement=Text("ε between 1e-5 and 1e-3 is safe.", "ε は 1e-5〜1e-3 なら安全である。"),
        method=Text(
            "Test accuracy with ε = 1e-5, 1e-4 and 1e-3, each minus the ε that is best on tuning seeds: none inferior.",
            "ε = 1e-5・1e-4・1e-3 のテスト正解率と、調整用シードで最良の ε との差。三つとも劣らないこと。",
        ),
        kind="noninferiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                tuple(
                    Contrast(
                        Text(f"{value:g} − best", f"{value:g} − 最良"),
                        "test_accuracy",
                        epsilon(value),
                        Arm("epsilon_extremes", {"level": "best"}),
                    )
                    for value in (1e-5, 1e-4, 1e-3)
                ),
            ),
        ),
    ),
    Claim(
        id="epsilon-too-large",
        sources=("B practice 3",),
        statement=Text("A larger ε smooths too much.", "ε が大きすぎると平滑化しすぎる。"),
        method=Text(
            "Test accuracy with ε = 1e-3 minus with 1e-1, and minus with 1; both must be positive.",
            "ε = 1e-3 と 1e-1・1 のテスト正解率の差。両方とも正であること。",
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                tuple(
                    Contrast(
                        Text(f"1e-3 − {value:g}", f"1e-3 − {value:g}"), "test_accuracy", epsilon(1e-3), epsilon(value)
                    )
                    for value in (1e-1, 1.0)
                ),
            ),
        ),
    ),
    Claim(
        id="epsilon-guards",
        sources=("B components 4",),
        statement=Text("ε prevents division by zero.", "ε はゼロ除算を防ぐ。"),
        method=Text(
            "Batch norm of features that are constant over the batch: all outputs are finite with ε = 1e-5, none with ε = 0.",
            "バッチ内で一定の特徴量を正規化し、ε = 1e-5 では全出力が有限、ε = 0 では有限な出力がないことを確かめる。",
        ),
        kind="exact",
        check=epsilon_guards,
    ),
    Claim(
        id="learned-decay",
        sources=("B advanced 6",),
        statement=Text(
            "A decay that is learned adapts itself to the data.",
            "学習される減衰率は、データに合わせて自ら適応する。",
        ),
        method=Text(
            "Test accuracy with a learned decay minus with the fixed one that is best on tuning seeds: not inferior on steady "
            "inputs, better (δ = 0) where the inputs' contrast and brightness changed in training.",
            "学習する減衰率と、調整用シードで最良の固定減衰率とのテスト正解率の差。定常な入力では劣らず、"
            "学習中に入力の明暗が変わる場合は上回ること(δ=0)。",
        ),
        kind="noninferiority",
        cases=(
            Case(Text("steady inputs", "定常な入力"), (learned_against_fixed("none"),)),
            Case(
                Text("changed inputs", "変化した入力"),
                tuple(learned_against_fixed(change, delta=0.0) for change in ("recent", "earlier")),
            ),
        ),
    ),
    Claim(
        id="decay-remedy",
        sources=("B practice 8",),
        statement=Text(
            "Adjusting the decay reduces the gap between training and inference.",
            "減衰率を調整すれば、訓練時と推論時のずれを小さくできる。",
        ),
        method=Text(
            "The gap |accuracy with batch statistics − accuracy with running statistics| at decay 0.9 minus the gap at the better of "
            "0.99 and 0.999 (named on tuning seeds), for three batch sizes.",
            "|バッチ統計での正解率 − 移動統計での正解率| を、減衰率 0.9 と、0.99・0.999 のうち調整用シードで良い方とで比較。"
            "三つのバッチサイズで行う。",
        ),
        kind="superiority",
        cases=(
            Case(
                Text("each batch size", "各バッチサイズ"),
                (
                    Contrast(
                        Text("gap at 0.9 − gap at a higher decay", "0.9 でのずれ − 高い減衰率でのずれ"),
                        "test_gap",
                        Arm("gaps", measure="test_gap_decay_0.9"),
                        Arm("gaps", measure=Pick(GAP, (0.99, 0.999))),
                    ),
                ),
                by=("setting", "data.batch_size"),
            ),
        ),
        checked=LAGGING,
    ),
)


def figure(results: Results) -> Figure | None:
    """Test accuracy over the decay, for short and long training, and over ε."""
    plot, axes = plt.subplots(
        len(results.settings), 2, figsize=(10, 3.4 * len(results.settings)), squeeze=False, layout="constrained"
    )
    lines: dict[tuple[str, str, Any], tuple[str, Any]] = {
        ("epsilons", "norm.eps", 1e-5): ("short training, rate annealed to 0", (0, (6, 2, 1, 2))),
        ("decays", "length", "short"): ("short training, constant rate", "-"),
        ("decays", "length", "long"): ("long training, constant rate", "--"),
        ("shifted", "change", "recent"): ("inputs changed in the last 10 %, constant rate", ":"),
    }
    for (left, right), setting in zip(axes, results.settings, strict=True):
        for (grid, axis, value), (label, line) in lines.items():
            rows = results.select(grid, setting=setting, **{axis.replace(".", "__"): value})
            groups = [[100 * v for v in results.values(rows, f"test_accuracy_decay_{decay:g}")] for decay in DECAYS]
            if all(groups):
                draw_line(left, range(len(DECAYS)), groups, label=label, colour=COLOURS["batch"], linestyle=line)
        left.set_xticks(range(len(DECAYS)), [f"{decay:g}" for decay in DECAYS])
        left.set(
            title=f"{DATA_TITLES[setting]}: decay of the running averages",
            xlabel="decay (PyTorch's momentum is 1 − decay)",
        )
        rows = results.select("epsilons", setting=setting, level="best")
        if len(rows):
            values = sorted(rows["norm.eps"].unique())
            groups = [
                [100 * v for v in results.values(rows[rows["norm.eps"] == value], "test_accuracy")] for value in values
            ]
            draw_line(right, values, groups, label="batch norm", colour=COLOURS["batch"])
        right.set(title=f"{DATA_TITLES[setting]}: ε", xlabel="ε")
        plain_log_axis(right)
        for ax in (left, right):
            accuracy_axis(ax)
    handles, labels = axes[0][0].get_legend_handles_labels()
    plot.legend(handles, labels, loc="outside upper left", ncols=2, fontsize=8, handlelength=3.5)
    return plot
