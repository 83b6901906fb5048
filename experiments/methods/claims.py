"""Which method for what? Nine claims on the methods that the articles name, and the table of what each does."""

from experiments.wording import ON_EACH_DATA_SET, RATIO_10_PERCENT, same, translated
from normlab.config import NormConfig
from normlab.core.claim import Arm, Case, Claim, Contrast, Finding
from normlab.norms.properties import properties
from normlab.report.style import method_title

T = translated(__file__)

SIZES = (2, 8, 128)
# The articles' table: what a method normalizes over. Weight and spectral norm act on weights and mix no features.
SCOPES = {
    "batch": {"samples", "positions"},
    "layer": {"channels", "positions"},
    "instance": {"positions"},
    "group": {"channels", "positions"},
    "weight": set(),
    "spectral": set(),
}


def at(norm: str, size: int) -> Arm:
    return Arm(f"batch_{size}", {"norm": norm, "level": "best"})


def against_batch(norm: str, size: int) -> Contrast:
    name = f"{method_title(norm)} − batch norm, batch {size}"
    return Contrast(same(name), "test_accuracy", at(norm, size), at("batch", size))


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
        method=T("Test accuracy at batch 128: batch norm minus each other method of the table, each at its best rate."),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                tuple(
                    Contrast(
                        T(f"batch norm − {method_title(norm)}"),
                        "test_accuracy",
                        at("batch", 128),
                        at(norm, 128),
                    )
                    for norm in SCOPES
                    if norm != "batch"
                ),
            ),
        ),
    ),
    Claim(
        id="best-use-small-batch",
        sources=("B table",),
        statement=T("At small batches layer and group norm are the ones to use."),
        method=T(
            "Test accuracy at batches of 2 and 8: layer norm and group norm, each minus batch norm, at best rates."
        ),
        kind="superiority",
        cases=tuple(
            Case(T(f"batch {size}"), tuple(against_batch(norm, size) for norm in ("layer", "group"))) for size in (2, 8)
        ),
    ),
    Claim(
        id="weight-norm-online",
        sources=("B table",),
        statement=T("Weight norm suits online learning."),
        method=T(
            "Test accuracy after one pass over the images, one at a time: weight norm minus no norm, batch norm and layer norm (in "
            "convolutions), each at its best rate."
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                tuple(
                    Contrast(
                        T(f"weight norm − {method_title(norm)}"),
                        "test_accuracy",
                        Arm("online", {"norm": "weight", "level": "best"}),
                        Arm("online", {"norm": norm, "level": "best"}),
                    )
                    for norm in ("none", "batch", "layer")
                ),
            ),
        ),
    ),
    Claim(
        id="norm-free",
        sources=("B future 2",),
        statement=T("Nets without normalization can match those with batch norm."),
        method=T(
            "Test accuracy of the same residual net with Fixup and with scaled weight standardization, each minus batch norm: not "
            "inferior, each at its best rate."
        ),
        kind="noninferiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                tuple(
                    Contrast(
                        T(f"{title} − batch norm"),
                        "test_accuracy",
                        Arm("normfree", {"arm": arm, "level": "best"}),
                        Arm("normfree", {"arm": "batch", "level": "best"}),
                    )
                    for arm, title in (("fixup", "Fixup"), ("scaled", "scaled WS"))
                ),
            ),
        ),
        checked=T(
            "Both must match for the claim to hold; scaled weight standardization alone is left open. "
            "Their best rates lie inside the grid and no run diverged. Both nets are tested as written out: Fixup's branches start at zero "
            "and its scales follow the depth, weights are standardized to gain one. Fixup fits its training images least (see the "
            "cells' training losses): it starts slowly, and twelve epochs are few."
        ),
    ),
    Claim(
        id="self-choosing",
        sources=("B future 3",),
        statement=T("Normalization that chooses its own scheme works."),
        method=T(
            "Test accuracy of switchable norm minus the best of batch, layer and instance norm, named on tuning seeds, at each batch "
            "size: not inferior."
        ),
        kind="noninferiority",
        cases=tuple(
            Case(
                T(f"batch {size}"),
                (
                    Contrast(
                        T("switchable − best fixed"),
                        "test_accuracy",
                        at("switchable", size),
                        Arm(f"fixed_{size}", {"level": "best"}),
                    ),
                ),
            )
            for size in SIZES
        ),
        checked=T(
            "Its accuracy with running, recalibrated and batch statistics agrees, and its training loss is the higher one where it loses: "
            "what it loses on MNIST is lost in training. The weights of its mixture do learn (looked at in two seeds): in the last "
            "convolution they go to batch norm, on MNIST almost alone at batches of 128, but there the first convolution goes to layer "
            "norm, with which this plain CNN learns slowly. On CIFAR-10 the first one goes to instance norm, and it gains."
        ),
    ),
    Claim(
        id="whitening",
        sources=("B reference 7",),
        statement=T("Decorrelating channels helps beyond scaling them."),
        method=T(
            "Decorrelated batch norm against batch norm at batch 128: epochs to a validation accuracy, and test accuracy, each at its "
            "best rate. Both must be better."
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        T("epochs of batch norm over decorrelated"),
                        "epochs_to@{target}",
                        Arm("whitening", {"norm": "batch", "level": "best"}),
                        Arm("whitening", {"norm": "decorrelated", "level": "best"}),
                        log=True,
                        unit="ratio",
                        delta=RATIO_10_PERCENT,
                    ),
                    against_batch("decorrelated", 128),
                ),
            ),
        ),
        checked=T(
            "Its outputs are white and its gradient is tested against finite differences. It fits the training images better than batch "
            "norm (training losses in the table of cells), so decorrelating does help training; validation images gain nothing. At a "
            "constant rate its running averages lag behind the weights as batch norm's do; on MNIST no run of it reaches the target, "
            "while the accuracy with batch statistics is higher than with running ones. A seed in which neither arm reached it says "
            "nothing and is left out."
        ),
    ),
    Claim(
        id="frn",
        sources=("B reference 8",),
        statement=T("Filter response norm removes the dependence on the batch and beats batch norm."),
        method=T(
            "Test accuracy of FRN with its activation minus batch norm at batches of 2, 8 and 128, and how much less it changes from "
            "128 to 2. All must be positive."
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    *(against_batch("frn", size) for size in SIZES),
                    Contrast(
                        T("batch norm's loss from 128 to 2 less FRN's"),
                        "test_accuracy",
                        at("batch", 128),
                        at("batch", 2),
                        less=(at("frn", 128), at("frn", 2)),
                    ),
                ),
            ),
        ),
        checked=T(
            "The part on the dependence on the batch holds; those on accuracy do not. Norm and activation are tested as written out, its "
            "best rates lie inside their grids, and running, batch and recalibrated statistics are the same by construction. It fits "
            "the training images badly, as instance norm does in this net, which ends in a mean over positions: what a norm over the "
            "positions of one sample takes away is not there to be averaged. Its paper warms the rate up; here every arm has the same "
            "schedule without."
        ),
    ),
)
