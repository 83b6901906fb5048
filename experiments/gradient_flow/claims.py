"""How do gradients flow through deep nets? Five claims, and the theory of gradients at initialization beside them."""

import math

from experiments.wording import RATIO_10_PERCENT, translated
from normlab.core.claim import Arm, Case, Claim, Contrast, Moderator
from normlab.nets.mean_field import CRITICAL, gradient_growth

T = translated(__file__)

ACTIVATIONS = ("relu", "tanh", "sigmoid")
SCALES = {
    "critical": 1.0,
    "half": 0.5,
    "twice": 2.0,
}  # of the weights at initialization; a moderator holds the first against the others
TEN_IN_64_LAYERS = math.log(10) / 64  # a growth per layer by which gradients grow tenfold over 64 layers
STEEPNESS = 1 / 64  # the same in decades a layer
ONE_STEP = math.log(1.5)  # of a grid of depths
SLOPE, GROWTH = "gradient_flow.slope", "gradient_flow.growth"
AT_THE_START, AT_THE_END = {"stage": "at initialization"}, {"stage": "trained", "scale": "critical"}
DEPTH = "largest_depth_above@{linear}"
LINEAR = {"deep": 0.91, "plain": 0.373, "clipped": 0.91}  # what a linear model has on a grid's data (gates.csv)


def steeper(grid: str, none: dict[str, str], batch: dict[str, str]) -> tuple[Contrast, ...]:
    return (
        Contrast(T("steepness of none − of batch norm, decades a layer"), SLOPE, Arm(grid, none), Arm(grid, batch)),
    )


def learns(name: str, arm: Arm) -> Contrast:
    """A net that has learned nothing has the gradients of its initialization."""
    return Contrast(T(name), "test_accuracy", arm, reference=LINEAR[arm.grid], unit="points", delta=0.0)


def trained(name: str, grid: str, by: tuple[str, ...], more: dict[str, str], scales: tuple[str, ...] | None) -> Case:
    """Gradients at the end of training, of nets that both learned more than a linear model."""
    none, batch = ({"norm": norm, "level": "best"} for norm in ("none", "batch"))
    return Case(
        T(name),
        steeper(grid, none, batch),
        by=by,
        at={**more, **AT_THE_END},
        scales=scales,
        given=(
            learns("without norm − a linear model", Arm(grid, none)),
            learns("with batch norm − a linear model", Arm(grid, batch)),
        ),
    )


def at_the_start(activation: str, scale: str) -> Case:
    return Case(
        T("at initialization"),
        steeper(f"at_init_{activation}", {"start": f"none, {scale}"}, {"start": "batch"}),
        by=("setting", "net", "net.depth"),
        at={"activation": activation, "scale": scale, **AT_THE_START},
    )


def growth_over_theory(activation: str, start: str) -> Contrast:
    """Of MLPs of 64 layers, whose features are few beside the theory's infinitely many."""
    norm, _, scale = start.partition(", ")
    theory = gradient_growth(norm, activation, CRITICAL[activation] * SCALES.get(scale, 1.0) ** 2)
    return Contrast(
        T(f"{activation}, {start}: measured over theory's ×{theory:.3f}"),
        GROWTH,
        Arm(f"at_init_{activation}", {"start": start, "net": "mlp", "net.depth": 64}),
        reference=theory,
        log=True,
        unit="ratio",
    )


def still_grows(activation: str) -> Case:
    return Case(
        T("64 layers"),
        (
            Contrast(
                T("growth per layer"),
                GROWTH,
                Arm(f"at_init_{activation}", {"start": "batch", "net": "mlp", "net.depth": 64}),
                reference=1.0,
                log=True,
            ),
        ),
        at={"activation": activation},
    )


def deeper(grid: str, over: str) -> tuple[Contrast, ...]:
    arms = (Arm(grid, {"norm": norm, "level": "best"}) for norm in ("batch", "none"))
    return (Contrast(T("largest depth, batch norm over none"), DEPTH, *arms, over=over),)


def matched(norm: str) -> Arm:
    return Arm("matched", {"norm": norm})


NO_VANISH_EXPLODE = Claim(
    id="no-vanish-explode",
    sources=("B components 7", "B benefits 3", "B benefits 7"),
    statement=T(
        "Batch norm keeps gradients from vanishing and exploding: their norm changes less from layer to layer."
    ),
    method=T(
        "The logarithm of the gradient's norm at each layer's activations, as a line over the layers: its absolute slope without norm "
        "minus with batch norm. At 50 initializations of MLPs and convolutions of 8 and 64 layers, with weights at the critical scale of "
        "the activation, where theory has nothing to mend, and at half and twice that; and at the end of training, where both nets learned "
        "more than a linear model."
    ),
    kind="superiority",
    unit="number",
    delta=STEEPNESS,
    cases=(
        *(at_the_start(activation, scale) for activation in ACTIVATIONS for scale in SCALES),
        trained("trained MLP", "deep", ("setting", "activation", "net.depth"), {"net": "mlp"}, None),
        trained("trained convolutions", "plain", ("setting", "depth"), {"net": "conv", "activation": "relu"}, ("cpu",)),
    ),
    moderators=(
        Moderator(T("scale of the weights"), "scale"),
        Moderator(T("activation"), "activation"),
        Moderator(T("at initialization or trained"), "stage"),
    ),
)

