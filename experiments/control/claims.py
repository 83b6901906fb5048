"""Does batch norm help reinforcement learning? One claim."""

from experiments.wording import translated
from normlab.core.claim import Arm, Case, Claim, Contrast, Moderator

T = translated(__file__)


def agent(norm: str) -> Arm:
    return Arm("agents", {"norm": norm, "level": "best"})


def better(name: str, measure: str, plus: str, minus: str) -> Contrast:
    return Contrast(T(name), measure, agent(plus), agent(minus), unit="number")


CLAIMS = (
    Claim(
        id="rl-bn",
        sources=("B uses 10",),
        statement=T("Batch norm steadies deep reinforcement learning and makes it learn from fewer steps."),
        method=T(
            "Deep Q-learning in two environments, a pole on a cart and a pendulum of two links: the return over the tenths of the "
            "training (how soon it learns), and that of the trained agent on 100 episodes, batch norm minus none, each at its best "
            "rate. Both must be positive. (Batches are learned from with their own statistics; the agent acts with running ones.)"
        ),
        kind="superiority",
        unit="number",
        cases=(
            Case(
                T("each environment"),
                (
                    better("return on the way, batch − none", "mean_validation_return", "batch", "none"),
                    better("return at the end, batch − none", "test_return", "batch", "none"),
                ),
                scales=("cpu",),
            ),
        ),
        moderators=(Moderator(T("environment"), "setting"),),
        shown_besides=(
            Case(
                T("layer norm"), (better("return on the way, layer − none", "mean_validation_return", "layer", "none"),)
            ),
            Case(
                T("with recalibrated statistics"),
                (better("return at the end, batch − none", "test_return_recalibrated", "batch", "none"),),
            ),
        ),
    ),
)
