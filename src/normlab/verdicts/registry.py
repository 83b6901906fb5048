"""Registration: a claim is fixed by a hash before its runs, and the report says where that was not so."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from normlab.core.claim import Claim
from normlab.core.design import Design
from normlab.core.record import write_atomically
from normlab.errors import NormlabError
from normlab.runs.store import REGISTERING, Store
from normlab.sweeps.recipe import with_recipe


def grids_of(claim: Claim) -> list[str]:
    """The names of the grids whose runs the claim needs."""
    arms = [arm for case in claim.cases for part in case.contrasts for arm in part.arms]
    return list(dict.fromkeys(arm.grid for arm in arms))


def claim_hash(claim: Claim, design: Design, scale: str) -> str:
    """A hash of what decides the claim at a scale: its contrasts, δ and kind, its grids, settings and seeds.

    Wording and the line "checked" may change without changing it. The seeds of a design's ``second_look`` are noted by
    :func:`register_second_look`; those of looks belong to the settings and so to the hash.
    """
    content: dict[str, Any] = {
        "id": claim.id,
        "kind": claim.kind,
        "unit": claim.unit,
        "delta": claim.delta,
        "check": claim.check.__name__ if claim.check else None,
        **({"quantifier": claim.quantifier} if claim.quantifier != "every" else {}),
        **({"moderators": [_substance(each) for each in claim.moderators]} if claim.moderators else {}),
        "cases": [_substance(case) for case in claim.at(scale)],
        "grids": {
            name: design.grids[name].at_scale(scale).model_dump(mode="json", exclude={"at"}, exclude_defaults=True)
            for name in grids_of(claim)
        },
        "scale": _with_recipes(
            design.at(scale).model_dump(
                mode="json",
                exclude_defaults=True,
                exclude={"seeds": {"second_look"}, "settings": {"__all__": {"title", "title_ja"}}},
            )
        ),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=list).encode()).hexdigest()[:16]


def _with_recipes(scale: dict[str, Any]) -> dict[str, Any]:
    """A scale's content with the recipes that its settings name written out."""
    settings = {
        name: setting | ({"overrides": with_recipe(setting["overrides"])} if "overrides" in setting else {})
        for name, setting in scale["settings"].items()
    }
    return scale | {"settings": settings}


def _substance(value: Any) -> Any:
    """A claim's parts as plain data, without wording and without fields at their defaults."""
    if dataclasses.is_dataclass(value):
        fields = [f for f in dataclasses.fields(value) if f.name != "name"]
        return {f.name: _substance(v) for f in fields if (v := getattr(value, f.name)) != f.default}
    if isinstance(value, Mapping):
        return {str(k): _substance(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_substance(v) for v in value]
    return value


Lock = dict[str, dict[str, str]]  # claim → scale → hash


def make_lock(experiments: list[tuple[Design, tuple[Claim, ...]]]) -> Lock:
    """The hashes of all claims at all scales as they are now."""
    return {
        claim.id: {scale: claim_hash(claim, design, scale) for scale in design.scales}
        for design, claims in experiments
        for claim in claims
    }


def read_lock(file: Path) -> Lock:
    """A lock file's content; empty if it is not there."""
    return json.loads(file.read_text()) if file.exists() else {}


def write_lock(file: Path, lock: Lock) -> None:
    write_atomically(file, (json.dumps(lock, indent=1, sort_keys=True) + "\n").encode())


def register(store: Path, hashes: dict[str, str]) -> None:
    """Note in a store the hash that each claim has when its first runs are about to be made; later ones change nothing."""
    if not set(hashes) - set(registered(store)):
        return
    with Store(store).exclusive(REGISTERING):  # Two experiments may begin at once.
        earlier = registered(store)
        new = {claim: value for claim, value in hashes.items() if claim not in earlier}
        write_atomically(
            store / "registered.json", (json.dumps(earlier | new, indent=1, sort_keys=True) + "\n").encode()
        )


def unregister(store: Path, of: Callable[[str], bool]) -> list[str]:
    """Forget the hashes of those claims of which ``of`` says so: none of their runs is there, so that they may be registered anew."""
    with Store(store).exclusive(REGISTERING):
        earlier = registered(store)
        gone = [claim for claim in earlier if of(claim)]
        if gone:
            left = {claim: value for claim, value in earlier.items() if claim not in gone}
            write_atomically(store / "registered.json", (json.dumps(left, indent=1, sort_keys=True) + "\n").encode())
    return gone


def register_experiment(store: Path, design: Design, claims: tuple[Claim, ...], scale: str) -> None:
    """Note an experiment's claims and its seeds of the second look before its first runs at a scale."""
    register_second_look(store, design, scale)
    register(
        store, {claim: hashes[scale] for claim, hashes in make_lock([(design, claims)]).items() if scale in hashes}
    )


def register_second_look(store: Path, design: Design, scale: str) -> None:
    """Note an experiment's seeds of the second look when they are first known to a sweep; later ones change nothing."""
    register(store, {_second_look(design): _seeds(design, scale)})


def second_look_changed(noted: dict[str, str], design: Design, scale: str) -> bool:
    """Whether the seeds of the second look are others than those noted: a further look would not be paid for."""
    now = _seeds(design, scale)
    return noted.get(_second_look(design), now) != now


def _second_look(design: Design) -> str:
    return f"second look of {design.name}"


def _seeds(design: Design, scale: str) -> str:
    seeds = design.at(scale).seeds
    return " ".join(map(str, seeds.second_look if seeds else ()))


def registered(store: Path) -> dict[str, str]:
    """The hashes noted by :func:`register`.

    Raises:
        NormlabError: if the file is damaged.
    """
    file = store / "registered.json"
    try:
        found: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    except ValueError as error:
        raise NormlabError(f"{file} is damaged; restore it from a copy (as with git checkout)") from error
    return found
