"""What a target names: ``my_pkg.MyNorm``, ``my_pkg:make_norm``, ``./my_norms.py:MyNorm``, or an object that a running program offers.

It is a class, or anything that makes a norm when it is called: a function, a ``functools.partial``.
"""

import functools
import hashlib
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from normlab.errors import NormlabError

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


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


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
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
