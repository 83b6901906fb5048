"""Where should the norm stand? Five claims on placement, layers and the learnable scale and shift."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from experiments.wording import ON_EACH_DATA_SET
from normlab.core.claim import Arm, Case, Claim, Contrast, Text
from normlab.report.results import Results
from normlab.report.style import COLOURS, DATA_TITLES, draw_points

NETS = ("setting", "net", "activation")
EACH_NET = Text("each net and activation", "各ネットと活性化関数")


def layers(arm: str) -> Arm:
    return Arm("layers", {"arm": arm, "level": "best"})


CLAIMS = (
    Claim(
        id="placement-matters",
        sources=("B challenges 8",),
        statement=Text(
            "Where batch norm stands relative to the activation changes performance much.",
            "活性化関数に対してバッチ正規化をどこに置くかで、性能が大きく変わる。",
        ),
        method=Text(
            "Test accuracy of the best minus the worst of three placements (layer → norm → activation, layer → activation → norm, "
            "norm → activation → layer), each at its best rate, both named on tuning seeds.",
            "三つの配置(層→正規化→活性化、層→活性化→正規化、正規化→活性化→層)を各々最適な学習率で比べ、"
            "調整用シードが選んだ最良と最悪のテスト正解率の差をとる。",
        ),
        kind="superiority",
        cases=(
            Case(
                EACH_NET,
                (
                    Contrast(
                        Text("best − worst placement", "最良 − 最悪の配置"),
                        "test_accuracy",
                        Arm("extremes", {"level": "best"}),
                        Arm("extremes", {"level": "worst"}),
                    ),
                ),
                by=NETS,
            ),
        ),
    ),
    Claim(
        id="before-is-better",
        sources=("B practice 1",),
        statement=Text(
            "Batch norm belongs between the linear layer and the activation.",
            "バッチ正規化は線形層と活性化関数の間に置くのがよい。",
        ),
        method=Text(
            "Test accuracy with the norm before the activation minus with the norm after it, each at its best rate.",
            "活性化の前に置いた場合と後に置いた場合のテスト正解率の差。各々最適な学習率。",
        ),
        kind="superiority",
        cases=(
            Case(
                EACH_NET,
                (
                    Contrast(
                        Text("before − after", "前 − 後"),
                        "test_accuracy",
                        Arm("placements", {"net.placement": "before", "level": "best"}),
                        Arm("placements", {"net.placement": "after", "level": "best"}),
                    ),
                ),
                by=NETS,
            ),
        ),
    ),
    Claim(
        id="conv-and-fc",
        sources=("A §1",),
        statement=Text(
            "Batch norm helps after convolutions as well as after fully connected layers.",
            "バッチ正規化は、畳み込み層の後でも全結合層の後でも役に立つ。",
        ),
        method=Text(
            "Test accuracy with norms after convolutions only, after the hidden fully connected layer only, and after both, each "
            "minus no norm, each at its best rate; all three differences must hold.",
            "畳み込み層のみ・全結合層のみ・両方に正規化を入れた場合のテスト正解率と、無しとの差。"
            "各々最適な学習率で、三つとも成り立つこと。",
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                tuple(
                    Contrast(name, "test_accuracy", layers(arm), layers("none"))
                    for arm, name in (
                        ("conv", Text("convolutions only − none", "畳み込みのみ − 無し")),
                        ("fc", Text("fully connected only − none", "全結合のみ − 無し")),
                        ("both", Text("both − none", "両方 − 無し")),
                    )
                ),
            ),
        ),
    ),
    Claim(
        id="conv-fc-differ",
        sources=("B practice 10",),
        statement=Text(
            "Convolutional and fully connected layers want different treatment.",
            "畳み込み層と全結合層では、正規化の扱いを変えるべきである。",
        ),
        method=Text(
            "The gain over no norm by norms in one kind of layer only: the kind that gains more on tuning seeds minus the other, "
            "in test accuracy, each at its best rate.",
            "一方の種類の層だけに正規化を入れたときの利得を比較。調整用シードで利得の大きい方から他方を引いた差(テスト正解率)。",
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        Text("better − other kind of layer", "利得の大きい層 − もう一方"),
                        "test_accuracy",
                        Arm("either", {"level": "best"}),
                        Arm("either", {"level": "worst"}),
                    ),
                ),
            ),
        ),
    ),
    Claim(
        id="affine-helps",
        sources=("A §2", "B intro", "B components 2", "B components 6"),
        statement=Text(
            "The learnable scale and shift restore expressive power that normalization takes.",
            "学習可能なスケールとシフトは、正規化で失われる表現力を回復する。",
        ),
        method=Text(
            "Test accuracy with γ and β minus without them, each at its best rate.",
            "γ と β がある場合とない場合のテスト正解率の差。各々最適な学習率。",
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        Text("with − without γ, β", "γ・β あり − なし"),
                        "test_accuracy",
                        Arm("affine", {"norm.affine": True, "level": "best"}),
                        Arm("affine", {"norm.affine": False, "level": "best"}),
                    ),
                ),
            ),
        ),
    ),
)


def figure(results: Results) -> Figure | None:
    """Test accuracy of each placement by net and activation, and of norms in each kind of layer."""
    plot, axes = plt.subplots(
        len(results.settings),
        2,
        figsize=(11, 3.4 * len(results.settings)),
        squeeze=False,
        layout="constrained",
        width_ratios=[3, 2],
    )
    shades = {"before": "#0072B2", "after": "#56B4E9", "pre": "#004166"}
    titles = {"before": "before the activation", "after": "after the activation", "pre": "before the layer (pre)"}
    nets = [(net, activation) for net in ("cnn", "resnet") for activation in ("relu", "tanh")]
    for (left, right), setting in zip(axes, results.settings, strict=True):
        for index, (net, activation) in enumerate(nets):
            for shift, (placement, colour) in enumerate(shades.items()):
                rows = results.select(
                    "placements",
                    setting=setting,
                    net=net,
                    activation=activation,
                    net__placement=placement,
                    level="best",
                )
                if len(rows):
                    accuracies = [100 * v for v in results.values(rows, "test_accuracy")]
                    label = titles[placement] if index == 0 else None
                    draw_points(left, index + 0.28 * (shift - 1), accuracies, colour, label)
        left.set_xticks(range(len(nets)), [f"{net} · {activation}" for net, activation in nets])
        left.set(title=f"{DATA_TITLES[setting]}: where batch norm stands", ylabel="test accuracy, %")
        for index, arm in enumerate(arms := ("none", "conv", "fc", "both")):
            rows = results.select("layers", setting=setting, arm=arm, level="best")
            if len(rows):
                accuracies = [100 * v for v in results.values(rows, "test_accuracy")]
                draw_points(right, index, accuracies, COLOURS["none" if arm == "none" else "batch"])
        right.set_xticks(range(len(arms)), ["no norm", "conv only", "fc only", "both"])
        right.set(title=f"{DATA_TITLES[setting]}: in which layers", ylabel="test accuracy, %")
        right.set_xlim(-0.4, len(arms) - 0.4)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    plot.legend(handles, labels, loc="outside upper left", ncols=3, fontsize=9)
    return plot
