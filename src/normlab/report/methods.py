"""The table of methods: what each does, worked out from its gradients and its modes."""

import pandas as pd

from normlab.config import NormConfig
from normlab.norms import METHODS
from normlab.norms.properties import SHAPE, properties

# What the articles' comparison table says of a method's scope and of its inference, in our words.
ARTICLES = {
    "batch": "over the batch; running statistics",
    "layer": "over the features; as in training",
    "instance": "a sample's channel; as in training",
    "group": "within groups of features; as in training",
    "weight": "parameters; as in training",
    "spectral": "limits the spectral radius; as in training",
}


def method_table() -> pd.DataFrame:
    """A row a registered method, measured on a convolution with 16 channels.

    ``statistics over``: the other values that an output depends on in training; ``evaluation``: whether it does the same
    there; ``parameters`` and ``state``: numbers learned and numbers kept, a channel. Beside it stands what the articles'
    table says.
    """
    channels = SHAPE[1]
    rows = []
    for name, method in METHODS.items():
        if name == "custom":
            continue
        found = properties(NormConfig(name=name))
        rows.append(
            {
                "method": method.title,
                "norm": name,
                "depends on other": ", ".join(found.mixes) or "nothing else",
                "in evaluation": "running statistics" if found.evaluation_differs else "the same",
                "parameters a channel": round(found.parameters / channels, 2),
                "state a channel": round(found.buffers / channels, 2),
                "brings its activation": "yes" if method.owns_activation else "",
                "acts on weights": "yes" if method.wrap else "",
                "the articles' table": ARTICLES.get(name, ""),
            }
        )
    return pd.DataFrame(rows)
