"""The linear model: what any net should beat."""

from torch import nn

from normlab.errors import MisfitError
from normlab.nets.block import Parts


def build(parts: Parts, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """One linear layer on the flattened image: with cross-entropy, multinomial logistic regression.

    Raises:
        MisfitError: for a norm, for which it has no site.
    """
    if parts.norm_config.name != "none":
        raise MisfitError(f"norm={parts.norm_config.name}: net=linear has no layer that a norm could stand behind")
    return nn.Sequential(nn.Flatten(), *parts.head(shape[0] * shape[1] * shape[2], classes))
