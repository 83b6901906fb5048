"""A user's own norm: ``norm=custom norm.target=my_pkg.MyNorm``; what targets there are is said in :mod:`normlab.targets`."""

import inspect

import torch
from torch import Tensor, nn

from normlab.config import NormConfig
from normlab.errors import NormlabError
from normlab.norms.method import Method
from normlab.targets import blamed, find, unwrapped

KEY = "norm.target"
WIDTHS = (
    "num_features",
    "num_channels",
    "normalized_shape",
    "features",
    "channels",
    "dim",
    "C",
)  # names of the first axis's size


def kind_of(config: NormConfig) -> type[nn.Module]:
    """The class of the norms that a target makes: of a factory, that of one it makes for 16 features.

    Raises:
        NormlabError: as :func:`build` does.
    """
    assert config.target is not None
    found = unwrapped(find(config.target, KEY))
    if inspect.isclass(found) and issubclass(found, nn.Module):
        return found
    return type(build(16, **config.options()))


def build(num_features: int, target: str, **options: object) -> nn.Module:
    """``target`` with its options, and ``num_features`` under the name that its constructor has for it, or else as its first argument.

    Raises:
        NormlabError: for whatever the constructor raises, and a factory that gives no module.
    """
    found = find(target, KEY)
    try:
        parameters = inspect.signature(found).parameters
    except ValueError:
        parameters = {}  # type: ignore[assignment]
    name = next((width for width in WIDTHS if width in parameters), None)
    lacking = [
        p.name
        for p in parameters.values()
        if p.default is p.empty
        and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        and p.name not in {name, *options}
    ]
    if lacking if name else len(lacking) > 1:
        raise NormlabError(f"norm.target={target} also needs {lacking[-1]}; give it as +norm.{lacking[-1]}=…")
    try:
        norm = found(**{name: num_features}, **options) if name else found(num_features, **options)
    except Exception as error:
        raise blamed(KEY, target, error, f" built with num_features={num_features} and {options}") from error
    if not isinstance(norm, nn.Module):
        raise NormlabError(f"norm.target={target} gives a {type(norm).__name__}, where a torch.nn.Module is wanted")
    norm.users_own = True  # type: ignore[assignment]
    norm.register_forward_hook(_check_output)
    return norm


def _check_output(norm: nn.Module, inputs: tuple[Tensor, ...], output: object) -> None:
    """Refuse a norm that changes shape or dtype: broadcasting would hide it, and what follows would train on something else."""
    kind, x = type(norm), inputs[0]
    name = f"norm.target={kind.__module__}.{kind.__qualname__}"
    if not isinstance(output, Tensor):
        raise NormlabError(
            f"{name}: forward gives a {type(output).__name__}, where a tensor of its input's shape is wanted"
        )
    if output.shape != x.shape:
        raise NormlabError(
            f"{name}: forward makes {tuple(output.shape)} of an input of shape {tuple(x.shape)}; a norm keeps the shape"
        )
    if output.dtype != x.dtype and not torch.is_autocast_enabled(x.device.type):
        raise NormlabError(f"{name}: forward makes {output.dtype} of {x.dtype}; a norm keeps the dtype")


METHOD = Method(
    "custom",
    "your norm",
    build,
    version=1,
    shifts=False,
    ghosts=True,
    colour="#D55E00",
    title_ja="自作の正規化",
    does="A norm of your own.",
    does_ja="自作の正規化。",
    also=(),
)
