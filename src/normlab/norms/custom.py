"""A user's own norm: ``norm=custom norm.target=my_pkg.MyNorm``.

Whatever goes wrong in it is told as the user's, with their line and their message.
"""

import ast
import hashlib
import importlib
import importlib.util
import inspect
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn

from normlab.config import NormConfig
from normlab.errors import NormlabError, first_line
from normlab.norms.method import Method
from normlab.norms.target import Maker, bound_to, digest_of, load, split, unwrapped

WIDTHS = (
    "num_features",
    "num_channels",
    "normalized_shape",
    "features",
    "channels",
    "dim",
    "C",
)  # names of the first axis's size


def find(target: str) -> Maker:
    """The class or factory that a target names (:mod:`normlab.norms.target`).

    Raises:
        NormlabError: if it is not there, cannot be imported, or makes no ``torch.nn.Module``.
    """
    where, name = split(target)
    try:
        found = load(target)
    except (ModuleNotFoundError, ValueError, AttributeError) as error:
        if not _is_about(error, where, name):
            raise _blamed(target, error) from error
        raise NormlabError(
            f"norm.target={target}: {first_line(error)}; give a dotted path such as my_pkg.MyNorm, with its folder on PYTHONPATH, "
            "or a file such as ./my_norms.py:MyNorm"
        ) from error
    except Exception as error:  # whatever the user's file raises while it is read
        raise _blamed(target, error) from error
    if (
        not callable(found)
        or isinstance(found, nn.Module)
        or (inspect.isclass(found) and not issubclass(found, nn.Module))
    ):
        raise NormlabError(f"norm.target={target} is no torch.nn.Module class, nor a function that makes one")
    return found


def kind_of(config: NormConfig) -> type[nn.Module]:
    """The class of the norms that a target makes: of a factory, that of one it makes for 16 features.

    Raises:
        NormlabError: as :func:`build` does.
    """
    assert config.target is not None
    found = unwrapped(find(config.target))
    if inspect.isclass(found) and issubclass(found, nn.Module):
        return found
    return type(build(16, **config.options()))


def _is_about(error: Exception, module_name: str, class_name: str) -> bool:
    """Whether an error says that the path itself leads nowhere, and not that something fails behind it."""
    if isinstance(error, ModuleNotFoundError):
        return error.name is None or module_name == error.name or module_name.startswith(f"{error.name}.")
    return isinstance(error, ValueError) or getattr(error, "name", None) == class_name


def build(num_features: int, target: str, **options: object) -> nn.Module:
    """``target`` with its options, and ``num_features`` under the name that its constructor has for it, or else as its first argument.

    Raises:
        NormlabError: for whatever the constructor raises, and a factory that gives no module.
    """
    found = find(target)
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
        raise _blamed(target, error, f" built with num_features={num_features} and {options}") from error
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


@contextmanager
def users_errors_told(target: str | None, passing: Callable[[Exception], bool] = lambda error: False) -> Iterator[None]:
    """Within, an error that passes through the file of the user's class is told as the user's; others pass, and those that
    ``passing`` names.

    Raises:
        NormlabError: for such an error, with file, line and message.
    """
    try:
        yield
    except NormlabError:
        raise
    except Exception as error:
        if target is None or passing(error) or _own_frame(target, error) is None:
            raise
        raise _blamed(target, error) from error


def _blamed(target: str, error: Exception, what: str = "") -> NormlabError:
    frame = _own_frame(target, error)
    place = f" ({Path(frame.filename).name}, line {frame.lineno})" if frame else ""
    message = first_line(error)
    if isinstance(error, SyntaxError):
        message, place = error.msg, f" ({Path(error.filename or '?').name}, line {error.lineno})"
    return NormlabError(f"norm.target={target}{what}: {type(error).__name__}: {message}{place}")


def _own_frame(target: str, error: Exception) -> traceback.FrameSummary | None:
    """The last place in the user's own files, or in the file of the class, that an error passed through."""
    module = sys.modules.get(split(target)[0])
    files = {getattr(module, "__file__", None)}
    frames = traceback.extract_tb(error.__traceback__)
    return next((f for f in reversed(frames) if f.filename in files or _is_users(f.filename)), None)


def source_digest(target: str) -> str:
    """A digest of the file that defines the class and of the user's own files that it imports, directly or through others, so that a
    run made with an older version is not taken for this one.
    """
    found = find(target)
    kind = unwrapped(found)
    module = inspect.getmodule(kind)
    try:
        sources = [inspect.getsource(module or kind)]
    except (OSError, TypeError):  # defined in a notebook or built in
        sources = [digest_of(kind)]
    if found is not kind:
        sources.append(bound_to(found))
    if module is not None:
        sources += [Path(file).read_text(encoding="utf-8", errors="replace") for file in _imported(module)]
    return hashlib.sha256("\0".join(sources).encode()).hexdigest()[:12]


def _imported(module: ModuleType) -> list[str]:
    """The user's own files that a module imports, at whatever depth, by name; itself left out."""
    found: dict[str, ModuleType] = {}
    waiting = [module]
    while waiting:
        for name in _import_names(waiting.pop()):
            other = sys.modules.get(name)
            file = getattr(other, "__file__", None)
            if other is not None and file and _is_users(file) and file not in found and other is not module:
                found[file] = other
                waiting.append(other)
    return sorted(found)


def _import_names(module: ModuleType) -> Iterator[str]:
    """Every module that the source of ``module`` may mean by its import statements, and those its packages are."""
    file = getattr(module, "__file__", None)
    if not file or not _is_users(file):
        return
    package = module.__package__ or ""
    for node in ast.walk(ast.parse(Path(file).read_text(encoding="utf-8", errors="replace"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            whole = importlib.util.resolve_name(base, package) if node.level else base
            names = [whole, *(f"{whole}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[: end + 1]) for end in range(len(parts)))


def _is_users(file: str) -> bool:
    """Whether a file is neither Python's, nor an installed package's, nor normlab's."""
    path = Path(file)
    if path.suffix != ".py":
        return False
    paths = sysconfig.get_paths()
    theirs = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")] + [
        str(Path(__file__).resolve().parents[1])
    ]
    return not any(path.resolve().is_relative_to(Path(folder).resolve()) for folder in theirs)


METHOD = Method("custom", "your norm", build, version=1, shifts=False, ghosts=True, colour="#D55E00")
