"""What is on trial: a norm of one's own, or a method by name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import nn

from normlab.config import NormConfig
from normlab.errors import NormlabError
from normlab.norms import METHODS, make_norm, method_of, wrap_layer
from normlab.norms.method import Method
from normlab.norms.properties import properties
from normlab.sweeps.compose import Composer
from normlab.targets import Maker, blamed, label_of, offer

WIDTH = 16  # channels of the norm that is looked at
REFERENCE = "batch"


@dataclass(frozen=True)
class Subject:
    """A norm on trial: how readers call it, the overrides that put it into a net, and its part of the configuration."""

    label: str
    overrides: Mapping[str, Any]
    config: NormConfig = field(repr=False)

    @classmethod
    def of(cls, norm: str | Maker, options: Mapping[str, Any] | None = None) -> "Subject":
        """From a class or factory, its target (``my_pkg.MyNorm``, ``my_pkg:make``, ``./mine.py:MyNorm``), or a method's name.

        Raises:
            NormlabError: if there is no such norm, it cannot be built with these options, or it is batch norm as it stands.
        """
        given = {f"norm.{name}": value for name, value in (options or {}).items()}
        if norm == REFERENCE and not given:
            raise NormlabError(
                "batch norm as it stands is what all others are held against; give it an option, or try another norm"
            )
        if isinstance(norm, str) and norm in METHODS and norm != "custom":
            label, overrides = norm, {"norm": norm} | given
            if given:
                label += "".join(f" {name.removeprefix('norm.')}={value}" for name, value in given.items())
        else:
            target = norm if isinstance(norm, str) else offer(norm)
            given = {f"+{name}": value for name, value in given.items()}
            label, overrides = label_of(target), {"norm": "custom", "norm.target": target} | given
            label = f"my {label}" if label in METHODS else label
        subject = cls(label, overrides, Composer()(overrides).norm)
        subject._normalizes_maps()
        return subject

    def _normalizes_maps(self) -> None:
        """Refuse what no convolutional net could have.

        Raises:
            NormlabError: with what the norm said.
        """
        x = torch.randn(4, WIDTH, 5, 5, generator=torch.Generator().manual_seed(0))
        try:
            self.norm()(x)
        except NormlabError:
            raise
        except Exception as error:
            what = f" does not normalize maps (N, C, H, W) of shape {tuple(x.shape)}"
            raise blamed("norm.target", self.config.target or self.label, error, what) from error

    @property
    def targets(self) -> dict[str, str]:
        """What of it is the user's own, by where the configuration has it."""
        return {"norm.target": self.config.target} if self.config.target else {}

    @property
    def method(self) -> Method:
        """What is declared of it."""
        return method_of(self.config)

    @cached_property
    def mixes(self) -> tuple[str, ...]:
        """What else an output depends on, as declared, or else measured."""
        return self.method.mixes or properties(self.config).mixes

    def norm(self, dtype: torch.dtype = torch.float32, positions: bool = True, seed: int = 0) -> nn.Module:
        """A norm of :data:`WIDTH` channels whose parameters are drawn at random, in training mode.

        Raises:
            NormlabError: if it cannot be built.
        """
        norm = make_norm(self.config, WIDTH, positions=positions)
        if attach := getattr(norm, "attach", None):
            attach(nn.Conv2d(3, WIDTH, 3, padding=1))
        source = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in norm.parameters():
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=source))
        return norm.to(dtype).train()

    def layer(self) -> tuple[nn.Module, nn.Module]:
        """A convolution, wrapped if the method wraps, and the norm behind it."""
        conv = nn.Conv2d(3, WIDTH, 3, padding=1)
        norm = self.norm()
        wrap_layer(self.config, conv, torch.Generator().manual_seed(0))
        return conv, norm

    def in_ghosts(self, size: int) -> dict[str, Any]:
        """Its overrides where so many images share statistics: nothing but the norm where it reads no other samples."""
        return dict(self.overrides) | ({"norm.statistics_batch": size} if "samples" in self.mixes else {})


def method(name: str, composer: Composer | None = None) -> Subject:
    """A registered method, as it stands; a ``composer`` that has others to compose, too, does so sooner.

    Raises:
        NormlabError: if there is none.
    """
    return Subject(name, {"norm": name}, (composer or Composer())({"norm": name}).norm)
