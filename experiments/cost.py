"""What do normalizations cost? Claims on time and memory, and what saves them."""

import math
from itertools import pairwise
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.wording import ON_EACH_DATA_SET, RATIO_10_PERCENT
from normlab.core.claim import Arm, Case, Claim, Contrast, Finding, Text
from normlab.nets.fold import folded_difference
from normlab.report.results import Results
from normlab.report.style import COLOURS, DATA_TITLES, mean_and_interval, method_title

LARGE = 128
RATIO_5_PERCENT = math.log(1.05)  # between tiers of an order
# The articles' table, from cheap to dear.
TIERS = (("weight",), ("layer", "instance", "group"), ("batch",), ("spectral",))


def net(norm: str, batch_size: int = LARGE) -> Arm:
    return Arm("nets", {"norm": norm, "data.batch_size": batch_size})


def ratio(name: Text, measure: str, plus: Arm, minus: Arm, delta: float = RATIO_10_PERCENT) -> Contrast:
    return Contrast(name, f"cost.{measure}", plus, minus, log=True, unit="ratio", delta=delta)


def batch_over_none(measure: str) -> Contrast:
    return ratio(Text("batch norm over none", "BN ÷ none"), measure, net("batch"), net("none"))


def in_order(measure: str) -> tuple[Contrast, ...]:
    """Every method of a tier costs more than every method of the tier before."""
    pairs = [(high, low) for cheap, dear in pairwise(TIERS) for high in dear for low in cheap]
    return tuple(
        ratio(
            Text(f"{method_title(high)} over {method_title(low)}", f"{method_title(high)} ÷ {method_title(low)}"),
            measure,
            net(high),
            net(low),
            RATIO_5_PERCENT,
        )
        for high, low in pairs
    )


def as_accurate(plus: Arm, minus: Arm) -> Contrast:
    return Contrast(
        Text("accuracy not inferior", "正解率が劣らない"), "test_accuracy", plus, minus, unit="points", delta="delta",
        kind="noninferiority",
    )  # fmt: skip


def cheaper(norm: str) -> tuple[Contrast, ...]:
    return (
        ratio(Text("training step, batch norm over it", "学習ステップ BN ÷ 当手法"), "step", net("batch"), net(norm)),
        ratio(
            Text("peak memory, batch norm over it", "ピークメモリ BN ÷ 当手法"), "peak_bytes", net("batch"), net(norm)
        ),
        as_accurate(
            Arm("accuracy", {"norm": norm, "level": "best"}), Arm("accuracy", {"norm": "batch", "level": "best"})
        ),
    )


def saves(arm: str) -> tuple[Contrast, ...]:
    return (
        ratio(
            Text("peak memory, plain over it", "ピークメモリ 通常 ÷ 適用後"),
            "peak_bytes",
            Arm("savers", {"arm": "plain"}),
            Arm("savers", {"arm": arm}),
        ),
        as_accurate(
            Arm("saved_accuracy", {"arm": arm, "level": "best"}),
            Arm("saved_accuracy", {"arm": "plain", "level": "best"}),
        ),
    )


def folding() -> Finding:
    """Outputs with batch norms and with these folded into the layers before them."""
    difference = folded_difference()
    return Finding(difference < 1e-10, {"largest difference of outputs (float64)": difference})


SAVING = (
    ("checkpointing-saves", "checkpoints", "Gradient checkpointing", "勾配チェックポイント"),
    ("amp-saves", "bfloat16", "Mixed precision", "混合精度"),
)

