"""Which norm for an LSTM or a GRU."""

from normlab.core.claim import Text
from normlab.report.comparison import Comparison

ORDERS = {
    "rows": Text("MNIST by rows", "MNIST(行ごと)"),
    "rows_permuted": Text("MNIST by rows, permuted", "MNIST(行ごと、画素を並べ替え)"),
}
CARE = Text(
    "Batch norm at what is read, or at what recurs too (with statistics of each step apart), whichever is better on tuning seeds; γ from "
    "0.1 or 1 for batch and layer norm; noise on the first state in training for all.",
    "バッチ正規化は入力側のみ、または再帰側(統計量は時刻ごと)にも置き、"
    "調整用シードで良い方をとる。"
    "γ はバッチ・レイヤー正規化とも 0.1 または 1 から。"
    "学習中は全手法で初期状態に雑音を加える。",
)

COMPARED = tuple(
    Comparison(
        f"{setting}-{memory}",
        Text(f"{memory.upper()}, {order.en}", f"{memory.upper()}、{order.ja}"),
        setting,
        (
            ("without", {"memory": memory}),
            ("batch_norm", {"memory": memory}),
            ("normed", {"memory": memory, "arm": "layer"}),
        ),
        CARE,
    )
    for memory in ("lstm", "gru")
    for setting, order in ORDERS.items()
)
