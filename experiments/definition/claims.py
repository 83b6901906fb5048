"""What does batch norm compute? Fourteen exact statements, each computed and shown."""

from collections.abc import Callable

from experiments.wording import translated
from normlab.core.claim import Claim, Finding, Text
from normlab.norms import exact
from normlab.norms.shards import shards_against_whole

T = translated(__file__)

EXACT = 1e-9  # of float64 arithmetic on numbers of order one


def computed(
    id: str,
    sources: tuple[str, ...],
    statement: Text,
    method: Text,
    compute: Callable[[], dict[str, float]],
    holds: Callable[[dict[str, float]], bool],
) -> Claim:
    """A claim that one computation decides."""

    def check() -> Finding:
        numbers = compute()
        return Finding(holds(numbers), numbers)

    return Claim(id=id, sources=sources, statement=statement, method=method, kind="exact", check=check)


def all_small(numbers: dict[str, float]) -> bool:
    return max(numbers.values()) < EXACT


CLAIMS = (
    computed(
        "normalized-moments",
        ("A §1", "A §2", "B how 3"),
        T("Normalized features have mean 0 and, as ε → 0, variance 1 in each channel."),
        T(
            "Batch norm of two channels in float64, one with a variance of a tenth of ε: mean 0, variance σ²/(σ² + ε), which "
            "reaches 1 only as ε → 0."
        ),
        exact.normalized_moments,
        lambda n: n["largest |mean|"] < EXACT and n["distance of variance from σ²/(σ²+ε)"] < EXACT,
    ),
    computed(
        "any-distribution",
        ("A §1", "A §2"),
        T("Normalization turns any distribution into the standard one."),
        T(
            "Skewness and kurtosis of skewed and two-humped features before and after: had the result a standard normal "
            "distribution, both would be zero."
        ),
        exact.shape_of_distribution,
        lambda n: abs(n["skewness after"]) < 0.1 and abs(n["excess kurtosis after"]) < 0.1,
    ),
    computed(
        "epsilon-inside-root",
        ("A §1", "A §2", "B components 4", "B how 3"),
        T("ε is added to the variance, inside the root."),
        T("Outputs against both formulas where ε matters (σ = 0.01, ε = 1e-3), and how far apart the two are."),
        exact.epsilon_in_the_root,
        lambda n: n["distance from (x − μ)/√(σ² + ε)"] < EXACT < n["distance from (x − μ)/(√σ² + ε)"],
    ),
    computed(
        "scale-and-shift",
        ("A §1", "A §2", "B components 2"),
        T("γ sets the standard deviation of the output, β its mean."),
        T("Deviation and mean of the output against γ and β, for variances far above ε."),
        exact.scale_and_shift,
        lambda n: n["distance of the deviation from γ"] < 1e-6 and n["distance of the mean from β"] < EXACT,
    ),
    computed(
        "affine-restores-identity",
        ("B intro", "B components 2", "B components 6"),
        T("With γ = σ and β = μ batch norm undoes itself."),
        T("Output against input for γ = √(σ² + ε), which is exact, and for γ = σ, which is as near as ε is small."),
        exact.identity_by_affine,
        lambda n: n["largest |y − x|, γ = √(σ² + ε)"] < EXACT and n["largest |y − x|, γ = σ"] < 1e-4,
    ),
    computed(
        "starts-as-identity",
        ("B practice 5",),
        T("Started at γ = 1, β = 0, batch norm begins as the identity."),
        T("Output at γ = 1, β = 0 against the input, and against the standardized input."),
        exact.start_of_affine,
        lambda n: n["largest |y − x|"] < EXACT,
    ),
    computed(
        "worked-example",
        ("B how",),
        T("For 32 images with 64 maps of 28×28 there are 64 means and variances, over all images and positions."),
        T(
            "Counts of statistics, of values behind each (25,088), of parameters (128), and the output against the formula."
        ),
        exact.worked_example,
        lambda n: (
            (n["means"], n["variances"], n["values behind each"], n["learnable parameters"]) == (64, 64, 25_088, 128)
            and n["distance from the formula"] < 1e-4
        ),
    ),
    computed(
        "running-average",
        ("B components 3",),
        T("Running averages follow running ← decay·running + (1 − decay)·batch."),
        T("Three batches at decay 0.9, from zero."),
        exact.running_average,
        all_small,
    ),
    computed(
        "single-sample",
        ("B how 5",),
        T("In evaluation one sample alone gets what it would get in a batch."),
        T("The same sample in evaluation, alone and among others."),
        exact.single_sample,
        all_small,
    ),
    computed(
        "gradient-formula",
        ("B how 7",),
        T("Gradients flow through the normalization, to x, γ and β."),
        T("The three gradients by the formula against automatic differentiation."),
        exact.gradient_formula,
        all_small,
    ),
    computed(
        "differentiable-twice",
        ("B advanced 2",),
        T("Normalization can be differentiated twice, as meta-learning needs."),
        T(
            "Second derivatives of batch, layer and group norm along a random direction, and the gradient of a loss after one step of "
            "gradient descent, by automatic differentiation against central differences, in float64: equal to a millionth. No net is "
            "meta-learned here."
        ),
        exact.second_derivatives,
        lambda n: max(n.values()) < 1e-6,
    ),
    computed(
        "identities",
        ("–",),
        T("Methods that must coincide in a special case do."),
        T("Largest difference of the outputs on the same features, in float64 (synchronized BN has a row of its own)."),
        exact.identities,
        all_small,
    ),
    computed(
        "sync-exactness",
        ("B advanced 1",),
        T("Synchronized batch norm over several workers is batch norm of the whole batch."),
        T(
            "Three real processes with 3, 1 and 4 samples against one with all 8: outputs, first and second derivatives, "
            "evaluation, running statistics."
        ),
        shards_against_whole,
        all_small,
    ),
    computed(
        "spectral-bound",
        ("B table",),
        T("Spectral norm bounds the largest singular value of a weight (the table says spectral radius)."),
        T("Largest singular value and spectral radius of a random 32×32 weight after spectral norm."),
        exact.spectral_bound,
        lambda n: abs(n["largest singular value"] - 1) < 1e-3 and n["spectral radius"] < 1 - 1e-3,
    ),
)
