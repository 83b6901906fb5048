"""Things of a user's own, by what names them: ``my_pkg.MyNorm``, ``my_pkg:make_norm``, ``./my_norms.py:MyNorm``, or an object that a
running program offers. Each is a class, or anything that makes a module when it is called: a function, a ``functools.partial``.

Whatever goes wrong in them is told as the user's, with their line and their message.
"""

import ast
import functools
import hashlib
import importlib
import importlib.util
import inspect
import linecache
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from torch import nn

from normlab.errors import NormlabError, first_line

Maker = Callable[..., nn.Module]
OFFERED = "offered"
FILE = re.compile(r"(?P<file>.+\.py):(?P<name>[\w.]+)")
_offered: dict[str, Maker] = {}


def split(target: str) -> tuple[str, str]:
    """The module, or the file, that a target names, and what in it.

    >>> split("my_pkg.MyNorm"), split("my_pkg.norms:make.it"), split("./mine.py:MyNorm")
    (('my_pkg', 'MyNorm'), ('my_pkg.norms', 'make.it'), ('./mine.py', 'MyNorm'))
    """
    if found := FILE.fullmatch(target):
        return found["file"], found["name"]
    module, _, name = target.partition(":") if ":" in target else target.rpartition(".")
    return module, name


def load(target: str) -> Any:
    """The object that a target names; whatever its module raises while it is read is passed on.

    Raises:
        ModuleNotFoundError, AttributeError, ValueError: if there is nothing by that name.
    """
    where, name = split(target)
    if where == OFFERED:
        if name not in _offered:
            raise AttributeError(f"nothing is offered as {name!r} in this process", name=name)
        return _offered[name]
    found: Any = _from_file(where) if where.endswith(".py") else importlib.import_module(where)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def find(target: str, key: str) -> Maker:
    """The class or factory that a target names; ``key`` is where the configuration has it, such as ``norm.target``.

    Raises:
        NormlabError: if it is not there, cannot be imported, or makes no ``torch.nn.Module``.
    """
    where, name = split(target)
    try:
        found = load(target)
    except (ModuleNotFoundError, ValueError, AttributeError) as error:
        if not _is_about(error, where, name):
            raise blamed(key, target, error) from error
        raise NormlabError(
            f"{key}={target}: {first_line(error)}; give a dotted path such as my_pkg.Mine, with its folder on PYTHONPATH, or a file "
            "such as ./mine.py:Mine"
        ) from error
    except Exception as error:  # whatever the user's file raises while it is read
        raise blamed(key, target, error) from error
    if (
        not callable(found)
        or isinstance(found, nn.Module)
        or (inspect.isclass(found) and not issubclass(found, nn.Module))
    ):
        raise NormlabError(f"{key}={target} is no torch.nn.Module class, nor a function that makes one")
    return found


def _is_about(error: Exception, module_name: str, class_name: str) -> bool:
    """Whether an error says that the path itself leads nowhere, and not that something fails behind it."""
    if isinstance(error, ModuleNotFoundError):
        return error.name is None or module_name == error.name or module_name.startswith(f"{error.name}.")
    return isinstance(error, ValueError) or getattr(error, "name", None) == class_name


def offer(maker: Maker) -> str:
    """A target for an object of this process, by its import path where it has one, so that other processes find it too.

    Raises:
        NormlabError: for what cannot make a norm.
    """
    if not callable(maker) or isinstance(maker, nn.Module):
        raise NormlabError(f"a class or a function that makes norms is wanted, not a {type(maker).__name__}")
    kind = unwrapped(maker)
    module, name = getattr(maker, "__module__", None), getattr(maker, "__qualname__", None)
    if module and name and "<" not in name:
        target = f"{module}:{name}"
        try:
            if load(target) is maker:
                return target
        except (ImportError, AttributeError, ValueError):
            pass  # defined where no import leads; it is kept by name below
    label = f"{getattr(kind, '__name__', type(kind).__name__)}_{digest_of(kind)[:6]}"
    _offered[label] = maker
    return f"{OFFERED}:{label}"


def unwrapped(maker: Any) -> Any:
    """The class or function inside partials."""
    while isinstance(maker, functools.partial):
        maker = maker.func
    return maker


