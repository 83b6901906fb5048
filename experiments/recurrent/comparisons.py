"""Which norm for an LSTM or a GRU."""

from normlab.core.claim import Text
from normlab.report.comparison import Comparison

ORDERS = {
    "rows": Text("MNIST by rows", "MNIST(行ごと)"),
    "rows_permuted": Text("MNIST by rows, permuted", "MNIST(行ごと、画素を並べ替え)"),
}
CARE = Text(
    "Batch norm as its paper has it: at what recurs with statistics of each step apart, γ from 0.1 or 1, noise on the first state in "
    "training.",
    "バッチ正規化は原論文のとおり:再帰側の統計量は時刻ごと、γ は 0.1 または 1 から、学習中は初期状態に雑音を加える。",
)

COMPARED = tuple(
    Comparison(
        f"{setting}-{memory}",
        Text(f"{memory.upper()}, {order.en}", f"{memory.upper()}、{order.ja}"),
        setting,
        (
            ("without", {"memory": memory}),
            ("normed", {"memory": memory, "arm": "batch"}),
            ("normed", {"memory": memory, "arm": "layer"}),
        ),
        CARE,
    )
    for memory in ("lstm", "gru")
    for setting, order in ORDERS.items()
)
