"""Which method for what? Nine claims on the methods that the articles name, and the table of what each does."""

import math
from dataclasses import replace
from statistics import mean

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from experiments.wording import ON_EACH_DATA_SET, RATIO_10_PERCENT
from normlab.config import NormConfig
from normlab.core.claim import Arm, Case, Claim, Contrast, Finding, Text
from normlab.norms.properties import properties
from normlab.report.choice import Candidate, Situation
from normlab.report.results import Results
from normlab.report.style import COLOURS, DATA_TITLES, draw_row, method_title

SIZES = (2, 8, 128)
# The articles' table: what a method normalizes over. Weight and spectral norm act on weights and mix no features.
SCOPES = {
    "batch": {"samples", "positions"},
    "layer": {"channels", "positions"},
    "instance": {"positions"},
    "group": {"channels", "positions"},
    "weight": set(),
    "spectral": set(),
}


def at(norm: str, size: int) -> Arm:
    return Arm(f"batch_{size}", {"norm": norm, "level": "best"})


def against_batch(norm: str, size: int) -> Contrast:
    name = f"{method_title(norm)} − batch norm, batch {size}"
    return Contrast(Text(name, name), "test_accuracy", at(norm, size), at("batch", size))


def scopes() -> Finding:
    """Which other values each method of the table depends on, found by its gradients."""
    found = {name: set(properties(NormConfig(name=name)).mixes) for name in SCOPES}
    kinds = ("samples", "channels", "positions")
    numbers = {
        f"{method_title(name)}: other {kind}": float(kind in mixes) for name, mixes in found.items() for kind in kinds
    }
    return Finding(found == SCOPES, numbers)


def inference() -> Finding:
    """Whether each method of the table gives in evaluation what it gives in training."""
    differs = {name: properties(NormConfig(name=name)).evaluation_differs for name in SCOPES}
    numbers = {f"{method_title(name)}: evaluation differs": float(value) for name, value in differs.items()}
    return Finding({name for name, value in differs.items() if value} == {"batch"}, numbers)


