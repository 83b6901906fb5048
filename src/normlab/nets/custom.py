"""A net of the user's own: ``net=custom net.target=my_pkg.MyNet``, a class or function that is given what makes its norms."""

import inspect
from typing import Any

import torch
from torch import nn

from normlab.errors import MisfitError, NormlabError
from normlab.nets.block import Parts
from normlab.norms import make_norm, method_of
from normlab.seeds import generator
from normlab.targets import blamed, find

KEY = "net.target"
NORMS = ("norm_layer", "make_norm", "norm")
CLASSES = ("num_classes", "classes", "n_classes", "out_features")
CHANNELS = ("in_channels", "in_chans", "channels", "num_channels", "in_features")


def build(parts: Parts, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """``net.target`` called with a factory of norms as ``norm_layer`` (or ``make_norm``, ``norm``), the number of classes as
    ``num_classes``, of input channels as ``in_channels`` where it takes that, and ``net.options``.

    The factory takes the number of channels first and ignores what else it is given, as torchvision's nets expect of a
    ``norm_layer``. Where the method acts on weights, every convolution is wrapped. The net keeps the initial weights that it draws,
    by the run's seed.

    Raises:
        MisfitError: for a method that must know what stands beside it.
        NormlabError: for whatever the net raises when it is built, one that takes no norms, or one that gives no (N, classes).
    """
    target = parts.net.target
    assert target is not None
    if method_of(parts.norm_config).owns_activation:
        raise MisfitError(f"norm={parts.norm_config.name} brings its activation, which a net of one's own has besides")
    made = 0

    def norm_layer(num_features: int, *ignored: object, **also: object) -> nn.Module:
        nonlocal made
        made += 1
        norm = make_norm(parts.norm_config, num_features, positions=True)
        if hasattr(norm, "attach"):
            name = parts.norm_config.name
            raise MisfitError(f"norm={name} must know the layer before it, which a net of one's own does not say")
        return norm

    found = find(target, KEY)
    parameters = inspect.signature(found).parameters
    anything = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    given: dict[str | None, Any] = {
        _name(NORMS, parameters, anything): norm_layer,
        _name(CLASSES, parameters, anything): classes,
    }
    given[_name(CHANNELS, parameters, False)] = shape[0]
    named = {name: value for name, value in given.items() if name is not None} | parts.net.options
    if norm_layer not in named.values():
        raise NormlabError(
            f"{KEY}={target} takes no norms; give it a parameter {NORMS[0]}, called with a number of channels"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(generator(parts.seed, "net").initial_seed())
        try:
            net = found(**named)
        except NormlabError:
            raise
        except Exception as error:
            raise blamed(KEY, target, error) from error
        _gives_classes(net, target, shape, classes)
    if not made:
        raise NormlabError(
            f"{KEY}={target} makes no norm by its {NORMS[0]}, so that every norm would give the same net"
        )
    parts.keeps_weights = True
    if method_of(parts.norm_config).wrap is not None:
        parts.normed = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    return net


def _name(names: tuple[str, ...], parameters: object, anything: bool) -> str | None:
    """What a constructor calls one of these; the usual name where it takes any."""
    found = next((name for name in names if name in parameters), None)  # type: ignore[operator]
    return found or (names[0] if anything else None)


def _gives_classes(net: object, target: str, shape: tuple[int, int, int], classes: int) -> None:
    """Refuse what is no net for these images, on two blank ones.

    Raises:
        NormlabError: with what it gave.
    """
    if not isinstance(net, nn.Module):
        raise NormlabError(f"{KEY}={target} gives a {type(net).__name__}, where a torch.nn.Module is wanted")
    state = {name: value.clone() for name, value in net.state_dict().items()}
    net.eval()
    try:
        with torch.no_grad():
            logits = net(torch.zeros(2, *shape))
    except NormlabError:
        raise
    except Exception as error:
        raise blamed(KEY, target, error, f" on images of shape {shape}") from error
    if not isinstance(logits, torch.Tensor) or logits.shape != (2, classes):
        given = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise NormlabError(f"{KEY}={target} gives {given} for two images, where (2, {classes}) is wanted")
    net.load_state_dict(state)
    net.train()