def digest_of(kind: Any) -> str:
    """A digest of what defines a class or function: its source, or the code of its methods where there is none to read."""
    try:
        return _digest(inspect.getsource(kind))
    except (OSError, TypeError):
        functions = vars(kind).values() if inspect.isclass(kind) else [kind]
        codes = [
            code for f in functions if (code := getattr(inspect.unwrap(f) if callable(f) else f, "__code__", None))
        ]
        said = [f"{code.co_code!r}{code.co_consts!r}{code.co_names!r}" for code in codes]
        return _digest("\0".join([f"{kind.__module__}.{kind.__qualname__}", *said]))


def bound_to(maker: Any) -> str:
    """The arguments that partials hold, as a text that says the same in every process."""

    def said(value: Any) -> str:
        return digest_of(unwrapped(value)) if callable(value) else repr(value)

    texts = []
    while isinstance(maker, functools.partial):
        texts += [said(value) for value in maker.args]
        texts += [f"{name}={said(value)}" for name, value in sorted(maker.keywords.items())]
        maker = maker.func
    return ", ".join(texts)


def label_of(target: str) -> str:
    """How readers are shown a target: the name alone."""
    return split(target)[1].rpartition("_")[0] if target.startswith(f"{OFFERED}:") else split(target)[1]


@contextmanager
def users_errors_told(
    targets: Mapping[str, str], passing: Callable[[Exception], bool] = lambda error: False
) -> Iterator[None]:
    """Within, an error that passes through the file of something of the user's is told as theirs; others pass, and those that ``passing``
    names. ``targets``: by where the configuration has them.

    Raises:
        NormlabError: for such an error, with file, line and message.
    """
    try:
        yield
    except NormlabError:
        raise
    except Exception as error:
        guilty = [key for key, target in targets.items() if _own_frame(target, error)]
        if not guilty or passing(error):
            raise
        key = next((key for key in guilty if _is_in(targets[key], error)), guilty[0])
        raise blamed(key, targets[key], error) from error


def blamed(key: str, target: str, error: Exception, what: str = "") -> NormlabError:
    """An error of the user's as one line."""
    frame = _own_frame(target, error)
    place = f" ({Path(frame.filename).name}, line {frame.lineno})" if frame else ""
    message = first_line(error)
    if isinstance(error, SyntaxError):
        message, place = error.msg, f" ({Path(error.filename or '?').name}, line {error.lineno})"
    return NormlabError(f"{key}={target}{what}: {type(error).__name__}: {message}{place}")


def _own_frame(target: str, error: Exception) -> traceback.FrameSummary | None:
    """The last place in the user's own files, or in the file of the target, that an error passed through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = _file_of(target)
    return next((f for f in reversed(frames) if f.filename == own or _is_users(f.filename)), None)


def _is_in(target: str, error: Exception) -> bool:
    """Whether an error passed through the file of a target itself."""
    return any(frame.filename == _file_of(target) for frame in traceback.extract_tb(error.__traceback__))


def _file_of(target: str) -> str | None:
    where, _ = split(target)
    if where.endswith(".py"):
        return str(Path(where).expanduser().resolve())
    try:
        return inspect.getsourcefile(unwrapped(load(target)))
    except Exception:  # of a target that cannot be read
        return getattr(sys.modules.get(where), "__file__", None)


def source_digest(target: str, key: str) -> str:
    """A digest of the file that defines the class and of the user's own files that it imports, directly or through others, so that a
    run made with an older version is not taken for this one.
    """
    found = find(target, key)
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


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class _AsItStands(SourceFileLoader):
    """Compiles a file's text itself: Python takes bytecode that it kept for the text's own by size and second alone."""

    def get_code(self, fullname: str) -> CodeType:
        del fullname
        return self.source_to_code(self.get_data(self.path), self.path)


def _from_file(file: str) -> ModuleType:
    """A Python file as a module, read anew when its text changed; its folder is searched for what it imports.

    Raises:
        ModuleNotFoundError: if there is no such file.
    """
    path = Path(file).expanduser().resolve()
    if not path.is_file():
        raise ModuleNotFoundError(f"there is no file {file}", name=file)
    name = f"{path.stem}_{_digest(f'{path}' + path.read_text(encoding='utf-8', errors='replace'))}"
    if name in sys.modules:
        return sys.modules[name]
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path, loader=_AsItStands(name, str(path)))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    linecache.clearcache()  # which tells texts apart in the same way, and is where a class's source is read from
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