TIMES_CHECKED = Text(
    "Spectral norm acts on weights, not on outputs: a power iteration a step over a few thousand weights is little beside "
    "convolutions over 128 images. That alone refutes the order, on both data sets. On one-channel images (MNIST) the times of weight "
    "norm and of weight standardization contain a change of memory layout: their weights come in the contiguous layout, with which the "
    "first convolution leaves channels_last. On CIFAR-10 they do not.",
    "スペクトル正規化は出力ではなく重みに作用する。1ステップにつき数千個の重みでべき乗法を1回行う負担は、128枚分の畳み込みに比べて小さい。"
    "これだけで両データとも順序は成り立たない。1チャネル画像(MNIST)では、重み正規化と重み標準化の時間にメモリ配置の変換が含まれる:"
    "重みが contiguous 配置で得られ、最初の畳み込みが channels_last から外れるためである。CIFAR-10 には含まれない。",
)
MEMORY_CHECKED = Text(
    "What peaks is what a step keeps for its backward pass. Batch, layer, group and instance norm each keep their input, whatever they "
    "take statistics over; what acts on weights keeps none of the outputs (the table's column of kept bytes).",
    "ピークを決めるのは逆伝播のために保持される量である。バッチ・レイヤー・グループ・インスタンス正規化は、統計量の取り方によらず入力を保持し、"
    "重みに作用する手法は出力を保持しない(表の「逆伝播用に保持」の列)。",
)

