"""Does batch norm generalize better, and why? Five claims on overfitting, its remedies, and features."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from experiments.wording import ON_EACH_DATA_SET
from normlab.core.claim import Arm, Case, Claim, Contrast, Text
from normlab.report.results import Results
from normlab.report.style import COLOURS, DATA_TITLES, accuracy_axis, draw_line, draw_points, method_title

REAL_DATA = ("cpu", "gpu")


def gap(norm: str) -> Arm:
    return Arm("gaps", {"norm": norm, "level": "best"})


def spoilt(norm: str, noise: str) -> Arm:
    return Arm("spoilt", {"norm": norm, "noise": noise, "level": "best"})


def more_gain(noise: str, measure: str = "test_accuracy") -> Contrast:
    return Contrast(
        Text(f"gain with noise on {noise} − clean gain", f"{noise} にノイズがある場合の利得 − ノイズなしの利得"),
        measure,
        spoilt("batch", noise),
        spoilt("none", noise),
        less=(spoilt("batch", "clean"), spoilt("none", "clean")),
    )


def probes(prefix: str) -> tuple[Contrast, ...]:
    return tuple(
        Contrast(
            Text(f"{title}, batch norm − none", f"{title} BN − none"),
            f"features.{prefix}{probe}",
            Arm("matched", {"norm": "batch", "level": "soonest"}),
            Arm("matched", {"norm": "none", "level": "soonest"}),
        )
        for probe, title in (("linear", "linear probe"), ("neighbours", "nearest neighbours"))
    )


PROBES = {
    "linear": "linear",
    "neighbours": "10-NN",
    "other_linear": "linear,\nother data",
    "other_neighbours": "10-NN,\nother data",
}
NOISY, LIVE, AVERAGES = (
    Arm("noisier", {"level": "best"}),
    Arm("whole_batch", {"statistics": "live", "level": "best"}),
    Arm("whole_batch", {"statistics": "averages", "level": "best"}),
)

CLAIMS = (
    Claim(
        id="less-overfitting",
        sources=("A §1", "A §2", "A §3.3", "A §4.4", "B benefits 4"),
        statement=Text("Batch norm reduces overfitting.", "バッチ正規化は過学習を減らす。"),
        method=Text(
            "Accuracy on training images minus on validation images where the loss on training images passes one level for both "
            "arms: none minus batch norm, with few and many images. (Group norm, without the batch's noise, is shown in the figure.)",
            "訓練画像の損失が両条件共通の水準を通過した時点での、訓練画像と検証画像の正解率の差。none − BN、画像が少ない場合と多い場合。"
            "(バッチのノイズがないグループ正規化も図に示す。)",
        ),
        kind="superiority",
        cases=(
            Case(
                Text("images", "画像数"),
                (
                    Contrast(
                        Text("gap of none − of batch norm", "差 none − BN"),
                        "accuracy_gap@{level}",
                        gap("none"),
                        gap("batch"),
                    ),
                ),
                by=("setting", "images"),
            ),
        ),
        checked=Text(
            "The gap might come from running averages that lag: both accuracies are taken in evaluation mode with recalibrated "
            "statistics. Every run of every arm passes the level. At the end of training batch norm is the more accurate all the "
            "same (the figure's clean nets): it fits its training images further than no norm does.",
            "移動平均の遅れが差の原因である可能性:正解率は両方とも再較正した統計量の評価モードで測っている。全条件の全実行が水準を通過する。"
            "それでも学習終了時の正解率は BN が高い(図のノイズなしのネット):正規化なしより訓練画像へよく適合するためである。",
        ),
    ),
    Claim(
        id="regularizes-without-others",
        sources=("B benefits 4",),
        statement=Text(
            "With batch norm no other regularizer is needed.", "バッチ正規化があれば、他の正則化は要らない。"
        ),
        method=Text(
            "Test accuracy of batch norm alone minus with dropout before the head, and minus with weight decay, their amounts and all "
            "rates chosen on tuning seeds: not inferior.",
            "バッチ正規化のみのテスト正解率と、出力層前のドロップアウト・重み減衰を加えた場合との差(量と学習率は調整用シードで選択)。"
            "劣らないこと。",
        ),
        kind="noninferiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                tuple(
                    Contrast(
                        Text(f"alone − with {title}", f"単独 − {title} 併用"),
                        "test_accuracy",
                        Arm("alone", {"level": "best"}),
                        Arm(grid, {"level": "best"}),
                    )
                    for grid, title in (("with_dropout", "dropout"), ("with_weight_decay", "weight decay"))
                ),
            ),
        ),
    ),
    Claim(
        id="noise-is-the-cause",
        sources=("B benefits 4",),
        statement=Text(
            "It is the noise of the batch's statistics that regularizes.",
            "正則化の効果は、バッチ統計量のノイズによるものである。",
        ),
        method=Text(
            "In batches of 128: test accuracy with statistics over 8, 16 or 32 samples (chosen on tuning seeds) minus over all 128, "
            "the gap between training and validation images at equal training loss the other way round, and test accuracy with "
            "live statistics minus with running averages in their place. All must be positive.",
            "バッチ128の中で、統計量を8・16・32サンプル(調整用シードで選択)で取った場合と128で取った場合のテスト正解率の差、"
            "同じ訓練損失での訓練・検証の差(逆向き)、およびバッチ統計と移動平均で学習した場合のテスト正解率の差。全て正であること。",
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        Text("accuracy, noisier − whole batch", "正解率 ノイズ多 − 全バッチ"),
                        "test_accuracy",
                        NOISY,
                        LIVE,
                    ),
                    Contrast(
                        Text("gap, whole batch − noisier", "差 全バッチ − ノイズ多"),
                        "accuracy_gap@{level}",
                        LIVE,
                        NOISY,
                    ),
                    Contrast(
                        Text("accuracy, live statistics − averages", "正解率 バッチ統計 − 移動平均"),
                        "test_accuracy",
                        LIVE,
                        AVERAGES,
                    ),
                ),
            ),
        ),
    ),
    Claim(
        id="denoising-is-the-cause",
        sources=("A §3.3",),
        statement=Text(
            "Batch norm fights overfitting by damping noise in the data.",
            "バッチ正規化は、データのノイズを抑えることで過学習を防ぐ。",
        ),
        method=Text(
            "Test accuracy gained by batch norm over none on training images with noise on their pixels, and on their labels, minus "
            "the gain on clean ones. Both must be positive.",
            "画素にノイズを加えた訓練画像、ラベルにノイズを加えた訓練画像で、バッチ正規化が正規化なしに対して得るテスト正解率の利得から、"
            "ノイズなしでの利得を引く。両方とも正であること。",
        ),
        kind="superiority",
        cases=(Case(ON_EACH_DATA_SET, (more_gain("pixels"), more_gain("labels"))),),
        checked=Text(
            "Running statistics taken from noisy training images may not fit clean test images. They do not: with the statistics of "
            "test batches nets trained on noisy pixels are far more accurate, and more so than those without norm. What the claim's "
            "contrast shows on pixels is this mismatch, more than what the weights learned.",
            "ノイズのある訓練画像から取った移動平均が、ノイズのないテスト画像に合わない可能性。実際に合わず、テストバッチの統計量を使えば、"
            "画素ノイズで学習したネットの正解率は大きく上がり、正規化なしのネットを上回る。画素についての対比は、"
            "重みの学習内容よりもこの不一致を示している。",
        ),
        shown_besides=(
            Case(
                Text("with the statistics of test batches", "テストバッチの統計量を使った場合"),
                (more_gain("pixels", "test_accuracy_batch"), more_gain("labels", "test_accuracy_batch")),
            ),
        ),
    ),
    Claim(
        id="better-features",
        sources=("B benefits 9",),
        statement=Text(
            "Nets with batch norm learn better features.", "バッチ正規化を使うと、より良い特徴が学習される。"
        ),
        method=Text(
            "Nets with and without batch norm are trained until they are equally accurate on validation images. Test accuracy of a "
            "linear probe and of the 10 nearest neighbours on their standardized last hidden layer, on the same data and on "
            "another data set: batch norm minus none, all of them positive.",
            "検証画像で同じ正解率になるまで学習したネットの、標準化した最終隠れ層に対する線形分類器と10近傍のテスト正解率。"
            "同じデータと別のデータで、BN − none が全て正であること。",
        ),
        kind="superiority",
        cases=(
            Case(Text("same data", "同じデータ"), probes("")),
            Case(Text("other data", "別のデータ"), probes("other_"), scales=REAL_DATA),
        ),
        shown_besides=(
            Case(
                Text("whether the nets are equally accurate", "正解率が揃っているか"),
                (
                    Contrast(
                        Text("test accuracy, batch norm − none (recalibrated)", "テスト正解率 BN − none(再較正)"),
                        "test_accuracy_recalibrated",
                        Arm("matched", {"norm": "batch", "level": "soonest"}),
                        Arm("matched", {"norm": "none", "level": "soonest"}),
                    ),
                ),
            ),
        ),
    ),
)


def figure(results: Results) -> Figure | None:
    """The gap at equal loss over the number of images, gains on spoilt images, and probes of matched nets."""
    plot, axes = plt.subplots(
        len(results.settings), 3, figsize=(13, 3.5 * len(results.settings)), squeeze=False, layout="constrained"
    )
    for (left, middle, right), setting in zip(axes, results.settings, strict=True):
        level = results.design.at(results.scale).settings[setting].constants["level"]
        for norm in ("none", "batch", "group"):
            rows = results.select("gaps", setting=setting, norm=norm, level="best")
            sizes = sorted(rows["images"].unique(), key=int) if len(rows) else []
            groups = {
                int(size): [100 * v for v in results.values(rows[rows["images"] == size], f"accuracy_gap@{level}")]
                for size in sizes
            }
            shown = {size: group for size, group in groups.items() if group}
            if shown:
                draw_line(left, list(shown), list(shown.values()), label=method_title(norm), colour=COLOURS[norm])
        left.set_title(f"{DATA_TITLES[setting]}: training − validation, at loss {level:g}")
        left.set_xlabel("training images")
        left.set_ylabel("accuracy gap, points")
        left.set_xscale("log")
        left.set_xticks([int(s) for s in sizes], sizes)
        left.minorticks_off()
        for place, noise in enumerate(("clean", "pixels", "labels")):
            for shift, norm in ((-0.15, "none"), (0.15, "batch")):
                rows = results.select("spoilt", setting=setting, norm=norm, noise=noise, level="best")
                if len(rows):
                    draw_points(
                        middle, place + shift, [100 * v for v in results.values(rows, "test_accuracy")], COLOURS[norm]
                    )
        middle.set_xticks(range(3), ["clean", "noisy pixels", "noisy labels"])
        middle.set_title(f"{DATA_TITLES[setting]}: spoilt training images")
        accuracy_axis(middle)
        rows = results.select("matched", setting=setting, level="soonest")
        kinds = {kind: title for kind, title in PROBES.items() if results.values(rows, f"features.{kind}")}
        for place, kind in enumerate(kinds):
            for shift, norm in ((-0.15, "none"), (0.15, "batch")):
                found = [100 * v for v in results.values(rows[rows["norm"] == norm], f"features.{kind}")]
                if found:
                    draw_points(right, place + shift, found, COLOURS[norm])
        right.set_xticks(range(len(kinds)), list(kinds.values()))
        right.set_title(f"{DATA_TITLES[setting]}: probes of equally accurate nets")
        accuracy_axis(right)
    handles, labels = axes[0][0].get_legend_handles_labels()
    plot.legend(handles, labels, loc="outside upper left", ncols=3, fontsize=9)
    return plot