CLAIMS = (
    Claim(
        id="scope-table",
        sources=("B table",),
        statement=Text(
            "Batch norm normalizes over the batch, layer norm over a sample's features, instance norm over one channel of a "
            "sample, group norm over a group of them; weight and spectral norm act on weights.",
            "バッチ正規化はバッチ、レイヤー正規化はサンプルの特徴、インスタンス正規化はサンプルの1チャネル、グループ正規化は"
            "その組、重み・スペクトル正規化は重みを対象とする。",
        ),
        method=Text(
            "On a convolution's output: whether the gradient of one output value with respect to other samples, other channels and "
            "other positions is zero (0) or not (1).",
            "畳み込みの出力について、出力値一つの、他サンプル・他チャネル・他位置に対する勾配が零(0)か否(1)か。",
        ),
        kind="exact",
        check=scopes,
    ),
    Claim(
        id="inference-table",
        sources=("B table",),
        statement=Text(
            "Of the table's methods only batch norm does something else in inference than in training.",
            "表の手法のうち、推論時に訓練時と違う計算をするのはバッチ正規化だけである。",
        ),
        method=Text(
            "Outputs for one input in training and in evaluation mode: equal (0) or not (1).",
            "同じ入力に対する訓練モードと推論モードの出力が等しい(0)か否(1)か。",
        ),
        kind="exact",
        check=inference,
    ),
    Claim(
        id="best-use-cnn",
        sources=("B table",),
        statement=Text(
            "In convolutional nets at large batches, batch norm is the method of the table to use.",
            "畳み込みネットで大きなバッチなら、表の手法の中ではバッチ正規化が最適である。",
        ),
        method=Text(
            "Test accuracy at batch 128: batch norm minus each other method of the table, each at its best rate.",
            "バッチ128でのテスト正解率。バッチ正規化と表の他の各手法との差(各々最適な学習率)。",
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                tuple(
                    Contrast(
                        Text(f"batch norm − {method_title(norm)}", f"BN − {method_title(norm)}"),
                        "test_accuracy",
                        at("batch", 128),
                        at(norm, 128),
                    )
                    for norm in SCOPES
                    if norm != "batch"
                ),
            ),
        ),
    ),
    Claim(
        id="best-use-small-batch",
        sources=("B table",),
        statement=Text(
            "At small batches layer and group norm are the ones to use.",
            "小さなバッチでは、レイヤー正規化とグループ正規化が適している。",
        ),
        method=Text(
            "Test accuracy at batches of 2 and 8: layer norm and group norm, each minus batch norm, at best rates.",
            "バッチ2・8でのテスト正解率。レイヤー正規化・グループ正規化とバッチ正規化との差(各々最適な学習率)。",
        ),
        kind="superiority",
        cases=tuple(
            Case(
                Text(f"batch {size}", f"バッチ {size}"), tuple(against_batch(norm, size) for norm in ("layer", "group"))
            )
            for size in (2, 8)
        ),
    ),
    Claim(
        id="weight-norm-online",
        sources=("B table",),
        statement=Text("Weight norm suits online learning.", "重み正規化は、オンライン学習に適している。"),
        method=Text(
            "Test accuracy after one pass over the images, one at a time: weight norm minus no norm, batch norm and layer norm (in "
            "convolutions), each at its best rate.",
            "画像を1枚ずつ1巡だけ学習した後のテスト正解率。重み正規化と、正規化なし・バッチ・レイヤー正規化(畳み込み層)との差。",
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                tuple(
                    Contrast(
                        Text(f"weight norm − {method_title(norm)}", f"重み正規化 − {method_title(norm)}"),
                        "test_accuracy",
                        Arm("online", {"norm": "weight", "level": "best"}),
                        Arm("online", {"norm": norm, "level": "best"}),
                    )
                    for norm in ("none", "batch", "layer")
                ),
            ),
        ),
    ),
    Claim(
        id="norm-free",
        sources=("B future 2",),
        statement=Text(
            "Nets without normalization can match those with batch norm.",
            "正規化を使わないネットも、バッチ正規化のネットに並びうる。",
        ),
        method=Text(
            "Test accuracy of the same residual net with Fixup and with scaled weight standardization, each minus batch norm: not "
            "inferior, each at its best rate.",
            "同じ残差ネットを Fixup とスケール付き重み標準化で学習し、バッチ正規化とのテスト正解率の差。劣らないこと。",
        ),
        kind="noninferiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                tuple(
                    Contrast(
                        Text(f"{title} − batch norm", f"{title} − BN"),
                        "test_accuracy",
                        Arm("normfree", {"arm": arm, "level": "best"}),
                        Arm("normfree", {"arm": "batch", "level": "best"}),
                    )
                    for arm, title in (("fixup", "Fixup"), ("scaled", "scaled WS"))
                ),
            ),
        ),
        checked=Text(
            "Both must match for the claim to hold; scaled weight standardization alone is left open. "
            "Their best rates lie inside the grid and no run diverged. Both nets are tested as written out: Fixup's branches start at zero "
            "and its scales follow the depth, weights are standardized to gain one. Fixup fits its training images least (see the "
            "cells' training losses): it starts slowly, and twelve epochs are few.",
            "主張には両方が匹敵する必要があり、スケール付き重み標準化だけなら判定は開いている。"
            "最良の学習率は格子の内側にあり、発散した学習はない。二つのネットはいずれも式どおりであることをテスト済み(Fixup の残差枝は0から"
            "始まり係数は深さに従う、標準化した重みの利得は1)。Fixup は訓練画像への当てはまりが最も弱い(訓練損失を参照)。"
            "立ち上がりが遅く、12エポックは短い。",
        ),
    ),
    Claim(
        id="self-choosing",
        sources=("B future 3",),
        statement=Text(
            "Normalization that chooses its own scheme works.",
            "自分で方式を選ぶ正規化は、うまく働く。",
        ),
        method=Text(
            "Test accuracy of switchable norm minus the best of batch, layer and instance norm, named on tuning seeds, at each batch "
            "size: not inferior.",
            "各バッチサイズで、切替正規化と、調整用シードが選んだ最良の固定手法(バッチ・レイヤー・インスタンス)との差。劣らないこと。",
        ),
        kind="noninferiority",
        cases=tuple(
            Case(
                Text(f"batch {size}", f"バッチ {size}"),
                (
                    Contrast(
                        Text("switchable − best fixed", "切替 − 最良の固定手法"),
                        "test_accuracy",
                        at("switchable", size),
                        Arm(f"fixed_{size}", {"level": "best"}),
                    ),
                ),
            )
            for size in SIZES
        ),
        checked=Text(
            "Its accuracy with running, recalibrated and batch statistics agrees, and its training loss is the higher one where it loses: "
            "what it loses on MNIST is lost in training. The weights of its mixture do learn (looked at in two seeds): in the last "
            "convolution they go to batch norm, on MNIST almost alone at batches of 128, but there the first convolution goes to layer "
            "norm, with which this plain CNN learns slowly. On CIFAR-10 the first one goes to instance norm, and it gains.",
            "移動・再較正・バッチの各統計量での正解率は一致し、劣る場面では訓練損失も高いので、損失は学習中に生じている。"
            "混合の重みは学習されている(2シードで確認):最後の畳み込み層ではBNに寄り、MNISTのバッチ128ではほぼBNのみになる。"
            "しかし MNIST の最初の層はレイヤー正規化に寄り、このCNNはそれでは学習が遅い。"
            "CIFAR-10 の最初の層はインスタンス正規化に寄り、そこでは優る。",
        ),
    ),
    Claim(
        id="whitening",
        sources=("B reference 7",),
        statement=Text(
            "Decorrelating channels helps beyond scaling them.",
            "チャネル間の相関を除くと、尺度を揃える以上の効果がある。",
        ),
        method=Text(
            "Decorrelated batch norm against batch norm at batch 128: epochs to a validation accuracy, and test accuracy, each at its "
            "best rate. Both must be better.",
            "バッチ128で、無相関化バッチ正規化とバッチ正規化を比べる。目標の検証正解率までのエポック数と、テスト正解率。両方で優ること。",
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        Text("epochs of batch norm over decorrelated", "エポック数 BN ÷ 無相関化"),
                        "epochs_to@{target}",
                        Arm("whitening", {"norm": "batch", "level": "best"}),
                        Arm("whitening", {"norm": "decorrelated", "level": "best"}),
                        log=True,
                        unit="ratio",
                        delta=RATIO_10_PERCENT,
                    ),
                    against_batch("decorrelated", 128),
                ),
            ),
        ),
        checked=Text(
            "Its outputs are white and its gradient is tested against finite differences. It fits the training images better than batch "
            "norm (training losses in the table of cells), so decorrelating does help training; validation images gain nothing. At a "
            "constant rate its running averages lag behind the weights as batch norm's do; on MNIST no run of it reaches the target, "
            "while the accuracy with batch statistics is higher than with running ones. A seed in which neither arm reached it says "
            "nothing and is left out.",
            "出力が白色化されることと、勾配が差分と一致することはテスト済み。訓練画像への当てはまりは BN より良く(セルの表の訓練損失)、"
            "無相関化は学習を助けるが、検証画像での利得はない。一定の学習率では、BN と同様に移動平均が重みの変化に遅れ、"
            "MNIST では目標に達した学習がなく、バッチ統計量での正解率は移動平均での値より高い。どちらの条件も達しなかったシードは除いた。",
        ),
    ),
    Claim(
        id="frn",
        sources=("B reference 8",),
        statement=Text(
            "Filter response norm removes the dependence on the batch and beats batch norm.",
            "フィルタ応答正規化はバッチへの依存をなくし、バッチ正規化に勝る。",
        ),
        method=Text(
            "Test accuracy of FRN with its activation minus batch norm at batches of 2, 8 and 128, and how much less it changes from "
            "128 to 2. All must be positive.",
            "FRN+TLU とバッチ正規化のテスト正解率の差(バッチ2・8・128)、および128から2にしたときの低下の差。全て正であること。",
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    *(against_batch("frn", size) for size in SIZES),
                    Contrast(
                        Text("batch norm's loss from 128 to 2 less FRN's", "128→2 の低下 BN − FRN"),
                        "test_accuracy",
                        at("batch", 128),
                        at("batch", 2),
                        less=(at("frn", 128), at("frn", 2)),
                    ),
                ),
            ),
        ),
        checked=Text(
            "The part on the dependence on the batch holds; those on accuracy do not. Norm and activation are tested as written out, its "
            "best rates lie inside their grids, and running, batch and recalibrated statistics are the same by construction. It fits "
            "the training images badly, as instance norm does in this net, which ends in a mean over positions: what a norm over the "
            "positions of one sample takes away is not there to be averaged. Its paper warms the rate up; here every arm has the same "
            "schedule without.",
            "バッチへの依存についての部分は成り立ち、正解率についての部分は成り立たない。正規化と活性化は式どおりであることをテスト済みで、"
            "最良の学習率は格子の内側にあり、移動統計はない。訓練画像への当てはまりが悪いのはインスタンス正規化と同じで、"
            "位置の平均で終わるこのネットでは、各サンプルの位置にわたる正規化が取り去ったものは平均に残らない。"
            "原論文は学習率を徐々に上げるが、ここでは全条件が同じスケジュールである。",
        ),
    ),
)


