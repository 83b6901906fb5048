"""Which method for what? Nine claims on the methods that the articles name, and the table of what each does.

``whole``: the recipe's own batch. On Fashion-MNIST batches themselves are small, on CIFAR-10 the batches that share statistics.
"""

from collections.abc import Callable, Iterator

from experiments.wording import ON_EACH_DATA_SET, RATIO_10_PERCENT, same, translated
from normlab.config import NormConfig
from normlab.core.claim import Arm, Case, Claim, Contrast, Finding, Moderator
from normlab.norms.properties import properties
from normlab.report.style import method_title

T = translated(__file__)

SMALL = (2, 8)
WHOLE = 128
# The articles' table: what a method normalizes over. Weight and spectral norm act on weights and mix no features.
SCOPES = {
    "batch": {"samples", "positions"},
    "layer": {"channels", "positions"},
    "instance": {"positions"},
    "group": {"channels", "positions"},
    "weight": set(),
    "spectral": set(),
}
MIXED = ("batch", "layer", "instance")  # what switchable norm chooses from
BATCH_SIZE = Moderator(T("batch size"), "batch")
STATISTICS = Moderator(T("the statistics that it is read with"), "statistics")
DATA = Moderator(T("data and net"), "setting")
READ_WITH = {"running": "test_accuracy", "recalibrated": "test_accuracy_recalibrated"}
UNBOUND = Arm("constrained", {"arm": "none", "level": "best"})
BOUND = Arm("constrained", {"arm": "spectral", "level": "best"})


def whole(norm: str) -> Arm:
    return Arm("whole", {"norm": norm, "level": "best"})


def true(norm: str, size: int) -> Arm:
    """In batches of so many images."""
    return Arm(f"small_{size}", {"norm": norm, "level": "best"})


def true_of(size: int) -> Callable[[str], Arm]:
    """The arm of a method in batches of so many images."""
    return lambda norm: true(norm, size)


def shared(size: int) -> Arm:
    """Batch norm with statistics over so many of a batch's images."""
    return Arm("shared", {"shared": str(size), "level": "best"})


def at_sizes(contrasts: Callable[[Callable[[str], Arm], Arm], tuple[Contrast, ...]]) -> tuple[Case, ...]:
    """What ``contrasts`` makes of the arms of a size: one for a method by name, and batch norm's.

    A method of one sample is the same run on CIFAR-10 whatever images share statistics.
    """

    return (
        *(
            Case(T("true batches"), contrasts(true_of(size), true("batch", size)), at={"batch": size}, scales=("cpu",))
            for size in SMALL
        ),
        *(
            Case(T("shared statistics"), contrasts(whole, shared(size)), at={"batch": size}, scales=("cpu",))
            for size in SMALL
        ),
        Case(T("true batches"), contrasts(true_of(2), true("batch", 2)), at={"batch": 2}, scales=("quick",)),
    )


def minus(plus: Arm, norm: str, other: Arm, against: str) -> Contrast:
    return Contrast(same(f"{method_title(norm)} − {method_title(against)}"), "test_accuracy", plus, other)


def against(*norms: str) -> Iterator[Contrast]:
    """Batch norm minus each of these in the recipe's own batches."""
    for norm in norms:
        yield Contrast(T(f"batch norm − {method_title(norm)}"), "test_accuracy", whole("batch"), whole(norm))


def residual(arm: str) -> Arm:
    return Arm("residual", {"arm": arm, "level": "best"})


def online(arm: str) -> Arm:
    return Arm("online", {"arm": arm, "level": "best"})


def scopes() -> Finding:
    """Which other values each method of the table depends on, found by its gradients."""
    found = {name: set(properties(NormConfig(name=name)).mixes) for name in SCOPES}
    kinds = ("samples", "channels", "positions")
    numbers = {
        f"{method_title(name)}: other {kind}": float(kind in mixes) for name, mixes in found.items() for kind in kinds
    }
    return Finding(found == SCOPES, numbers)


def inference() -> Finding:
    """Whether each method of the table gives in evaluation what it gives in training."""
    differs = {name: properties(NormConfig(name=name)).evaluation_differs for name in SCOPES}
    numbers = {f"{method_title(name)}: evaluation differs": float(value) for name, value in differs.items()}
    return Finding({name for name, value in differs.items() if value} == {"batch"}, numbers)


