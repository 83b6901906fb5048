"""Which modules of a net keep running statistics, and of what: by what their METHOD declares, never by their class's ancestry.

Whoever manages running statistics (averages of other decays, recalibration, adaptation, evaluation on batch statistics) asks here.
A norm that declares ``running`` promises, in the words of PyTorch's batch norm:

- in evaluation its ``running`` buffers stand for statistics of the batch;
- in training they move by ``momentum`` m: buffer ← (1 − m)·buffer + m·(the batch's value), so that m = 1 leaves the batch's value;
- in training with ``track_running_stats=False`` it normalizes by the batch that it sees and changes no state.
"""

from collections.abc import Mapping
from dataclasses import fields, replace

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from normlab.errors import NormlabError
from normlab.norms import custom
from normlab.norms.batch import METHOD as BATCH
from normlab.norms.channelwise import all_but_channels
from normlab.norms.method import Method

MOMENTS = ("running_mean", "running_var")
MAY_DECLARE = {field.name for field in fields(Method)} - {
    "name",
    "title",
    "title_ja",
    "does",
    "does_ja",
    "also",
    "build",
    "version",
    "identity",
    "wrap",
    "ghosts",
}


def declaration(kind: type[nn.Module]) -> Method | None:
    """What is declared of a class: its ``METHOD``, a :class:`Method` or in a class of one's own a mapping such as
    ``METHOD = {"running": ("running_mean", "running_var"), "feeds_training": True}``; PyTorch's batch norms and subclasses that
    leave their arithmetic alone are batch norms. None where nothing is known.

    Raises:
        NormlabError: for a METHOD that is neither, or declares what a method has not.
    """
    declared = _said_by(kind)
    if isinstance(declared, Method):
        return declared
    if declared is None:
        return BATCH if issubclass(kind, _BatchNorm) and kind.forward is _BatchNorm.forward else None
    if not isinstance(declared, Mapping):
        raise NormlabError(
            f"{kind.__name__}.METHOD is a {type(declared).__name__}, where a mapping is wanted, such as {{'running': ()}}"
        )
    unknown = sorted(set(map(str, declared)) - MAY_DECLARE)
    if unknown:
        raise NormlabError(
            f"{kind.__name__}.METHOD declares {unknown[0]!r}; there are {', '.join(sorted(MAY_DECLARE))}"
        )
    found = replace(custom.METHOD, **{str(name): value for name, value in declared.items()})
    names = found.running
    if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
        raise NormlabError(
            f"{kind.__name__}.METHOD: running names buffers, as in ('running_mean', 'running_var'), got {names!r}"
        )
    if set(names) - set(MOMENTS) and not hasattr(kind, "statistics"):
        raise NormlabError(
            f"{kind.__name__}.METHOD: of buffers besides {' and '.join(MOMENTS)} the class says by statistics(x) what a batch x gives them"
        )
    return found


def _said_by(kind: type[nn.Module]) -> object:
    """The METHOD nearest to a class among its ancestors, unless arithmetic of another one stands before it."""
    for base in kind.__mro__:
        if "METHOD" in vars(base):
            return vars(base)["METHOD"]
        if {"forward", "normalize"} & set(vars(base)):
            return None
    return None


def survey(net: nn.Module) -> tuple[list[nn.Module], list[nn.Module]]:
    """The norms of a net that keep running statistics, and norms of the user's own that keep buffers and declare nothing. What stands
    inside one of the latter is left to it.
    """
    running: list[nn.Module] = []
    undeclared: list[nn.Module] = []
    seen: set[nn.Module] = set()

    def visit(module: nn.Module) -> None:
        if module in seen:
            return
        seen.add(module)
        method = declaration(type(module))
        if method is None and getattr(module, "users_own", False):
            if any(True for _ in module.buffers()):
                undeclared.append(module)
            return
        if (
            method is not None
            and method.running
            and any(getattr(module, name, None) is not None for name in method.running)
        ):
            _check(module, method)
            running.append(module)
        for child in module.children():
            visit(child)

    visit(net)
    return running, undeclared


def _check(norm: nn.Module, method: Method) -> None:
    """Refuse a norm that has not what it declares.

    Raises:
        NormlabError: for it.
    """
    wanted = ["track_running_stats", *method.running, *([] if method.feeds_training else ["momentum"])]
    lacking = [name for name in wanted if not hasattr(norm, name)]
    if lacking:
        raise NormlabError(
            f"{type(norm).__name__}.METHOD declares running buffers, but the norm has no {lacking[0]}; "
            "normlab.norms.running says what it is for"
        )


def running_norms(net: nn.Module) -> list[nn.Module]:
    """The norms of a net that keep running statistics.

    Raises:
        NormlabError: for a norm of the user's own that keeps buffers and declares nothing of them: what is asked for cannot be
            known to be right.
    """
    running, undeclared = survey(net)
    if undeclared:
        kind, names = type(undeclared[0]), ", ".join(name for name, _ in undeclared[0].named_buffers())
        raise NormlabError(
            f"{kind.__module__}.{kind.__qualname__} keeps buffers ({names}) and declares nothing of them; say in the class "
            "METHOD = {'running': ('running_mean', 'running_var')}, or METHOD = {} if none of them is an average over batches"
        )
    return running


def method_of(norm: nn.Module) -> Method:
    """The declaration of a norm that has one."""
    found = declaration(type(norm))
    assert found is not None
    return found


def feeds_training(norm: nn.Module) -> bool:
    """Whether the norm's training reads its running statistics, so that they must move as the norm itself moves them."""
    return method_of(norm).feeds_training


def buffers_of(norm: nn.Module) -> dict[str, Tensor]:
    """The norm's running buffers by name."""
    return {name: norm.get_buffer(name) for name in method_of(norm).running}


@torch.no_grad()
def batch_values(norm: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """What a batch x (N, C, *) gives to each running buffer: mean and unbiased variance a channel in float32 or float64, and what
    the norm's own ``statistics`` says of others.
    """
    values = x if x.dtype == torch.float64 else x.float()
    statistics = getattr(norm, "statistics", None)
    found: dict[str, Tensor] = dict(statistics(values)) if statistics else {}
    if not set(MOMENTS) <= set(found):
        variance, mean = torch.var_mean(values, all_but_channels(values), correction=1)
        found = {"running_mean": mean, "running_var": variance} | found
    return {name: found[name] for name in method_of(norm).running}
