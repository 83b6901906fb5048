"""Nets: one file each, and one line in the registry below. Where the norm stands is decided in block.py."""

from collections.abc import Callable, Mapping

from torch import nn

from normlab.config import NetConfig, NormConfig
from normlab.errors import NormlabError
from normlab.nets import cnn, custom, fcn, linear, mlp, normfree, recurrent, resnet, transformer
from normlab.nets.block import Parts
from normlab.nets.disturbance import Disturbance
from normlab.nets.dropout import SeededDropout
from normlab.nets.init import initialize
from normlab.nets.recurrent import FirstState
from normlab.norms import wrap_layer
from normlab.seeds import generator
from normlab.targets import source_digest

# name: (builder, version). The version is bumped when a net's results change.
Nets = Mapping[str, tuple[Callable[[Parts, tuple[int, int, int], int], nn.Module], int]]
NETS: Nets = {
    "cnn": (cnn.build, 1),
    "custom": (custom.build, 1),
    "fcn": (fcn.build, 1),
    "gru": (recurrent.build_gru, 2),
    "linear": (linear.build, 1),
    "lstm": (recurrent.build_lstm, 2),
    "mlp": (mlp.build, 1),
    "resnet": (resnet.build, 1),
    "resnet_fixup": (normfree.build_fixup, 1),
    "resnet_scaled_ws": (normfree.build_scaled, 1),
    "vit": (transformer.build_vit, 1),
}


def make_net(
    net: NetConfig, norm: NormConfig, shape: tuple[int, int, int], classes: int, seed: int, nets: Nets = NETS
) -> nn.Module:
    """The net of a configuration with its initial weights: (N, ``shape``) → (N, ``classes``). A task may have ``nets`` of its own.

    Raises:
        NormlabError: for an unknown net, or a norm that does not fit it.
    """
    net_version(net, nets)
    parts = Parts(net, norm, seed)
    built = nets[net.name][0](parts, shape, classes)
    if net.zero_init_residual and not parts.branches_closed:
        raise NormlabError(
            f"net.zero_init_residual: no residual branch of net={net.name} ends in a norm with a learnable γ here"
        )
    if net.disturbance and parts.disturbed < parts.norms:
        raise NormlabError(f"net.disturbance stands behind the norms of plain chains; net={net.name} is none")
    if net.state_noise and not any(isinstance(module, FirstState) for module in built.modules()):
        raise NormlabError(f"net.state_noise: net={net.name} has no first state")
    if not parts.keeps_weights:
        initialize(built, net.init, seed)
    _seed_noise(built, seed)
    for index, layer in enumerate(parts.normed):
        wrap_layer(norm, layer, generator(seed, f"wrap/{index}"))
    return built


def _seed_noise(net: nn.Module, seed: int) -> None:
    """Give every source of noise in a net the generator of (seed, its kind and place)."""
    for kind, name in ((SeededDropout, "dropout"), (Disturbance, "disturbance"), (FirstState, "first_state")):
        for index, layer in enumerate(module for module in net.modules() if isinstance(module, kind)):
            layer.source = generator(seed, f"{name}/{index}")


def net_version(net: NetConfig, nets: Nets = NETS) -> str:
    """What a run's key holds of the net's code.

    Raises:
        NormlabError: for a net that the task has not.
    """
    if net.name not in nets:
        raise NormlabError(f"unknown net {net.name!r} for this task; there are {', '.join(nets)}")
    return source_digest(net.target, custom.KEY) if net.target else str(nets[net.name][1])
