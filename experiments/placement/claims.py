"""Where should the norm stand? Five claims on placement, layers and the learnable scale and shift."""

from experiments.wording import ON_EACH_DATA_SET, translated
from normlab.core.claim import Arm, Case, Claim, Contrast

T = translated(__file__)

NETS = ("setting", "net", "activation")
EACH_NET = T("each net and activation")


def layers(arm: str) -> Arm:
    return Arm("layers", {"arm": arm, "level": "best"})


CLAIMS = (
    Claim(
        id="placement-matters",
        sources=("B challenges 8",),
        statement=T("Where batch norm stands relative to the activation changes performance much."),
        method=T(
            "Test accuracy of the best minus the worst of three placements (layer → norm → activation, layer → activation → norm, "
            "norm → activation → layer), each at its best rate, both named on tuning seeds."
        ),
        kind="superiority",
        cases=(
            Case(
                EACH_NET,
                (
                    Contrast(
                        T("best − worst placement"),
                        "test_accuracy",
                        Arm("extremes", {"level": "best"}),
                        Arm("extremes", {"level": "worst"}),
                    ),
                ),
                by=NETS,
            ),
        ),
    ),
    Claim(
        id="before-is-better",
        sources=("B practice 1",),
        statement=T("Batch norm belongs between the linear layer and the activation."),
        method=T(
            "Test accuracy with the norm before the activation minus with the norm after it, each at its best rate."
        ),
        kind="superiority",
        cases=(
            Case(
                EACH_NET,
                (
                    Contrast(
                        T("before − after"),
                        "test_accuracy",
                        Arm("placements", {"net.placement": "before", "level": "best"}),
                        Arm("placements", {"net.placement": "after", "level": "best"}),
                    ),
                ),
                by=NETS,
            ),
        ),
    ),
    Claim(
        id="conv-and-fc",
        sources=("A §1",),
        statement=T("Batch norm helps after convolutions as well as after fully connected layers."),
        method=T(
            "Test accuracy with norms after convolutions only, after the hidden fully connected layer only, and after both, each "
            "minus no norm, each at its best rate; all three differences must hold."
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                tuple(
                    Contrast(name, "test_accuracy", layers(arm), layers("none"))
                    for arm, name in (
                        ("conv", T("convolutions only − none")),
                        ("fc", T("fully connected only − none")),
                        ("both", T("both − none")),
                    )
                ),
            ),
        ),
    ),
    Claim(
        id="conv-fc-differ",
        sources=("B practice 10",),
        statement=T("Convolutional and fully connected layers want different treatment."),
        method=T(
            "The gain over no norm by norms in one kind of layer only: the kind that gains more on tuning seeds minus the other, "
            "in test accuracy, each at its best rate."
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        T("better − other kind of layer"),
                        "test_accuracy",
                        Arm("either", {"level": "best"}),
                        Arm("either", {"level": "worst"}),
                    ),
                ),
            ),
        ),
    ),
    Claim(
        id="affine-helps",
        sources=("A §2", "B intro", "B components 2", "B components 6"),
        statement=T("The learnable scale and shift restore expressive power that normalization takes."),
        method=T("Test accuracy with γ and β minus without them, each at its best rate."),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        T("with − without γ, β"),
                        "test_accuracy",
                        Arm("affine", {"norm.affine": True, "level": "best"}),
                        Arm("affine", {"norm.affine": False, "level": "best"}),
                    ),
                ),
            ),
        ),
    ),
)