def situations(results: Results) -> list[Situation]:
    """For the report's choice of a method: the plain CNN at each batch size, and the residual net."""
    found = []
    for setting in results.settings:
        for size in SIZES:
            rows = results.select(f"batch_{size}", setting=setting, level="best")
            found.append(Situation(setting, "CNN", size, candidates(results, rows, "norm")))
        residual = candidates(results, results.select("residual", setting=setting, level="best"), "norm")
        without = candidates(results, results.select("normfree", setting=setting, level="best"), "arm")
        named = {"fixup": "Fixup, no norm", "scaled": "scaled WS, no norm"}
        free = [replace(c, method=named[c.method]) for c in without if c.method in named]
        alone = [] if residual else [c for c in without if c.method == "batch"]
        found.append(Situation(setting, "ResNet-8", 32, [*residual, *alone, *free]))
    return [situation for situation in found if len(situation.candidates) > 2]


def candidates(results: Results, rows: pd.DataFrame, axis: str) -> list[Candidate]:
    """A candidate for each value of ``axis`` that all reporting seeds have been run with."""
    found = []
    for method, cells in rows.groupby(axis, sort=False) if len(rows) else ():
        found_on = results.by_seed(cells, "test_accuracy")
        accuracy = {
            seed: found_on[seed] for seed in results.seeds if seed in found_on
        }  # the seeds that all methods have
        if len(accuracy) == len(results.seeds):
            seconds = results.values(cells, "step_seconds.common_layout")
            memory = results.values(cells, "training_memory.saved_bytes")
            losses, chance = results.values(cells, "test_loss"), results.values(cells, "chance")
            found.append(
                Candidate(
                    str(method),
                    accuracy,
                    mean(seconds) if seconds else None,
                    mean(memory) if memory else None,
                    mean(losses) if losses else None,
                    bool(losses) and mean(losses) > -math.log(chance[0]),
                )
            )
    return found


