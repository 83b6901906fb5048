"""How do gradients flow through deep nets? Five claims, and the theory of gradients at initialization beside them."""

import math

from experiments.wording import RATIO_10_PERCENT, same, translated
from normlab.core.claim import Arm, Case, Claim, Contrast
from normlab.nets.mean_field import gradient_growth
from normlab.report.style import method_title

T = translated(__file__)

ACTIVATIONS = ("sigmoid", "tanh", "relu")
TEN_IN_64_LAYERS = math.log(10) / 64  # a growth per layer by which gradients grow tenfold over 64 layers
STEEPNESS = 1 / 64  # the same in decades a layer
ONE_STEP = math.log(1.7)  # of the grid of depths
NETS_OF_THEORY = (("none", "kaiming"), ("none", "xavier"), ("batch", "kaiming"))
EACH_NET = T("at initialization")
TRAINED = T("trained MLP")
TRAINED_CONV = T("trained convolutions")


def flatter(arm: str, axes: dict[str, str] | None = None) -> tuple[Contrast, ...]:
    more = axes or {}
    return (
        Contrast(
            T("steepness of none − of batch norm, decades a layer"),
            "gradient_flow.slope",
            Arm(arm, {"norm": "none", **more}),
            Arm(arm, {"norm": "batch", **more}),
        ),
    )


def growth_over_theory(norm: str, activation: str, scheme: str) -> Contrast:
    theory = gradient_growth(norm, activation, scheme)
    grid = "at_init" if scheme == "kaiming" else "at_init_xavier"
    return Contrast(
        T(f"{method_title(norm)}, {scheme}, {activation}: measured over theory's ×{theory:.3f}"),
        "gradient_flow.growth",
        Arm(grid, {"norm": norm, "net": "mlp", "net.activation": activation}),
        reference=theory,
        log=True,
        unit="ratio",
    )


