"""How fast and how far do nets train? Six claims on speed, smoothness and reliability of training with batch norm."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from experiments.wording import ON_EACH_DATA_SET, RATIO_10_PERCENT
from normlab.core.claim import Arm, Case, Claim, Contrast, Text
from normlab.report.results import Results
from normlab.report.style import COLOURS, DATA_TITLES, draw_line, draw_points, method_title


def after(epochs: int, plus: Arm, minus: Arm) -> Contrast:
    """Batch against none by validation accuracy after so many epochs."""
    name = Text(f"after {epochs} epoch{'s' * (epochs > 1)}", f"{epochs}エポック後")
    return Contrast(name, f"validation_accuracy@{epochs}", plus, minus)


def at_best(norm: str, level: str = "best") -> Arm:
    return Arm("best_rates", {"norm": norm, "level": level})


def same_rate(norm: str) -> Arm:
    return Arm("same_rate", {"norm": norm, "level": "none's best"})


CLAIMS = (
    Claim(
        id="better-at-equal-epochs",
        sources=("A §1", "A §4.1", "B benefits 1"),
        statement=Text(
            "After the same number of epochs, a net with batch norm is more accurate than one without.",
            "同じエポック数の学習後、バッチ正規化を入れたネットは入れないネットより正解率が高い。",
        ),
        method=Text(
            "Validation accuracy after 1, 2 and 5 epochs at a constant rate, batch minus none: once with both at the rate that "
            "is best for none, once with each at the rate that is best for it after that many epochs.",
            "一定の学習率で1・2・5エポック後の検証正解率を比較(batch − none)。両者とも none に最適な率の場合と、"
            "各々がその時点で最適な率の場合の二通り。",
        ),
        kind="superiority",
        cases=(
            Case(
                Text("same rate", "同じ学習率"),
                tuple(after(epochs, same_rate("batch"), same_rate("none")) for epochs in (1, 2, 5)),
            ),
            Case(
                Text("each at its best rate", "各々最適な学習率"),
                tuple(
                    after(epochs, at_best("batch", level), at_best("none", level))
                    for epochs, level in ((1, "best@1"), (2, "best@2"), (5, "best@5"))
                ),
            ),
        ),
    ),
    Claim(
        id="wall-clock",
        sources=("A §3.2", "B benefits 1", "B benefits 8"),
        statement=Text(
            "Batch norm shortens the real time that training takes.",
            "バッチ正規化は実際の学習時間を短縮する。",
        ),
        method=Text(
            "Seconds until validation accuracy first reaches the target: steps to target, each arm at the rate that reaches it "
            "soonest, times seconds per step, measured alone, taking turns in one process, each arm in its faster layout.",
            "検証正解率が目標に達するまでの秒数。最速の学習率での所要ステップ数に、"
            "単独計測した1ステップの秒数(速い方のメモリ配置)を掛ける。",
        ),
        kind="superiority",
        unit="ratio",
        delta=RATIO_10_PERCENT,
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        Text("time of none over time of batch", "none の時間 ÷ batch の時間"),
                        "seconds_to@{target}",
                        Arm("clock", {"norm": "none", "level": "fastest"}),
                        Arm("clock", {"norm": "batch", "level": "fastest"}),
                        log=True,
                    ),
                ),
            ),
        ),
    ),
    Claim(
        id="smoother-curves",
        sources=("A §3.1", "B benefits 6"),
        statement=Text(
            "With batch norm the loss falls more smoothly from step to step.",
            "バッチ正規化を使うと、損失はステップごとに滑らかに下がる。",
        ),
        method=Text(
            "Root mean square of the step-to-step change of the loss on one fixed batch, over the steps at which that loss lies "
            "in a band that both arms cross, both at the rate that is best for none: none over batch.",
            "固定バッチ上の損失のステップ間変化の二乗平均平方根を、両者が通過する損失帯の中で比較(none ÷ batch)。"
            "学習率は none に最適なもの。",
        ),
        kind="superiority",
        unit="ratio",
        delta=RATIO_10_PERCENT,
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        Text("roughness of none over batch", "none の粗さ ÷ batch の粗さ"),
                        "roughness@{low},{high}",
                        Arm("curves", {"norm": "none", "level": "none's best"}),
                        Arm("curves", {"norm": "batch", "level": "none's best"}),
                        log=True,
                    ),
                ),
            ),
        ),
    ),
    Claim(
        id="predictable-across-settings",
        sources=("B benefits 6",),
        statement=Text(
            "With batch norm the outcome varies less from one hyperparameter setting to another.",
            "バッチ正規化を使うと、ハイパーパラメータの違いによる結果のばらつきが小さい。",
        ),
        method=Text(
            "Best minus worst test accuracy over a grid of rate × initialization × batch size, both named on tuning seeds: the "
            "range of none minus the range of batch.",
            "学習率 × 初期化 × バッチサイズの格子で、調整用シードが選んだ最良と最悪のテスト正解率の差を比較(none − batch)。",
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        Text("range of none minus range of batch", "none の幅 − batch の幅"),
                        "test_accuracy",
                        Arm("hyperparameters", {"norm": "none", "level": "best"}),
                        Arm("hyperparameters", {"norm": "none", "level": "worst"}),
                        less=(
                            Arm("hyperparameters", {"norm": "batch", "level": "best"}),
                            Arm("hyperparameters", {"norm": "batch", "level": "worst"}),
                        ),
                    ),
                ),
            ),
        ),
    ),
    Claim(
        id="beats-alternatives",
        sources=("B table",),
        statement=Text(
            "For convolutional nets at large batches, batch norm is better than layer, group and instance norm.",
            "大きなバッチで学習する畳み込みネットでは、バッチ正規化がレイヤー・グループ・インスタンス正規化に勝る。",
        ),
        method=Text(
            "Test accuracy at batch size 128, every norm at its best rate: batch minus layer, minus group, minus instance; all "
            "three differences must hold.",
            "バッチサイズ128、各手法とも最適な学習率でのテスト正解率。batch と layer・group・instance の差が三つとも成り立つこと。",
        ),
        checked=Text(
            "The formulas and gradients of all norms are tested, arms share initial weights and batches, and no best rate lies at "
            "the end of its grid. The plain CNN averages over positions at its end, which leaves little of maps that were "
            "normalized over those positions; other nets may differ.",
            "全手法の数式と勾配はテスト済みで、条件は初期重みとバッチを共有し、最適な学習率は格子の端にない。"
            "この CNN は最後に位置の平均をとるため、位置にわたって正規化したマップには情報があまり残らない。他のネットでは異なりうる。",
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                tuple(
                    Contrast(
                        Text(f"batch − {other}", f"batch − {other}"),
                        "test_accuracy",
                        Arm("large_batch", {"norm": "batch", "level": "best"}),
                        Arm("large_batch", {"norm": other, "level": "best"}),
                    )
                    for other in ("layer", "group", "instance")
                ),
            ),
        ),
    ),
    Claim(
        id="any-complexity",
        sources=("A §3",),
        statement=Text(
            "Batch norm improves training whatever the complexity of the net.",
            "モデルの複雑さにかかわらず、バッチ正規化は学習を改善する。",
        ),
        method=Text(
            "Test accuracy, batch minus none, each at its best rate, for three widths times three depths (convolutions a stage).",
            "幅3種 × 深さ3種(段あたりの畳み込み数)で、各々最適な学習率でのテスト正解率の差(batch − none)。",
        ),
        kind="superiority",
        cases=(
            Case(
                Text("each net", "各ネット"),
                (
                    Contrast(
                        Text("batch − none", "batch − none"),
                        "test_accuracy",
                        Arm("complexity", {"norm": "batch", "level": "best"}),
                        Arm("complexity", {"norm": "none", "level": "best"}),
                    ),
                ),
                by=("setting", "width", "net.depth"),
            ),
        ),
    ),
)


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