CLAIMS = (
    Claim(
        id="scope-table",
        sources=("B table",),
        statement=T(
            "Batch norm normalizes over the batch, layer norm over a sample's features, instance norm over one channel of a "
            "sample, group norm over a group of them; weight and spectral norm act on weights."
        ),
        method=T(
            "On a convolution's output: whether the gradient of one output value with respect to other samples, other channels and "
            "other positions is zero (0) or not (1)."
        ),
        kind="exact",
        check=scopes,
    ),
    Claim(
        id="inference-table",
        sources=("B table",),
        statement=T("Of the table's methods only batch norm does something else in inference than in training."),
        method=T("Outputs for one input in training and in evaluation mode: equal (0) or not (1)."),
        kind="exact",
        check=inference,
    ),
    Claim(
        id="best-use-cnn",
        sources=("B table",),
        statement=T("In convolutional nets at large batches, batch norm is the method of the table to use."),
        method=T(
            "Test accuracy at batches of 128 on CIFAR-10: batch norm minus layer, minus group and minus instance norm, each at its best rate; "
            "all three differences must hold. In residual nets: minus group norm."
        ),
        kind="superiority",
        cases=(
            Case(
                T("plain nets"),
                tuple(against("layer", "group", "instance")),
                among={"setting": ("cifar10",)},
                scales=("cpu",),
            ),
            Case(T("residual nets"), tuple(against("group")), at={"net": "residual"}, scales=("gpu",)),
        ),
    ),
    Claim(
        id="best-use-small-batch",
        sources=("B table",),
        statement=T("At small batches layer and group norm are the ones to use."),
        method=T(
            "Test accuracy of layer norm and of group norm, each minus batch norm's, each at its best rate: on Fashion-MNIST in batches of 2 and "
            "of 8, on CIFAR-10 against statistics over 2 and over 8 of a batch's 128 images (runs that were known before). Both must be "
            "better. Beside it: against instance norm and none, which do not depend on the batch either."
        ),
        kind="superiority",
        cases=at_sizes(lambda on, batch: tuple(minus(on(norm), norm, batch, "batch") for norm in ("layer", "group"))),
        moderators=(BATCH_SIZE, DATA),
        shown_besides=at_sizes(
            lambda on, batch: tuple(
                minus(on(norm), norm, on(other), other) for other in ("instance", "none") for norm in ("layer", "group")
            )
        )[:3],
    ),
    Claim(
        id="weight-norm-online",
        sources=("B table",),
        statement=T("Weight norm suits online learning."),
        method=T(
            "Test accuracy after one pass over the images, one at a time at a rate that is held: weight norm around all layers but the head "
            "(its scales and biases set by the first image, as in its paper) minus no norm, layer norm and batch norm on running averages, "
            "each at its best rate; it must be better than all. Beside it: weight norm from the usual start."
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(T("weight norm − no norm"), "test_accuracy", online("weight"), online("none")),
                    Contrast(T("weight norm − layer norm"), "test_accuracy", online("weight"), online("layer")),
                    Contrast(
                        T("weight norm − batch norm on running averages"),
                        "test_accuracy",
                        online("weight"),
                        Arm("online_running", {"level": "best"}),
                    ),
                ),
                scales=("cpu",),
            ),
            Case(
                ON_EACH_DATA_SET,
                (Contrast(T("weight norm − no norm"), "test_accuracy", online("weight"), online("none")),),
                scales=("quick",),
            ),
        ),
        moderators=(DATA,),
        shown_besides=(
            Case(
                T("from the usual start"),
                (Contrast(T("weight norm − no norm"), "test_accuracy", online("weight, usual start"), online("none")),),
            ),
        ),
    ),
    Claim(
        id="norm-free",
        sources=("B future 2",),
        statement=T("Nets without normalization can match those with batch norm."),
        method=T(
            "Test accuracy of residual nets of the same size on CIFAR-10, at batches of 128, each at its best rate, not inferior: Fixup minus "
            "batch norm; scaled weight standardization minus batch norm with its activation in front of convolutions as well. One of them is "
            "enough. (No arm has the augmentation by mixed images that Fixup's paper adds.)"
        ),
        kind="noninferiority",
        quantifier="some",
        cases=(
            Case(
                same("Fixup"),
                (Contrast(T("Fixup − batch norm"), "test_accuracy", residual("fixup"), residual("batch")),),
                at={"way": "Fixup"},
            ),
            Case(
                T("scaled WS"),
                (Contrast(T("scaled WS − batch norm"), "test_accuracy", residual("scaled"), residual("batch, pre")),),
                at={"way": "scaled WS"},
                scales=("cpu",),
            ),
        ),
    ),
    Claim(
        id="self-choosing",
        sources=("B future 3",),
        statement=T("Normalization that chooses its own scheme works."),
        method=T(
            "Test accuracy of switchable norm minus that of batch, of layer and of instance norm, which it mixes, each at its best rate and "
            "read with running and with recalibrated statistics: inferior to none; in batches of 2, 8 and 128 on Fashion-MNIST, of 128 on "
            "CIFAR-10."
        ),
        kind="noninferiority",
        cases=tuple(
            Case(
                T(f"{reading} statistics"),
                tuple(
                    Contrast(
                        same(f"{method_title('switchable')} − {method_title(norm)}"),
                        measure,
                        on("switchable"),
                        on(norm),
                    )
                    for norm in MIXED
                ),
                at={"batch": size, "statistics": reading},
                scales=("quick", "cpu") if size != 8 else ("cpu",),
            )
            for size, on in ((2, true_of(2)), (8, true_of(8)), (WHOLE, whole))
            for reading, measure in READ_WITH.items()
        ),
        moderators=(BATCH_SIZE, STATISTICS, DATA),
    ),
    Claim(
        id="whitening",
        sources=("B reference 7",),
        statement=T("Decorrelating channels helps beyond scaling them."),
        method=T(
            "Test accuracy of decorrelated batch norm (groups of 8 channels) minus batch norm's, each at its best rate and read with running "
            "and with recalibrated statistics; and on CIFAR-10 also the epochs until 94 % of batch norm's accuracy after 8 epochs (of tuning "
            "seeds, on validation images), over trainings of 4, 5.6 and 8 epochs, each annealed: batch norm over decorrelated. All must be "
            "better."
        ),
        kind="superiority",
        cases=(
            *(
                Case(
                    T(f"{reading} statistics"),
                    (
                        Contrast(
                            same(f"{method_title('decorrelated')} − {method_title('batch')}"),
                            measure,
                            whole("decorrelated"),
                            whole("batch"),
                        ),
                    ),
                    at={"statistics": reading},
                )
                for reading, measure in READ_WITH.items()
            ),
            Case(
                T("epochs"),
                (
                    Contrast(
                        T("epochs of batch norm over decorrelated"),
                        "length_to@{soon}",
                        Arm("lengths", {"norm": "batch", "level": "best"}),
                        Arm("lengths", {"norm": "decorrelated", "level": "best"}),
                        over="training.epochs",
                        unit="ratio",
                        delta=RATIO_10_PERCENT,
                    ),
                ),
                scales=("cpu",),
            ),
        ),
        moderators=(STATISTICS, DATA),
    ),
    Claim(
        id="sn-lipschitz",
        sources=("B table",),
        statement=T("Spectral norm constrains the Lipschitz constant of a net."),
        method=T(
            "The largest stretch of trained nets: over 500 test images, the largest singular value of the derivative of the logits with "
            "respect to the image. No norm over spectral norm of all layers but the head (which bounds a layer's matrix by 1, and so a 3×3 "
            "convolution by 3), each at its best rate. Beside it: the same of what the head reads, how far images may move before they are "
            "told wrong by this measure, which no scale of the logits changes, and what it costs in accuracy."
        ),
        kind="superiority",
        unit="ratio",
        delta=RATIO_10_PERCENT,
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (Contrast(T("stretch, no norm over spectral norm"), "lipschitz.log_largest", UNBOUND, BOUND),),
            ),
        ),
        moderators=(DATA,),
        shown_besides=(
            Case(
                T("up to the head"),
                (Contrast(T("stretch, no norm over spectral norm"), "lipschitz.log_largest_features", UNBOUND, BOUND),),
            ),
            Case(
                T("radius"),
                (Contrast(T("radius, spectral norm over no norm"), "lipschitz.log_radius", BOUND, UNBOUND),),
            ),
            Case(
                T("its accuracy"),
                (
                    Contrast(
                        T("spectral norm − no norm"), "test_accuracy", BOUND, UNBOUND, unit="points", delta="delta"
                    ),
                ),
            ),
        ),
    ),
    Claim(
        id="frn",
        sources=("B reference 8",),
        statement=T("Filter response norm removes the dependence on the batch and beats batch norm."),
        method=T(
            "Test accuracy of FRN with its activation minus batch norm's, each at its best rate: on Fashion-MNIST in batches of 2, 8 and 128, on "
            "CIFAR-10 against statistics over 2, 8 and all of a batch's 128 images. (That a sample's output does not depend on the others "
            "is exact: the table of methods.)"
        ),
        kind="superiority",
        cases=(
            *at_sizes(lambda on, batch: (minus(on("frn"), "frn", batch, "batch"),)),
            Case(
                ON_EACH_DATA_SET,
                (minus(whole("frn"), "frn", whole("batch"), "batch"),),
                at={"batch": WHOLE},
            ),
        ),
        moderators=(BATCH_SIZE, DATA),
    ),
)