CLAIMS = (
    *(
        Claim(
            id=id,
            sources=("A §5.3", "B challenges 3", "B challenges 4"),
            statement=Text(f"Batch norm adds to {en}.", f"バッチ正規化は{ja}を増やす。"),
            method=Text(
                f"{how} of the plain CNN with batch norm over the one without, at batch {LARGE}.",
                f"バッチ{LARGE}のCNNについて、バッチ正規化ありとなしの比({ja})。",
            ),
            kind="superiority",
            unit="ratio",
            delta=RATIO_10_PERCENT,
            cases=(Case(ON_EACH_DATA_SET, (batch_over_none(measure),)),),
        )
        for id, measure, en, ja, how in (
            ("adds-training-time", "step", "the time of training", "学習時間", "The time of a training step"),
            (
                "adds-inference-time",
                "inference",
                "the time of inference",
                "推論時間",
                "The time of a forward pass in evaluation",
            ),
            (
                "adds-memory",
                "peak_bytes",
                "the memory of training",
                "学習時のメモリ",
                "The memory at which a training step peaks",
            ),
        )
    ),
    Claim(
        id="overhead-grows",
        sources=("A §5.3",),
        statement=Text(
            "The overhead of batch norm is worse in deep nets and with large data (here: large batches).",
            "バッチ正規化の負担は、深いネットや大きなデータ(ここでは大きなバッチ)で増す。",
        ),
        method=Text(
            "The time of a training step with batch norm over without: in the deepest net over the shallowest, and with large batches "
            "over small ones. Both must grow.",
            "学習ステップの時間の比(BN ÷ なし)。最も深いネット ÷ 最も浅いネット、大きなバッチ ÷ 小さなバッチ。両方とも増えること。",
        ),
        kind="superiority",
        unit="ratio",
        delta=RATIO_5_PERCENT,
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        Text("overhead, deepest over shallowest", "負担 最深 ÷ 最浅"),
                        "cost.step",
                        Arm("depths", {"norm": "batch", "net.depth": 8}),
                        Arm("depths", {"norm": "none", "net.depth": 8}),
                        less=(
                            Arm("depths", {"norm": "batch", "net.depth": 1}),
                            Arm("depths", {"norm": "none", "net.depth": 1}),
                        ),
                        log=True,
                    ),
                    Contrast(
                        Text("overhead, batch 128 over 8", "負担 バッチ128 ÷ 8"),
                        "cost.step",
                        net("batch", 128),
                        net("none", 128),
                        less=(net("batch", 8), net("none", 8)),
                        log=True,
                    ),
                ),
                scales=("cpu", "gpu"),
            ),
        ),
    ),
    *(
        Claim(
            id=id,
            sources=("B table",),
            statement=Text(
                f"By {en}: weight norm < layer, instance and group norm < batch norm < spectral norm.",
                f"{ja}は、重み正規化 < レイヤー・インスタンス・グループ正規化 < バッチ正規化 < スペクトル正規化の順に増える。",
            ),
            method=Text(
                f"{en.capitalize()} of the plain CNN at batch {LARGE}: every method of a tier over every method of the tier below it, "
                "at least ×1.05 each.",
                f"バッチ{LARGE}のCNNについて、各段の各手法 ÷ 一つ下の段の各手法({ja})。全て1.05倍以上。",
            ),
            kind="superiority",
            unit="ratio",
            delta=RATIO_5_PERCENT,
            cases=(Case(ON_EACH_DATA_SET, in_order(measure)),),
            checked=checked,
        )
        for id, measure, en, ja, checked in (
            ("overhead-order", "step", "time of a training step", "学習ステップの時間", TIMES_CHECKED),
            ("memory-order", "peak_bytes", "peak memory", "ピークメモリ", MEMORY_CHECKED),
        )
    ),
    *(
        Claim(
            id=f"{norm}-cheaper",
            sources=("A §5.3",),
            statement=Text(
                f"{method_title(norm).capitalize()} saves resources and keeps performance.",
                f"{ja}は、性能を保ちつつ資源を節約する。",
            ),
            method=Text(
                f"Time of a training step and peak memory of batch norm over {method_title(norm)}, and test accuracy not "
                f"inferior, at batch {LARGE}. All must hold.",
                f"バッチ{LARGE}で、学習ステップの時間とピークメモリの比(BN ÷ {ja})、および正解率が劣らないこと。全て成り立つこと。",
            ),
            kind="superiority",
            cases=(Case(ON_EACH_DATA_SET, cheaper(norm)),),
        )
        for norm, ja in (("group", "グループ正規化"), ("instance", "インスタンス正規化"))
    ),
    Claim(
        id="folding-exact",
        sources=("B advanced 4",),
        statement=Text(
            "Batch norm can be folded into the layer before it without changing the function.",
            "バッチ正規化は、関数を変えずに直前の層へ畳み込める。",
        ),
        method=Text(
            "A net with random weights, statistics, γ and β, with its batch norms and with these folded: the largest difference of "
            "outputs.",
            "重み・統計量・γ・β が無作為なネットについて、畳み込み前後の出力の最大差。",
        ),
        kind="exact",
        check=folding,
    ),
    Claim(
        id="folding-saves",
        sources=("B advanced 4",),
        statement=Text("Folding saves time in inference.", "畳み込みは推論時間を節約する。"),
        method=Text(
            f"The time of a forward pass in evaluation at batch {LARGE}: batch norm over the same net folded.",
            f"バッチ{LARGE}の推論時間。BN ÷ 畳み込み後。",
        ),
        kind="superiority",
        unit="ratio",
        delta=RATIO_10_PERCENT,
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        Text("batch norm over folded", "BN ÷ 畳み込み後"),
                        "cost.inference",
                        net("batch"),
                        Arm("nets", {"norm": "batch", "data.batch_size": LARGE}, measure="cost.inference_folded"),
                        log=True,
                    ),
                ),
            ),
        ),
    ),
    *(
        Claim(
            id=id,
            sources=("B practice 9",),
            statement=Text(f"{en} reduces the memory of training.", f"{ja}は学習時のメモリを減らす。"),
            method=Text(
                f"Peak memory of a training step of a deeper CNN (four convolutions a stage), plain over with {en.lower()}; "
                "test accuracy not inferior.",
                f"深めのCNN(各段4層)の学習ステップのピークメモリ、通常 ÷ {ja}。正解率が劣らないこと。",
            ),
            kind="superiority",
            cases=(Case(ON_EACH_DATA_SET, saves(arm)),),
        )
        for id, arm, en, ja in SAVING
    ),
    Claim(
        id="accelerator-remedy",
        sources=("A §5.3",),
        statement=Text(
            "Accelerators shrink the cost of batch norm.", "アクセラレータを使えば、バッチ正規化の負担は小さくなる。"
        ),
        method=Text(
            "The time of a training step with batch norm over without, on the processor over on the GPU. Not run where there is none.",
            "学習ステップの時間の比(BN ÷ なし)を、CPU ÷ GPU で比べる。GPU がなければ未実行。",
        ),
        kind="superiority",
        unit="ratio",
        delta=RATIO_10_PERCENT,
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        Text("overhead, processor over GPU", "負担 CPU ÷ GPU"),
                        "cost.step",
                        Arm("devices", {"norm": "batch", "numerics.device": "cpu"}),
                        Arm("devices", {"norm": "none", "numerics.device": "cpu"}),
                        less=(
                            Arm("devices", {"norm": "batch", "numerics.device": "cuda"}),
                            Arm("devices", {"norm": "none", "numerics.device": "cuda"}),
                        ),
                        log=True,
                    ),
                ),
                scales=("gpu",),
            ),
        ),
    ),
    Claim(
        id="sync-cost",
        sources=("B challenges 9",),
        statement=Text(
            "Synchronizing batch norm between processes costs communication.",
            "バッチ正規化をプロセス間で同期すると、通信の負担が生じる。",
        ),
        method=Text(
            "The time of a training step with synchronized over unsynchronized batch norm, on 2 and on 4 processes of this machine with 16 "
            "images each (more processes than cores share them). Both must grow.",
            "同じ機械の2・4プロセス(各16枚)で、同期あり ÷ 同期なしの学習ステップ時間(コアより多いプロセスは共有)。両方とも増えること。",
        ),
        kind="superiority",
        unit="ratio",
        delta=RATIO_10_PERCENT,
        cases=(
            Case(
                ON_EACH_DATA_SET,
                tuple(
                    Contrast(
                        Text(f"{count} processes", f"{count} プロセス"),
                        "cost.step",
                        Arm("synchronized", measure=f"cost.step_{count}"),
                        Arm("synchronized", measure=f"cost.unsynchronized_{count}"),
                        log=True,
                    )
                    for count in (2, 4)
                ),
            ),
        ),
    ),
)


