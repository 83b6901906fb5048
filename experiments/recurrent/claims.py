"""Which norms do recurrent nets want? Four claims."""

from experiments.wording import translated
from normlab.core.claim import Arm, Case, Claim, Contrast, Moderator

T = translated(__file__)

CELL, ORDER = Moderator(T("cell"), "memory"), Moderator(T("order of pixels"), "setting")
READ = (
    "Recurrent nets (LSTM, GRU) read MNIST row by row, its pixels in order or shuffled. The first state has noise in training, and a "
    "norm's γ starts at 0.1 or at 1, whichever is better on tuning seeds. Test accuracy, each arm at its best rate: "
)
NONE, WEIGHT, BATCH, LAYER, BEST_BATCH, AS_IT_IS = (
    Arm("without", {"arm": "none", "level": "best"}),
    Arm("without", {"arm": "weight", "level": "best"}),
    Arm("normed", {"arm": "batch", "level": "best"}),
    Arm("normed", {"arm": "layer", "level": "best"}),
    Arm("batch_norm", {"level": "best"}),
    Arm("as_it_is", {"level": "best"}),
)


def against(name: str, plus: Arm, minus: Arm, measure: str = "test_accuracy") -> Contrast:
    return Contrast(T(name), measure, plus, minus)


def by_cell(*parts: Contrast) -> tuple[Case, ...]:
    return (Case(T("each cell and order of pixels"), parts, by=("setting", "memory")),)


RNN_BN_HARD = Claim(
    id="rnn-bn-hard",
    sources=("A §5.2",),
    statement=T("Batch norm is hard to put to use in recurrent nets."),
    method=T(
        READ
        + "none minus batch norm at what is read (statistics shared by all steps) and at what recurs (of each step apart). Once so, as "
        "its paper has it, and once as it is: γ from 1, and no noise."
    ),
    kind="superiority",
    cases=(
        Case(
            T("as it is"), (against("none − batch", NONE, AS_IT_IS),), by=("setting", "memory"), at={"care": "as it is"}
        ),
        Case(
            T("with its paper's care"),
            (against("none − batch", NONE, BATCH),),
            by=("setting", "memory"),
            at={"care": "with care"},
        ),
    ),
    moderators=(Moderator(T("whether it is used as it is or with care"), "care"), CELL, ORDER),
    shown_besides=(
        Case(
            T("as it is, with the statistics of each batch"),
            (
                Contrast(
                    T("none − batch"),
                    "test_accuracy",
                    NONE,
                    Arm("as_it_is", {"level": "best"}, measure="test_accuracy_batch"),
                ),
            ),
            by=("setting", "memory"),
        ),
    ),
)

RNN_BN_HELPS = Claim(
    id="rnn-bn-helps",
    sources=("B uses 4",),
    statement=T("Batch norm helps recurrent nets."),
    method=T(
        READ
        + "batch norm minus none; at what is read alone or at what recurs, too, whichever is better on tuning seeds."
    ),
    kind="superiority",
    cases=by_cell(against("batch − none", BEST_BATCH, NONE)),
    moderators=(CELL, ORDER),
)

RNN_LN_HELPS = Claim(
    id="rnn-ln-helps",
    sources=("A §5.2", "B table"),
    statement=T("Layer norm is the norm for recurrent nets."),
    method=T(
        READ
        + "layer norm minus none, and minus batch norm (at what is read alone or at what recurs, too); both must hold."
    ),
    kind="superiority",
    cases=by_cell(against("layer − none", LAYER, NONE), against("layer − batch", LAYER, BEST_BATCH)),
    moderators=(CELL, ORDER),
)

RNN_WEIGHT_NORM = Claim(
    id="rnn-weight-norm",
    sources=("B table",),
    statement=T("Weight norm suits recurrent nets."),
    method=T(READ + "weight norm of both matrices minus none."),
    kind="superiority",
    cases=by_cell(against("weight − none", WEIGHT, NONE)),
    moderators=(CELL, ORDER),
)

CLAIMS = (RNN_BN_HARD, RNN_BN_HELPS, RNN_LN_HELPS, RNN_WEIGHT_NORM)