CLAIMS = (
    Claim(
        id="no-vanish-explode",
        sources=("B components 7", "B benefits 3", "B benefits 7"),
        statement=T(
            "Batch norm keeps gradients from vanishing and exploding: their norm changes less from layer to layer."
        ),
        method=T(
            "The logarithm of the gradient's norm at each layer's activations, as a line over the layers: its absolute slope without "
            "norm minus with batch norm, at 50 initializations and at the end of training, for three activations and depths up to 64."
        ),
        checked=T(
            "See deeper-trains: with He et al.'s weights tanh and ReLU nets have little to be kept from; sigmoid nets have. The gradient "
            "is that of the activations, which the scale of the weights before a batch norm does not change (tested)."
        ),
        kind="superiority",
        unit="number",
        delta=STEEPNESS,
        cases=(
            Case(EACH_NET, flatter("at_init"), by=("setting", "net", "net.activation", "net.depth")),
            Case(TRAINED, flatter("deep", {"level": "best"}), by=("setting", "net.activation", "net.depth")),
            Case(TRAINED_CONV, flatter("deep_conv", {"level": "best"}), by=("setting", "net.depth"), scales=("cpu",)),
        ),
    ),
    Claim(
        id="steadier-gradients",
        sources=("A §1", "A §3.1", "A §4.1", "A §5.4"),
        statement=T("With batch norm gradients fluctuate less. (B challenges 7 says the opposite: gradient-noise.)"),
        method=T(
            "Nets stopped at the same training loss, early and late: the variance of the gradient over batches, over the square of its "
            "mean, of the net without norm over that with batch norm."
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
                        Arm("matched", {"norm": "none", "level": "soonest"}),
                        Arm("matched", {"norm": "batch", "level": "soonest"}),
                    ),
                ),
                by=("setting", "loss"),
            ),
        ),
        shown_besides=(
            Case(
                T("whether the losses are matched"),
                (
                    Contrast(
                        T("training loss, none − batch norm (recalibrated)"),
                        "train_loss_recalibrated",
                        Arm("matched", {"norm": "none", "level": "soonest"}),
                        Arm("matched", {"norm": "batch", "level": "soonest"}),
                        unit="number",
                    ),
                ),
                by=("setting", "loss"),
            ),
        ),
    ),
    Claim(
        id="deeper-trains",
        sources=("B benefits 3", "B benefits 10"),
        statement=T("Depths at which training fails without batch norm train with it."),
        method=T(
            "The largest depth up to which an MLP stays within 5 points of its validation accuracy at depth 8, each depth at its best "
            "rate: batch norm over none. A net that does not learn at depth 8 counts one step below it."
        ),
        kind="superiority",
        unit="ratio",
        delta=ONE_STEP,
        cases=(
            Case(
                same("MLP"),
                (
                    Contrast(
                        T("largest depth, batch norm over none"),
                        "largest_depth@0.05,0.1",
                        Arm("deep", {"norm": "batch", "level": "best"}),
                        Arm("deep", {"norm": "none", "level": "best"}),
                        over="net.depth",
                    ),
                ),
                by=("setting", "net.activation"),
            ),
        ),
        checked=T(
            "It depends on the activation, as theory says it should: without norm the gradients of sigmoid nets shrink to a third a "
            "layer and no depth trains; He et al.'s weights keep those of tanh and ReLU nets as they are, and there batch norm makes "
            "them grow by a tenth and a fifth a layer (Yang et al. 2019). What is measured at initialization agrees with the theory within "
            "a few per cent. All arms have the same grid of rates, extended where the best lay at its end, and the same six or eight "
            "epochs; batch norm in front of the activation is the usual place."
        ),
    ),
    Claim(
        id="not-a-cure-all",
        sources=("B practice 7",),
        statement=T("In very deep nets gradients remain a trouble in spite of batch norm."),
        method=T(
            "The factor by which the gradient's norm grows from a layer to the one below, in MLPs of 64 layers with batch norm at "
            "50 initializations: above 1 by so much that gradients grow at least tenfold over the net."
        ),
        kind="superiority",
        unit="ratio",
        delta=TEN_IN_64_LAYERS,
        cases=(
            Case(
                T("64 layers"),
                (
                    Contrast(
                        T("growth per layer"),
                        "gradient_flow.growth",
                        Arm("at_init", {"norm": "batch", "net": "mlp", "net.depth": 64}),
                        reference=1.0,
                        log=True,
                    ),
                ),
                by=("setting", "net.activation"),
                scales=("cpu",),
            ),
            Case(
                T("32 layers"),
                (
                    Contrast(
                        T("growth per layer"),
                        "gradient_flow.growth",
                        Arm("at_init", {"norm": "batch", "net": "mlp", "net.depth": 32}),
                        reference=1.0,
                        log=True,
                    ),
                ),
                by=("setting", "net.activation"),
                scales=("quick",),
            ),
        ),
        shown_besides=tuple(
            Case(
                T("MLP, growth per layer over mean-field theory"),
                tuple(growth_over_theory(norm, activation, scheme) for norm, scheme in NETS_OF_THEORY),
                by=("setting", "net.depth"),
            )
            for activation in ACTIVATIONS
        ),
    ),
    Claim(
        id="clipping-helps",
        sources=("B practice 7",),
        statement=T("Clipping gradients helps very deep nets with batch norm."),
        method=T(
            "Test accuracy of MLPs of 64 layers with batch norm, gradients clipped to norm 1 minus not clipped, each at its best rate."
        ),
        kind="superiority",
        cases=(
            Case(
                T("64 layers"),
                (
                    Contrast(
                        T("clipped − not clipped"),
                        "test_accuracy",
                        Arm("clipped", {"clipping": "on", "level": "best"}),
                        Arm("clipped", {"clipping": "off", "level": "best"}),
                    ),
                ),
                by=("setting", "net.activation"),
            ),
        ),
    ),
)
