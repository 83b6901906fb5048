"""The verdicts on an experiment's claims, worked out anew only when something that they follow from has changed."""

import hashlib
import pickle
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from normlab.core.claim import Claim
from normlab.core.design import Design, config_dirs
from normlab.core.record import write_atomically
from normlab.core.trial import ClaimResult
from normlab.errors import NormlabError
from normlab.runs.key import run_key
from normlab.runs.store import Store
from normlab.runs.witness import Witness, answers
from normlab.sweeps.compose import Composer
from normlab.sweeps.expand import Expander
from normlab.sweeps.planned import Expansion
from normlab.verdicts.computed import MADE_WITH, package_digest
from normlab.verdicts.looks import expand_and_judge

KEPT_SECONDS = 30 * 24 * 3600.0

IN_THE_DESIGN = ("experiment", "bed")  # folders of configurations that a design has taken in

Judged = tuple[Expansion, list[ClaimResult]]


def judged(
    design: Design, claims: Sequence[Claim], scale: str, store: Store, composer: Composer | None = None
) -> Judged:
    """All runs of an experiment and the verdicts on those of its claims that runs decide, as :func:`expand_and_judge` has them.

    They are kept in the user's cache folder, with what the store was asked on the way. They are taken from there while this package, the
    configuration files, the design, the claims, the runs' keys and every answer are what they were.
    """
    tested = [claim for claim in claims if claim.kind != "exact"]
    made_by = _made_by(design, tested, scale)
    file = _file(store.root, design.name)
    known = _read(file)
    if known and known["made_by"] == made_by and known["answers"] == answers(store, known["asked"]):
        found: Judged = known["judged"]
        if _have_their_keys(found[0]):
            return found
    witness = Witness(store)
    found = expand_and_judge(Expander(design, scale, witness, composer), tested)
    asked = sorted(witness.asked)
    content = {"made_by": made_by, "asked": asked, "answers": answers(store, asked), "judged": found}
    with suppress(NormlabError):  # a folder that can only be read: they are worked out again next time
        write_atomically(file, pickle.dumps(content))
        _forget_old(file.parents[1])
    return found


def _made_by(design: Design, claims: Sequence[Claim], scale: str) -> str:
    """A digest of all that the verdicts follow from but the runs."""
    libraries = [version(library) for library in MADE_WITH]
    files = sorted(file for folder in config_dirs() for file in folder.rglob("*.yaml"))
    configs = [file.read_text(encoding="utf-8") for file in files if file.parent.name not in IN_THE_DESIGN]
    parts = [package_digest(), *libraries, *configs, design.model_dump_json(exclude_unset=True), repr(claims), scale]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _have_their_keys(expansion: Expansion) -> bool:
    """Whether runs have the keys that they had: a key holds more than the configuration, such as the version of one's own data, the code of
    one's own norm, and whether there is a GPU. One run of each kind tells.
    """
    kinds = {
        (
            c.task,
            c.data.name,
            c.source and c.source.data.name,
            c.net.name,
            c.net.target,
            c.norm.name,
            c.norm.target,
        ): plan
        for plan in (*expansion.planned, *expansion.costs)
        for c in (plan.config,)
    }
    return all(run_key(plan.config) == plan.run_key for plan in kinds.values())


def _file(root: Path, experiment: str) -> Path:
    """Not below the store: what is read back there would be run, and a store may come from someone else."""
    name = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]
    return user_cache_path("normlab") / "judged" / name / f"{experiment}.pickle"


def _forget_old(folder: Path) -> None:
    """Of stores that nobody has changed for long, such as those of tests, nothing is kept."""
    for file in folder.rglob("*.pickle"):
        with suppress(FileNotFoundError):  # another process was faster
            if time.time() - file.stat().st_mtime > KEPT_SECONDS:
                file.unlink()


def _read(file: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = pickle.loads(file.read_bytes())
        return content
    except Exception:  # whatever a damaged file, or one of another version, makes of it: it is as if there were none
        return None