# What the articles' table says of overhead and of memory, in our words; it names six methods.
ARTICLES = {
    "weight": "very low",
    "layer": "low",
    "instance": "low",
    "group": "low",
    "batch": "medium",
    "spectral": "high",
}


def table(results: Results) -> pd.DataFrame | None:
    """Every measured method over the net without norm, beside what the articles' table says; deeper nets and what saves
    memory; synchronization.
    """
    kinds = {
        "training step": "step",
        "training step, channels last": "step_common",
        "inference": "inference",
        "inference, folded": "inference_folded",
        "peak memory": "peak_bytes",
        "kept for backward": "saved_bytes",
    }
    rows: list[dict[str, Any]] = []
    for grid, net_title in (("nets", "CNN"), ("residual", "ResNet-8")):
        for setting in results.settings:
            cells = results.select(grid, setting=setting)
            if not len(cells):
                continue
            sizes = sorted(cells["data.batch_size"].unique()) if grid == "nets" else [LARGE]
            for size in sizes:
                same = cells[cells["data.batch_size"] == size] if grid == "nets" else cells
                bare = same[same["norm"] == "none"]
                none = {kind: results.by_seed(bare, f"cost.{kind}") for kind in kinds.values()}
                for norm in [name for name in COLOURS if name in set(same["norm"])]:
                    own = same[same["norm"] == norm]
                    rows.append(
                        {"data": DATA_TITLES[setting], "net": net_title, "batch": int(size), "method": method_title(norm),
                         "the articles say": ARTICLES.get(norm, "")}
                        | {title: _over(results.by_seed(own, f"cost.{kind}"), none[kind.removesuffix("_folded")])
                           for title, kind in kinds.items()}
                        | {"parameters": _count(results.values(own, "cost.parameters")),
                           "state": _count(results.values(own, "cost.state"))}
                    )  # fmt: skip
    for setting in results.settings:
        rows += _deeper(results, setting, kinds) + _synchronized(results, setting)
    return pd.DataFrame(rows) if rows else None


