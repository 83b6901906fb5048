"""What a report computes besides reading runs: made once, and again only when its code or what it is given has changed."""

import contextlib
import hashlib
import inspect
import json
from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from normlab.core.claim import Claim, Finding
from normlab.core.record import write_atomically
from normlab.core.trial import ClaimResult
from normlab.core.verdict import found_exactly
from normlab.errors import NormlabError

FILE = "computed.json"  # below a store's root: what each computation gave, and by which code
MADE_WITH = ("torch", "scikit-learn", "scipy", "numpy", "pandas")


class Computed:
    """The results of computations, kept below a folder."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        try:
            self._known: dict[str, dict[str, Any]] = json.loads(self._file.read_text())
        except (OSError, ValueError):
            self._known = {}

    def of(self, name: str, compute: Callable[[], Any], *given: str) -> Any:
        """``compute()``, plain data that JSON holds; it is called unless the same code was ``given`` the same before.

        Raises:
            Exception: what ``compute`` raises; nothing is kept then.
        """
        code = digest_of(compute, *given)
        if self._known.get(name, {}).get("code") != code:
            self._known[name] = {"code": code, "result": compute()}
            with contextlib.suppress(NormlabError):  # a folder that can only be read: it is computed again next time
                write_atomically(self._file, json.dumps(self._known, indent=0, sort_keys=True).encode())
        return self._known[name]["result"]

    def finding(self, claim: Claim) -> ClaimResult:
        """The verdict on an exact claim."""
        check = claim.check
        assert check is not None

        def compute() -> dict[str, Any]:
            finding = check()
            return {"holds": finding.holds, "numbers": dict(finding.numbers)}

        return found_exactly(claim, Finding(**self.of(claim.id, compute, _file_of(check))))


def digest_of(compute: Callable[[], Any], *given: str) -> str:
    """A digest of all that a computation may run, and of what it is given: this package, the file that defines it, the versions of
    the libraries that it computes with.
    """
    parts = [package_digest(), _file_of(compute), *(version(library) for library in MADE_WITH), *given]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _file_of(function: Callable[..., Any]) -> str:
    source = inspect.getsourcefile(inspect.unwrap(function))
    return Path(source).read_text(encoding="utf-8") if source else ""


@lru_cache(maxsize=1)
def package_digest() -> str:
    """A digest of all code of this package."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()
