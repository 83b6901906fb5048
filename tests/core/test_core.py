"""The core is importable alone."""

import pkgutil
import subprocess
import sys

import normlab.core

WITHOUT_TORCH = """
import importlib, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision"):
            raise ImportError(f"{name} must not be needed")
sys.meta_path.insert(0, Refuse())
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def test_the_core_needs_no_torch() -> None:
    names = [f"normlab.core.{module.name}" for module in pkgutil.iter_modules(normlab.core.__path__)]
    assert len(names) > 8
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH, *names], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