def figure(results: Results) -> Figure | None:
    """Test accuracy of every method at each batch size."""
    run = {setting: set(results.select("batch_128", setting=setting)["norm"]) for setting in results.settings}
    shown = {setting: [name for name in COLOURS if name in run[setting]] for setting in results.settings}
    heights = [max(1, len(names)) for names in shown.values()]
    plot, axes = plt.subplots(
        len(results.settings),
        len(SIZES),
        figsize=(12, 0.34 * sum(heights) + 1.2 * len(heights)),
        height_ratios=heights,
        squeeze=False,
        sharey="row",
        layout="constrained",
    )
    for row, (setting, names) in zip(axes, shown.items(), strict=True):
        for ax, size in zip(row, SIZES, strict=True):
            for place, norm in enumerate(names):
                rows = results.select(f"batch_{size}", setting=setting, norm=norm, level="best")
                if len(rows):
                    draw_row(ax, place, [100 * v for v in results.values(rows, "test_accuracy")], COLOURS[norm])
            ax.set_yticks(range(len(names)), [method_title(name) for name in names], fontsize=8)
            ax.set_ylim(len(names) - 0.4, -0.6)
            ax.set(title=f"{DATA_TITLES[setting]}: batch {size}", xlabel="test accuracy, %", xlim=(0, 100))
    return plot
