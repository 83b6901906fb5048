"""How much do initial weights matter? Four claims on the choice of weights, of γ and of β."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from experiments.wording import ON_EACH_DATA_SET
from normlab.core.claim import Arm, Case, Claim, Contrast, Text
from normlab.report.results import Results
from normlab.report.style import COLOURS, DATA_TITLES, draw_row, method_title

FIVE_POINTS = 0.05


def init(norm: str, level: str) -> Arm:
    return Arm("inits", {"norm": norm, "level": level})


CLAIMS = (
    Claim(
        id="init-insensitive",
        sources=("A §3.4", "A §4.2", "B benefits 2"),
        statement=Text(
            "With batch norm the choice of initial weights matters less.",
            "バッチ正規化を使うと、初期重みの選び方の影響が小さくなる。",
        ),
        method=Text(
            "Test accuracy lost from the best to the worst of eight initializations, each at its best rate and both named on tuning "
            "seeds: the loss without norm minus the loss with batch norm.",
            "8種の初期化(各々最適な学習率)のうち、調整用シードが選んだ最良から最悪へのテスト正解率の低下。正規化なしの低下 − "
            "バッチ正規化の低下。",
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        Text("loss of none − loss of batch norm", "低下 none − BN"),
                        "test_accuracy",
                        init("none", "best"),
                        init("none", "worst"),
                        less=(init("batch", "best"), init("batch", "worst")),
                    ),
                ),
            ),
        ),
    ),
    Claim(
        id="fewer-failed-trainings",
        sources=("B benefits 2",),
        statement=Text(
            "With batch norm fewer trainings fail because of their initial weights.",
            "バッチ正規化を使うと、初期重みが原因の学習失敗が減る。",
        ),
        method=Text(
            "The share of eight initializations from which training at one common rate fails (not finite, or its loss ends within 1 % "
            "of chance): none minus batch norm, 20 seeds, exact test of sign flips.",
            "8種の初期化のうち、共通の学習率での学習が失敗する(非有限、または最終損失が偶然水準から1%以内)割合。正規化なし − バッチ正規化。"
            "20シード、符号反転による正確検定。",
        ),
        kind="superiority",
        delta=FIVE_POINTS,
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        Text("failed share, none − batch norm", "失敗率 none − BN"),
                        "failed_share",
                        Arm("failures", {"norm": "none"}),
                        Arm("failures", {"norm": "batch"}),
                        over="init",
                        test="sign_flip",
                    ),
                ),
            ),
        ),
    ),
    Claim(
        id="init-free-choice",
        sources=("A §3.4",),
        statement=Text(
            "With batch norm initial weights may be chosen freely.",
            "バッチ正規化を使えば、初期重みは自由に選んでよい。",
        ),
        method=Text(
            "Test accuracy with batch norm from the worst initialization minus from the best: not lower by 5 points.",
            "バッチ正規化で、最悪の初期化と最良の初期化のテスト正解率の差。5ポイント以上劣らないこと。",
        ),
        kind="noninferiority",
        delta=FIVE_POINTS,
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        Text("worst − best initialization", "最悪 − 最良の初期化"),
                        "test_accuracy",
                        init("batch", "worst"),
                        init("batch", "best"),
                    ),
                ),
            ),
        ),
    ),
    Claim(
        id="gamma-beta-init",
        sources=("B practice 5",),
        statement=Text("γ = 1 and β = 0 are the right start.", "γ=1、β=0 から始めるのが適切である。"),
        method=Text(
            "Test accuracy from γ = 1, β = 0 minus from the best of γ in {0, 0.1, 1, 2} and β in {−1, 0, 1} (plain CNN), and minus from "
            "γ = 0 in each residual block's last norm (ResNet-8), each at its best rate: not inferior.",
            "γ=1、β=0 で始めた場合と、γ∈{0, 0.1, 1, 2}・β∈{−1, 0, 1} のうち最良の場合(CNN)、および各残差ブロック最後の γ=0 "
            "の場合(ResNet-8)とのテスト正解率の差。各々最適な学習率。劣らないこと。",
        ),
        kind="noninferiority",
        cases=(
            Case(
                Text("plain CNN", "CNN"),
                (
                    Contrast(
                        Text("(1, 0) − the best start", "(1, 0) − 最良の開始値"),
                        "test_accuracy",
                        Arm("usual", {"level": "best"}),
                        Arm("affine", {"level": "best"}),
                    ),
                ),
            ),
            Case(
                Text("ResNet-8", "ResNet-8"),
                (
                    Contrast(
                        Text("γ = 1 − γ = 0 in the last norm of a block", "ブロック最後の γ=1 − γ=0"),
                        "test_accuracy",
                        Arm("residual", {"net.zero_init_residual": False, "level": "best"}),
                        Arm("residual", {"net.zero_init_residual": True, "level": "best"}),
                    ),
                ),
            ),
        ),
        checked=Text(
            "Where a difference is exactly 0, the tuning seeds named (1, 0) itself the best of the twelve starts, so that both arms are "
            "the same runs. In the residual net γ = 0 starts every block as the identity; trainings here are short.",
            "差がちょうど0の場合、調整用シードが選んだ最良の開始値が (1, 0) 自身であり、両条件は同じ学習である。"
            "残差ネットで γ=0 とすると各ブロックは恒等写像から始まる。ここでの学習は短い。",
        ),
    ),
)


def figure(results: Results) -> Figure | None:
    """Test accuracy from every initialization at one rate, and how many of its trainings failed."""
    plot, axes = plt.subplots(
        1,
        len(results.settings),
        figsize=(5.6 * len(results.settings), 4.6),
        squeeze=False,
        sharey=True,
        layout="constrained",
    )
    for ax, setting in zip(axes[0], results.settings, strict=True):
        rows = results.select("failures", setting=setting)
        inits = list(rows["init"].unique()) if len(rows) else []
        for place, name in enumerate(inits):
            for shift, norm in ((-0.2, "none"), (0.15, "batch")):
                cell = rows[(rows["init"] == name) & (rows["norm"] == norm)]
                accuracies = [100 * v for v in results.values(cell, "test_accuracy")]
                if accuracies:
                    draw_row(ax, place + shift, accuracies, COLOURS[norm])
                    failed = int(sum(results.values(cell, "failed")))
                    ax.text(
                        101, place + shift + 0.1, f"{failed}/{len(cell)}", color=COLOURS[norm], fontsize=8, va="center"
                    )
        ax.text(101, -0.75, "failed", fontsize=8, va="center", color="#57606a")
        ax.set_yticks(range(len(inits)), inits, fontsize=9)
        ax.set_ylim(len(inits) - 0.4, -0.95)
        ax.set(title=f"{DATA_TITLES[setting]}: short trainings at one rate", xlabel="test accuracy, %", xlim=(0, 112))
        ax.set_xticks(range(0, 101, 20))
    for norm in ("none", "batch"):
        axes[0][0].plot([], [], "o", color=COLOURS[norm], label=method_title(norm))
    plot.legend(loc="outside upper left", ncols=2, fontsize=9)
    return plot
