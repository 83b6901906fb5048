"""Which norms do recurrent nets want? Four claims."""

from typing import Literal

from experiments.wording import translated
from normlab.core.claim import Arm, Case, Claim, Contrast, Moderator

T = translated(__file__)

Name = Literal["none", "batch", "shared", "layer", "weight"]
MODERATORS = (Moderator(T("cell"), "cell"), Moderator(T("order of pixels"), "setting"))
READ = "Recurrent nets (LSTM, GRU) read MNIST row by row, its pixels in order or shuffled; test accuracy, each arm at its best rate: "


def against(name: str, plus: Name, minus: Name) -> Contrast:
    def arm(which: Name) -> Arm:
        return Arm("cells", {"arm": which, "level": "best"})

    return Contrast(T(name), "test_accuracy", arm(plus), arm(minus))


def by_cell(*parts: Contrast) -> tuple[Case, ...]:
    return (Case(T("each cell and order of pixels"), parts, by=("setting", "cell")),)


RNN_BN_HARD = Claim(
    id="rnn-bn-hard",
    sources=("A §5.2",),
    statement=T("Batch norm is hard to put to use in recurrent nets."),
    method=T(READ + "none minus batch norm with statistics of each step apart, at what is read and at what recurs."),
    kind="superiority",
    cases=by_cell(against("none − batch", "none", "batch")),
    moderators=MODERATORS,
)

RNN_BN_HELPS = Claim(
    id="rnn-bn-helps",
    sources=("B uses 4",),
    statement=T("Batch norm helps recurrent nets."),
    method=T(
        READ
        + "batch norm minus none, with statistics of each step apart at what is read and at what recurs, and with statistics "
        "shared by all steps at what is read alone; it is enough if one of them does."
    ),
    kind="superiority",
    quantifier="some",
    cases=(
        Case(
            T("statistics of each step"),
            (against("batch − none", "batch", "none"),),
            by=("setting", "cell"),
            at={"statistics": "of each step"},
        ),
        Case(
            T("statistics shared by all steps"),
            (against("batch − none", "shared", "none"),),
            by=("setting", "cell"),
            at={"statistics": "shared"},
        ),
    ),
    moderators=(Moderator(T("statistics"), "statistics"), *MODERATORS),
)

RNN_LN_HELPS = Claim(
    id="rnn-ln-helps",
    sources=("A §5.2", "B table"),
    statement=T("Layer norm is the norm for recurrent nets."),
    method=T(READ + "layer norm minus none, and minus batch norm with statistics of each step apart; both must hold."),
    kind="superiority",
    cases=by_cell(against("layer − none", "layer", "none"), against("layer − batch", "layer", "batch")),
    moderators=MODERATORS,
)

RNN_WEIGHT_NORM = Claim(
    id="rnn-weight-norm",
    sources=("B table",),
    statement=T("Weight norm suits recurrent nets."),
    method=T(READ + "weight norm of both matrices minus none."),
    kind="superiority",
    cases=by_cell(against("weight − none", "weight", "none")),
    moderators=MODERATORS,
)

CLAIMS = (RNN_BN_HARD, RNN_BN_HELPS, RNN_LN_HELPS, RNN_WEIGHT_NORM)
