"""Normalization methods: one file each, and one line in the registry below."""

from dataclasses import replace

import torch
from torch import nn

from normlab.config import NormConfig
from normlab.errors import NormlabError
from normlab.norms import (
    batch,
    cross_iteration,
    custom,
    decorrelated,
    dynamic_tanh,
    evonorm,
    frn,
    group,
    instance,
    iternorm,
    layer,
    learned_momentum,
    none,
    renorm,
    rms,
    spectral,
    switchable,
    sync,
    weight,
    weight_standardization,
)
from normlab.norms.ghost import InGhostBatches
from normlab.norms.method import Method
from normlab.norms.running import declaration
from normlab.targets import source_digest

METHODS: dict[str, Method] = {
    module.METHOD.name: module.METHOD
    for module in (
        none, batch, layer, group, instance,
        renorm, cross_iteration, sync, learned_momentum, switchable, decorrelated, iternorm,
        rms, frn, evonorm, dynamic_tanh,
        weight, spectral, weight_standardization,
        custom,
    )
}  # fmt: skip


def find_method(name: str) -> Method:
    """The registered method called ``name``.

    Raises:
        NormlabError: if there is none.
    """
    if name not in METHODS:
        raise NormlabError(f"unknown norm {name!r}; there are {', '.join(METHODS)}")
    return METHODS[name]


def method_of(config: NormConfig) -> Method:
    """The method of a configuration; of a class of one's own, what that declares.

    Raises:
        NormlabError: for an unknown method, or a class that is not there or declares what a method has not.
    """
    if config.target is None:
        return find_method(config.name)
    found = declaration(custom.kind_of(config))
    if found is None or found.build is custom.build:
        return found or custom.METHOD
    # One of ours or PyTorch's, or a descendant: built as the user's, with all that it does.
    kept = ("mixes", "needs_positions", "owns_activation", "remembers", "running", "feeds_training")
    return replace(custom.METHOD, **{name: getattr(found, name) for name in kept})


def make_norm(config: NormConfig, num_features: int, positions: bool) -> nn.Module:
    """A norm for ``num_features`` channels; ``positions`` says whether inputs have axes after the channels.

    Where the method says nothing about a layer (instance norm on a fully connected one), the identity.
    """
    method = method_of(config)
    if method.needs_positions and not positions:
        return nn.Identity()
    options = config.options()
    ghosts = None if method.ghosts else options.pop("statistics_batch", None)
    if ghosts and "samples" not in method.mixes:
        raise NormlabError(f"norm.statistics_batch: norm={config.name} takes no statistics of the batch")
    try:
        norm = method.build(num_features, **options)
    except NormlabError:
        raise
    except Exception as error:  # whatever an option out of its range leads to
        raise NormlabError(f"norm={config.name} cannot be built with {options}: {error}") from error
    _start_affine(norm, config)
    return InGhostBatches(norm, ghosts) if ghosts else norm


def _start_affine(norm: nn.Module, config: NormConfig) -> None:
    """Set γ and β to where the configuration lets them start."""
    for name, start in (("weight", config.weight_init), ("bias", config.bias_init)):
        if start is None or isinstance(norm, nn.Identity):
            continue
        parameter = getattr(norm, name, None)
        if not isinstance(parameter, nn.Parameter):
            raise NormlabError(f"norm.{name}_init: norm={config.name} as configured has no {name}")
        nn.init.constant_(parameter, start)


def wrap_layer(config: NormConfig, layer: nn.Module, source: torch.Generator) -> None:
    """Wrap a conv or linear layer if the method acts on weights; ``source`` seeds what it draws."""
    method = find_method(config.name)
    if method.wrap is None:
        return
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**62, (), generator=source)))
        try:
            method.wrap(layer, **config.options())
        except (TypeError, ValueError) as error:
            raise NormlabError(f"norm={config.name} cannot wrap a layer with {config.options()}: {error}") from error


def norm_version(config: NormConfig) -> str:
    """What a run's key holds of the method's code: its version, or the digest of a user's own class."""
    method = find_method(config.name)
    return source_digest(config.target, custom.KEY) if config.target else str(method.version)