def _deeper(results: Results, setting: str, kinds: dict[str, str]) -> list[dict[str, Any]]:
    """Batch norm in deeper nets, and with what saves memory, over nets as deep without norm."""
    rows = []
    bare = results.select("depths", setting=setting, norm="none")
    for depth in sorted(bare["net.depth"].unique()) if len(bare) else []:
        none = {kind: results.by_seed(bare[bare["net.depth"] == depth], f"cost.{kind}") for kind in kinds.values()}
        arms = {"batch norm": results.select("depths", setting=setting, norm="batch", net__depth=depth)}
        if depth == 4:
            arms |= {f"batch norm, {arm}": results.select("savers", setting=setting, arm=arm)
                     for arm in ("checkpoints", "bfloat16")}  # fmt: skip
        for title, own in arms.items() if depth > 1 else ():
            rows.append(
                {"data": DATA_TITLES[setting], "net": f"CNN, {depth:g} convolutions a stage", "batch": LARGE, "method": title}
                | {name: _over(results.by_seed(own, f"cost.{kind}"), none[kind.removesuffix("_folded")])
                   for name, kind in kinds.items()}
            )  # fmt: skip
    return rows


def _synchronized(results: Results, setting: str) -> list[dict[str, Any]]:
    """Synchronized batch norm over the same norm without the exchange, and what the exchange sends."""
    cells = results.select("synchronized", setting=setting)
    rows = []
    for count in (2, 4) if len(cells) else ():
        alone = results.by_seed(cells, f"cost.unsynchronized_{count}")
        rows.append(
            {"data": DATA_TITLES[setting], "net": f"CNN, {count} processes (one machine)", "batch": 16,
             "method": "synchronized BN over unsynchronized",
             "training step": _over(results.by_seed(cells, f"cost.step_{count}"), alone),
             "bytes sent": _count(results.values(cells, f"cost.bytes_{count}"))}
        )  # fmt: skip
    return rows


def _over(own: dict[int, float], none: dict[int, float]) -> float:
    """The geometric mean of ratios over repetitions."""
    logs = [math.log(own[seed] / none[seed]) for seed in own if seed in none]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan


def _count(values: list[float]) -> str:
    """A number that is the same in every repetition."""
    return f"{values[0]:,.0f}" if values else "–"


def figure(results: Results) -> Figure | None:
    """Every method's time, inference time and memory over those of the net without norm."""
    kinds = {"step": "training step", "inference": "inference", "peak_bytes": "peak memory of training"}
    plot, axes = plt.subplots(
        len(results.settings), len(kinds), figsize=(12, 5.2 * len(results.settings)), squeeze=False, sharey="row",
        layout="constrained",
    )  # fmt: skip
    for row, setting in zip(axes, results.settings, strict=True):
        rows = results.select("nets", setting=setting, data__batch_size=LARGE)
        found = set(rows["norm"]) if len(rows) else set()
        norms = [norm for norm in COLOURS if norm in found and norm != "none"]
        row[0].set_ylabel(f"{DATA_TITLES[setting]}, batch {LARGE}")
        for ax, (measure, title) in zip(row, kinds.items(), strict=True):
            none = results.by_seed(rows[rows["norm"] == "none"], f"cost.{measure}") if len(rows) else {}
            for place, norm in enumerate(norms):
                own = results.by_seed(rows[rows["norm"] == norm], f"cost.{measure}")
                draw_ratio(ax, place, [own[seed] / none[seed] for seed in own if seed in none], norm)
            ax.axvline(1, color="#24292f", linewidth=0.8)
            ax.set(title=title, xlabel="over the net without norm")
            ax.set_xlim(0, ax.get_xlim()[1] * 1.12)
            ax.grid(visible=False, axis="y")
            ax.xaxis.set_major_formatter(lambda value, _: f"×{value:g}")
        row[0].set_yticks(range(len(norms)), [method_title(norm) for norm in norms], fontsize=9)
        row[0].set_ylim(len(norms) - 0.5, -0.5)
    return plot


def draw_ratio(ax: Axes, place: int, ratios: list[float], norm: str) -> None:
    """A bar with its 95 % interval."""
    if ratios:
        mean, low, high = mean_and_interval(ratios)
        ax.barh(
            place, mean, height=0.62, color=COLOURS[norm], xerr=[[mean - low], [high - mean]], error_kw={"linewidth": 1}
        )
        ax.text(high + 0.04, place, f"×{mean:.2f}", va="center", fontsize=8)
