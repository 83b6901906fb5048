"""Findings of exact claims: computed once, and again only when the code that they are about has changed."""

import contextlib
import hashlib
import inspect
import json
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from normlab.core.claim import Claim, Finding
from normlab.core.record import write_atomically
from normlab.core.trial import ClaimResult
from normlab.core.verdict import found_exactly
from normlab.errors import NormlabError

FILE = "exact.json"  # below a store's root: what each claim's computation found, and by which code


class Findings:
    """The findings of exact claims below a folder."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        try:
            self._known: dict[str, dict[str, Any]] = json.loads(self._file.read_text())
        except (OSError, ValueError):
            self._known = {}

    def of(self, claim: Claim) -> ClaimResult:
        """The verdict on an exact claim; its computation is made unless the same code has made it before."""
        assert claim.check is not None
        code = code_of(claim)
        known = self._known.get(claim.id, {})
        if known.get("code") == code:
            return found_exactly(claim, Finding(known["holds"], known["numbers"]))
        finding = claim.check()
        self._known[claim.id] = {"code": code, "holds": finding.holds, "numbers": dict(finding.numbers)}
        with contextlib.suppress(NormlabError):  # a folder that can only be read: it is computed again next time
            write_atomically(self._file, json.dumps(self._known, indent=0, sort_keys=True).encode())
        return found_exactly(claim, finding)


def code_of(claim: Claim) -> str:
    """A digest of all that a claim's computation may run: this package, the file that defines it, the version of PyTorch."""
    assert claim.check is not None
    source = inspect.getsourcefile(inspect.unwrap(claim.check))
    own = Path(source).read_bytes() if source else b""
    return hashlib.sha256(b"\0".join([_package(), own, version("torch").encode()])).hexdigest()


@lru_cache(maxsize=1)
def _package() -> bytes:
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.digest()
