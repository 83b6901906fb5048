"""Initial weights. A layer's draw depends on the seed, its name and its shape alone: arms share what they share."""

from torch import Tensor, nn

from normlab.config import InitConfig
from normlab.seeds import generator


def initialize(net: nn.Module, config: InitConfig, seed: int) -> None:
    """Draw every conv and linear weight by ``config``; biases start at zero.

    - ``kaiming``: N(0, 2 / fan_in) (He et al. 2015); ``xavier``: N(0, 2 / (fan_in + fan_out)) (Glorot & Bengio 2010)
    - ``orthogonal``: (semi-)orthogonal rows (Saxe et al. 2014)
    - ``normal``: N(0, 0.01²); ``uniform``: U(−0.1, 0.1)

    each multiplied by ``config.gain``, and by the layer's own ``init_gain`` where a net sets one. With ``config.layers="conv"`` linear
    layers start by ``kaiming`` whatever the rest says.
    """
    layers = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    for index, layer in enumerate(layers):
        own = InitConfig() if config.layers == "conv" and isinstance(layer, nn.Linear) else config
        draw(layer.weight, own, seed, index)
        layer.weight.data.mul_(getattr(layer, "init_gain", 1.0))
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def draw(weight: Tensor, config: InitConfig, seed: int, index: int) -> None:
    """Fill ``weight`` in place, as the ``index``-th layer from the input."""
    source = generator(seed, f"init/{index}")
    match config.scheme:
        case "kaiming":
            nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=source)
        case "xavier":
            nn.init.xavier_normal_(weight, generator=source)
        case "orthogonal":
            nn.init.orthogonal_(weight, generator=source)
        case "normal":
            nn.init.normal_(weight, std=0.01, generator=source)
        case "uniform":
            nn.init.uniform_(weight, -0.1, 0.1, generator=source)
    weight.data.mul_(config.gain)
