"""A user's own class: ``norm=custom norm.target=my_pkg.MyNorm``."""

import hashlib
import importlib
import inspect

from torch import nn

from normlab.errors import NormlabError
from normlab.norms.method import Method


def find(target: str) -> type[nn.Module]:
    """The class that a dotted path names.

    Raises:
        NormlabError: if the module or the class is not there, or is no ``torch.nn.Module``.
    """
    module_name, _, class_name = target.rpartition(".")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise NormlabError(
            f"norm.target={target}: {error}; give a dotted path such as my_pkg.MyNorm, with its folder on PYTHONPATH"
        ) from error
    if not (inspect.isclass(found) and issubclass(found, nn.Module)):
        raise NormlabError(f"norm.target={target} is no torch.nn.Module class")
    return found


def build(num_features: int, target: str, **options: object) -> nn.Module:
    """``target(num_features, **options)``."""
    try:
        return find(target)(num_features, **options)
    except TypeError as error:
        raise NormlabError(f"norm.target={target} cannot be built from num_features and {options}: {error}") from error


def source_digest(target: str) -> str:
    """A digest of the file that defines the class, so that a run made with an older version is not taken for this one."""
    return hashlib.sha256(inspect.getsource(inspect.getmodule(find(target)) or find(target)).encode()).hexdigest()[:12]


METHOD = Method("custom", "your norm", build, version=1, shifts=False, ghosts=True)