STEADIER_GRADIENTS = Claim(
    id="steadier-gradients",
    sources=("A §1", "A §3.1", "A §4.1", "A §5.4"),
    statement=T("With batch norm gradients fluctuate less. (B challenges 7 says the opposite: gradient-noise.)"),
    method=T(
        "Nets stopped at the same training loss, early and late, at two rates: the variance of the gradient over batches, over the "
        "square of its mean, of the net without norm over that with batch norm. Condition: the losses where they stopped are equal "
        "within a tenth."
    ),
    kind="superiority",
    unit="ratio",
    delta=RATIO_10_PERCENT,
    cases=(
        Case(
            T("training"),
            (
                Contrast(
                    T("relative variance, none over batch norm"),
                    "gradient_variance.log_relative_variance",
                    matched("none"),
                    matched("batch"),
                ),
            ),
            by=("setting", "loss", "rate"),
            given=(
                Contrast(
                    T("loss of none over that of batch norm"),
                    "landscape.loss",
                    matched("none"),
                    matched("batch"),
                    unit="ratio",
                    delta=RATIO_10_PERCENT,
                    kind="equivalence",
                    log=True,
                    offset=0.01,
                ),
            ),
        ),
    ),
    moderators=(
        Moderator(T("early or late in training"), "loss"),
        Moderator(T("high or low rate"), "rate"),
        Moderator(T("data and net"), "setting"),
    ),
)

DEEPER_TRAINS = Claim(
    id="deeper-trains",
    sources=("B benefits 3", "B benefits 10"),
    statement=T("Depths at which training fails without batch norm train with it."),
    method=T(
        "The largest depth up to which nets learn more than a linear model, each depth at its best rate and from weights at the critical "
        "scale: batch norm over none. MLPs of 8 to 64 layers, convolutions of 6 to 34 without skips, residual nets of 8 to 56, without "
        "norm from the weights of Fixup. Where nets learn less at the least depth, one step below it counts."
    ),
    kind="superiority",
    unit="ratio",
    delta=ONE_STEP,
    cases=(
        Case(
            T("MLP"),
            deeper("deep", "net.depth"),
            by=("setting", "activation"),
            at={"net": "MLP", "skips": "without"},
        ),
        Case(
            T("convolutions"),
            deeper("plain", "depth"),
            at={"net": "convolutions", "skips": "without", "activation": "relu"},
            scales=("cpu",),
        ),
        Case(
            T("residual net"),
            deeper("skips", "net.depth"),
            at={"net": "convolutions", "skips": "with", "activation": "relu"},
            scales=("cpu",),
        ),
    ),
    moderators=(Moderator(T("with or without skips"), "skips"), Moderator(T("activation"), "activation")),
)

NOT_A_CURE_ALL = Claim(
    id="not-a-cure-all",
    sources=("B practice 7",),
    statement=T("In very deep nets gradients remain a trouble in spite of batch norm."),
    method=T(
        "The factor by which the gradient's norm grows from a layer to the one below, in MLPs of 64 layers with batch norm at 50 "
        "initializations: above 1 by so much that gradients grow at least tenfold over the net."
    ),
    kind="superiority",
    unit="ratio",
    delta=TEN_IN_64_LAYERS,
    quantifier="some",
    cases=tuple(still_grows(activation) for activation in ACTIVATIONS),
    moderators=(Moderator(T("activation"), "activation"),),
    shown_besides=tuple(
        Case(
            T("MLP, growth per layer over mean-field theory"),
            tuple(growth_over_theory(a, start) for start in (*(f"none, {scale}" for scale in SCALES), "batch")),
        )
        for a in ACTIVATIONS
    ),
)

CLIPPING_HELPS = Claim(
    id="clipping-helps",
    sources=("B practice 7",),
    statement=T("Clipping gradients helps very deep nets with batch norm."),
    method=T(
        "Test accuracy of MLPs of 64 layers with batch norm, gradients clipped (to a norm of 0.1 or of 1, whichever is better on tuning "
        "seeds) minus not clipped, each at its best rate, where the clipped ones learn more than a linear model."
    ),
    kind="superiority",
    cases=(
        Case(
            T("64 layers"),
            (
                Contrast(
                    T("clipped − not clipped"),
                    "test_accuracy",
                    Arm("clipped", {"level": "best"}),
                    Arm("not_clipped", {"level": "best"}),
                ),
            ),
            by=("setting", "activation"),
            scales=("cpu",),
            given=(learns("clipped − a linear model", Arm("clipped", {"level": "best"})),),
        ),
    ),
    moderators=(Moderator(T("activation"), "activation"),),
)

CLAIMS = (NO_VANISH_EXPLODE, STEADIER_GRADIENTS, DEEPER_TRAINS, NOT_A_CURE_ALL, CLIPPING_HELPS)
