"""A weight layer, its norm and its activation, in the order that the placement says. Written once, used by every net."""

import torch
from torch import nn

from normlab.config import NetConfig, NormConfig
from normlab.errors import MisfitError, NormlabError
from normlab.nets.disturbance import Disturbance
from normlab.nets.dropout import SeededDropout
from normlab.norms import make_norm, method_of

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "gelu": nn.GELU}


class Parts:
    """Makes the layers, norms and activations of one net from its configuration.

    A norm stands in conv layers, fully connected layers or all, recurrent ones included (``net.norm_in``). A layer has a bias unless a norm
    with a learnable shift β follows it directly. ``normed`` are the layers that a method acting on weights wraps. A net that
    ``keeps_weights`` has drawn its initial ones by ``seed`` itself.
    """

    def __init__(self, net: NetConfig, norm: NormConfig, seed: int = 0) -> None:
        self.net, self.seed, self.keeps_weights = net, seed, False
        self.norm_config = norm
        self.normed: list[nn.Module] = []
        self.branches_closed = self.norms = self.disturbed = 0

    def activation(self, norm: nn.Module) -> nn.Module:
        """The activation beside ``norm``: none where the norm brings its own."""
        if method_of(self.norm_config).owns_activation and not isinstance(norm, nn.Identity):
            return nn.Identity()
        return ACTIVATIONS[self.net.activation]()

    def norm(self, num_features: int, kind: str) -> nn.Module:
        """The norm of a layer of a ``kind``, conv, fc or recurrent; the identity in layers without one.

        Raises:
            MisfitError: for a method that cannot stand there, unless ``net.norm_in=both`` lets it be left out.
        """
        self.norms += 1
        if not self._has_norm(kind):
            return nn.Identity()
        if kind != "conv" and self.net.norm_in != "both" and method_of(self.norm_config).needs_positions:
            raise MisfitError(
                f"norm={self.norm_config.name} has one value a channel in a fully connected layer; use net.norm_in=conv"
            )
        return make_norm(self.norm_config, num_features, positions=kind == "conv")

    def conv(
        self,
        channels_in: int,
        channels_out: int,
        norm: nn.Module,
        kernel: int | tuple[int, int] = 3,
        stride: int = 1,
    ) -> nn.Module:
        """A convolution whose output ``norm`` is the first norm to see; it keeps the size of maps."""
        rows, columns = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        layer = nn.Conv2d(
            channels_in,
            channels_out,
            (rows, columns),
            stride=stride,
            padding=(rows // 2, columns // 2),
            bias=self._needs_bias(norm),
        )
        return self._joined(layer, norm, "conv")

    def plain_conv(self, channels_in: int, channels_out: int, kernel: int = 3, stride: int = 1) -> nn.Module:
        """A convolution that no norm follows."""
        return nn.Conv2d(channels_in, channels_out, kernel, stride=stride, padding=kernel // 2)

    def linear(self, features_in: int, features_out: int, norm: nn.Module) -> nn.Module:
        """A fully connected layer whose output ``norm`` is the first norm to see."""
        return self._joined(nn.Linear(features_in, features_out, bias=self._needs_bias(norm)), norm, "fc")

    def recurrent(self, features_in: int, features_out: int, norm: nn.Module) -> nn.Module:
        """A fully connected layer from one step's state to the next step's gates, whose output ``norm`` is the first norm to see."""
        return self._joined(nn.Linear(features_in, features_out, bias=self._needs_bias(norm)), norm, "recurrent")

    def head(self, features: int, classes: int) -> list[nn.Module]:
        """The linear layer to the classes, behind dropout where the net has it."""
        return [*self.dropout(), nn.Linear(features, classes)]

    def dropout(self) -> list[nn.Module]:
        """What stands before the head."""
        return [SeededDropout(self.net.dropout)] if self.net.dropout else []

    def refuse_dropout(self) -> None:
        """Raises:
        NormlabError: if the net is to have dropout: this one has no place for it.
        """
        if self.net.dropout:
            raise NormlabError(f"net.dropout: net={self.net.name} has no dropout")

    def close_branch(self, norm: nn.Module) -> None:
        """Let the norm that closes a residual branch start at γ = 0 where ``net.zero_init_residual`` (Goyal et al. 2017)."""
        weight = getattr(norm, "weight", None)
        if self.net.zero_init_residual and isinstance(weight, nn.Parameter):
            nn.init.zeros_(weight)
            self.branches_closed += 1

    def _joined(self, layer: nn.Module, norm: nn.Module, kind: str) -> nn.Module:
        if self._has_norm(kind):
            self.normed.append(layer)
        attach = getattr(norm, "attach", None)
        if attach:
            attach(layer)
        return layer

    def _has_norm(self, kind: str) -> bool:
        return self.net.norm_in in ("both", "all", kind)

    def _needs_bias(self, norm: nn.Module) -> bool:
        shifted = (
            method_of(self.norm_config).shifts
            and not isinstance(norm, nn.Identity)
            and self.norm_config.affine is not False
        )
        return not shifted or self.net.placement == "after"

    def stage(self, layer: nn.Module, norm: nn.Module, pool: nn.Module | None = None) -> nn.Sequential:
        """One step of a plain chain of layers, pooled at its end.

        - ``before``: layer → norm → activation → pool
        - ``after``: layer → activation → norm → pool
        - ``pre``: layer → pool → norm → activation. In a chain the norm and the activation that stand before a layer are
          those that stand after the one below it, so this is norm → activation → layer all along, with the first layer
          reading the raw image and a closing norm → activation: only the pooling changes sides.

        In ``before`` a ReLU stands after its pool, on a quarter of the values: max and ReLU commute, bit for bit, in the
        output and in the gradient. ``net.disturbance`` stands directly behind the norm.
        """
        activation = self.activation(norm)
        noise = Disturbance(self.net.disturbance, self.net.disturbance_moves) if self.net.disturbance else None
        self.disturbed += noise is not None
        before = [layer, norm, noise, activation, pool]
        if isinstance(activation, nn.ReLU):
            before = [layer, norm, noise, pool, activation]
        orders = {
            "before": before,
            "after": [layer, activation, norm, noise, pool],
            "pre": [layer, pool, norm, noise, activation],
        }
        return nn.Sequential(*(module for module in orders[self.net.placement] if module is not None))


def memory_format(layout: str) -> torch.memory_format:
    """PyTorch's memory format for a ``numerics.layout``."""
    return torch.channels_last if layout == "channels_last" else torch.contiguous_format
