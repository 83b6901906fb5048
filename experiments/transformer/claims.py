"""Which norms do transformers want? One claim."""

from experiments.wording import translated
from normlab.core.claim import Arm, Case, Claim, Contrast, Moderator

T = translated(__file__)

BY_PLACE = ("setting", "net.placement")


def better(plus: str, minus: str) -> Contrast:
    def arm(norm: str) -> Arm:
        return Arm("branches", {"norm": norm, "level": "best"})

    return Contrast(T(f"{plus.replace('_', ' ')} − {minus}"), "test_accuracy", arm(plus), arm(minus))


CLAIMS = (
    Claim(
        id="transformer-norm",
        sources=("B uses 4", "B future 4"),
        statement=T("Batch norm helps transformers."),
        method=T(
            "A vision transformer (MNIST) and a reader of characters (the next one of sums such as 7+35=42;), with norms before their "
            "residual branches or behind the sums: test accuracy with batch norm minus none, each at its best rate. Beside it: layer "
            "norm, root mean square norm and dynamic tanh minus batch norm."
        ),
        kind="superiority",
        cases=(Case(T("place of the norm"), (better("batch", "none"),), by=BY_PLACE, scales=("cpu",)),),
        moderators=(Moderator(T("place of the norm"), "net.placement"), Moderator(T("data"), "setting")),
        shown_besides=tuple(
            Case(T(f"{title} minus batch norm"), (better(norm, "batch"),), by=BY_PLACE)
            for norm, title in (
                ("layer", "layer norm"),
                ("rms", "root mean square norm"),
                ("dynamic_tanh", "dynamic tanh"),
            )
        ),
    ),
)
