"""What does batch norm compute? Thirteen exact statements, each computed and shown."""

from collections.abc import Callable

from matplotlib.figure import Figure

from normlab.core.claim import Claim, Finding, Text
from normlab.norms import exact
from normlab.norms.shards import shards_against_whole
from normlab.report.results import Results

EXACT = 1e-9  # of float64 arithmetic on numbers of order one


def computed(
    id: str,
    sources: tuple[str, ...],
    statement: Text,
    method: Text,
    compute: Callable[[], dict[str, float]],
    holds: Callable[[dict[str, float]], bool],
) -> Claim:
    """A claim that one computation decides."""

    def check() -> Finding:
        numbers = compute()
        return Finding(holds(numbers), numbers)

    return Claim(id=id, sources=sources, statement=statement, method=method, kind="exact", check=check)


def all_small(numbers: dict[str, float]) -> bool:
    return max(numbers.values()) < EXACT


CLAIMS = (
    computed(
        "normalized-moments",
        ("A §1", "A §2", "B how 3"),
        Text(
            "Normalized features have mean 0 and, as ε → 0, variance 1 in each channel.",
            "正規化した特徴は、チャネルごとに平均0、ε→0 で分散1になる。",
        ),
        Text(
            "Batch norm of two channels in float64, one with a variance of a tenth of ε: mean 0, variance σ²/(σ² + ε), which "
            "reaches 1 only as ε → 0.",
            "分散が ε の10分の1のチャネルを含む2チャネルで計算。平均は0、分散は σ²/(σ²+ε) で、1になるのは ε→0 のときだけ。",
        ),
        exact.normalized_moments,
        lambda n: n["largest |mean|"] < EXACT and n["distance of variance from σ²/(σ²+ε)"] < EXACT,
    ),
    computed(
        "any-distribution",
        ("A §1", "A §2"),
        Text(
            "Normalization turns any distribution into the standard one.",
            "正規化は、どのような分布も標準的な分布に変える。",
        ),
        Text(
            "Skewness and kurtosis of skewed and two-humped features before and after: had the result a standard normal "
            "distribution, both would be zero.",
            "偏った分布と二山の分布について、歪度と尖度を正規化の前後で比べる。標準正規分布になるなら両方とも0のはずである。",
        ),
        exact.shape_of_distribution,
        lambda n: abs(n["skewness after"]) < 0.1 and abs(n["excess kurtosis after"]) < 0.1,
    ),
    computed(
        "epsilon-inside-root",
        ("A §1", "A §2", "B components 4", "B how 3"),
        Text("ε is added to the variance, inside the root.", "ε は平方根の中で分散に加えられる。"),
        Text(
            "Outputs against both formulas where ε matters (σ = 0.01, ε = 1e-3), and how far apart the two are.",
            "ε が効く条件(σ=0.01、ε=1e-3)で、出力を両方の式と比べる。",
        ),
        exact.epsilon_in_the_root,
        lambda n: n["distance from (x − μ)/√(σ² + ε)"] < EXACT < n["distance from (x − μ)/(√σ² + ε)"],
    ),
    computed(
        "scale-and-shift",
        ("A §1", "A §2", "B components 2"),
        Text(
            "γ sets the standard deviation of the output, β its mean.", "γ は出力の標準偏差を、β は出力の平均を決める。"
        ),
        Text(
            "Deviation and mean of the output against γ and β, for variances far above ε.",
            "分散が ε より十分大きいときの、出力の標準偏差・平均と γ・β の差。",
        ),
        exact.scale_and_shift,
        lambda n: n["distance of the deviation from γ"] < 1e-6 and n["distance of the mean from β"] < EXACT,
    ),
    computed(
        "affine-restores-identity",
        ("B intro", "B components 2", "B components 6"),
        Text("With γ = σ and β = μ batch norm undoes itself.", "γ=σ、β=μ とすれば、正規化は打ち消される。"),
        Text(
            "Output against input for γ = √(σ² + ε), which is exact, and for γ = σ, which is as near as ε is small.",
            "γ=√(σ²+ε)(厳密)と γ=σ(ε が小さいほど近い)について、出力と入力の差。",
        ),
        exact.identity_by_affine,
        lambda n: n["largest |y − x|, γ = √(σ² + ε)"] < EXACT and n["largest |y − x|, γ = σ"] < 1e-4,
    ),
    computed(
        "starts-as-identity",
        ("B practice 5",),
        Text(
            "Started at γ = 1, β = 0, batch norm begins as the identity.", "γ=1、β=0 から始めると、恒等変換から始まる。"
        ),
        Text(
            "Output at γ = 1, β = 0 against the input, and against the standardized input.",
            "γ=1、β=0 のときの出力を、入力および標準化した入力と比べる。",
        ),
        exact.start_of_affine,
        lambda n: n["largest |y − x|"] < EXACT,
    ),
    computed(
        "worked-example",
        ("B how",),
        Text(
            "For 32 images with 64 maps of 28×28 there are 64 means and variances, over all images and positions.",
            "28×28の特徴マップ64枚・画像32枚では、全画像・全位置にわたる64組の平均と分散が計算される。",
        ),
        Text(
            "Counts of statistics, of values behind each (25,088), of parameters (128), and the output against the formula.",
            "統計量の数、それぞれの値の数(25,088)、パラメータ数(128)、および式との差。",
        ),
        exact.worked_example,
        lambda n: (
            (n["means"], n["variances"], n["values behind each"], n["learnable parameters"]) == (64, 64, 25_088, 128)
            and n["distance from the formula"] < 1e-4
        ),
    ),
    computed(
        "running-average",
        ("B components 3",),
        Text(
            "Running averages follow running ← decay·running + (1 − decay)·batch.",
            "移動平均は、減衰率×現在値+(1−減衰率)×バッチの値で更新される。",
        ),
        Text("Three batches at decay 0.9, from zero.", "減衰率0.9で、0から3バッチ分を更新。"),
        exact.running_average,
        all_small,
    ),
    computed(
        "single-sample",
        ("B how 5",),
        Text(
            "In evaluation one sample alone gets what it would get in a batch.",
            "推論では、1サンプルだけでもバッチ内と同じ結果になる。",
        ),
        Text(
            "The same sample in evaluation, alone and among others.",
            "推論モードで、同じサンプルを単独と他と一緒で比べる。",
        ),
        exact.single_sample,
        all_small,
    ),
    computed(
        "gradient-formula",
        ("B how 7",),
        Text(
            "Gradients flow through the normalization, to x, γ and β.",
            "勾配は正規化を通って、x・γ・β に伝わる。",
        ),
        Text(
            "The three gradients by the formula against automatic differentiation.",
            "三つの勾配を、公式と自動微分で比べる。",
        ),
        exact.gradient_formula,
        all_small,
    ),
    computed(
        "identities",
        ("–",),
        Text("Methods that must coincide in a special case do.", "特別な場合に一致すべき手法は、一致する。"),
        Text(
            "Largest difference of the outputs on the same features, in float64 (synchronized BN has a row of its own).",
            "同じ特徴に対する出力の最大の差(float64)。同期 BN は別の行で確かめる。",
        ),
        exact.identities,
        all_small,
    ),
    computed(
        "sync-exactness",
        ("B advanced 1",),
        Text(
            "Synchronized batch norm over several workers is batch norm of the whole batch.",
            "複数ワーカーで同期したバッチ正規化は、バッチ全体の正規化と等しい。",
        ),
        Text(
            "Three real processes with 3, 1 and 4 samples against one with all 8: outputs, first and second derivatives, "
            "evaluation, running statistics.",
            "3・1・4サンプルを持つ三つの実プロセスと、8サンプルを持つ一つのプロセスを比べる(出力・一次と二次の微分・推論・移動統計量)。",
        ),
        shards_against_whole,
        all_small,
    ),
    computed(
        "spectral-bound",
        ("B table",),
        Text(
            "Spectral norm bounds the largest singular value of a weight (the table says spectral radius).",
            "スペクトル正規化が抑えるのは、重みの最大特異値である(表ではスペクトル半径)。",
        ),
        Text(
            "Largest singular value and spectral radius of a random 32×32 weight after spectral norm.",
            "ランダムな32×32の重みについて、正規化後の最大特異値とスペクトル半径。",
        ),
        exact.spectral_bound,
        lambda n: abs(n["largest singular value"] - 1) < 1e-3 and n["spectral radius"] < 1 - 1e-3,
    ),
)


def figure(results: Results) -> Figure | None:
    """Nothing to draw: the report shows the numbers."""
    del results
    return None
