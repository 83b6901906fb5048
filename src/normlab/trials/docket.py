"""Where a norm is tried: the situations of a scale, read from ``configs/trial/<scale>.yaml``."""

from collections.abc import Mapping
from typing import Any, Self

import yaml
from pydantic import model_validator

from normlab.core.design import Design, Overrides, Scale, config_dirs
from normlab.core.schema import Strict, check
from normlab.errors import NormlabError
from normlab.trials.subject import Subject

YOURS = "yours"


def grid_of(situation: str, arm: str) -> str:
    """What the grid of a norm in a situation is called."""
    return f"{situation}/{arm}"


class Situation(Strict):
    """A bed in which it is tried, at some batch size: ``overrides`` make the batch itself as large, ``shared`` lets so many of its images
    share statistics. ``rates`` to choose from grow by ``step`` where the best is the last one.
    """

    bed: str
    title: str
    rates: list[float]
    step: float = 3.0
    overrides: Overrides = {}
    shared: int | None = None

    def arm(self, subject: Subject) -> Overrides:
        """What puts a norm into this situation's net."""
        return dict(subject.overrides) if self.shared is None else subject.in_ghosts(self.shared)


class Docket(Strict):
    """All situations; in the ``flagship`` it is also asked how easy, how robust and how costly a norm is. ``references`` are the methods
    that are run beside it where the store has none of their runs; ``seeds``: on how many it is reported at most.
    """

    flagship: str
    references: tuple[str, ...]
    seeds: int
    situations: dict[str, Situation]

    @model_validator(mode="after")
    def _flagship_is_there(self) -> Self:
        if self.flagship not in self.situations:
            raise ValueError(f"flagship={self.flagship!r} is none of the situations")
        if "batch" not in self.references:
            raise ValueError("references lack batch, against which all is told")
        return self

    @classmethod
    def load(cls, scale: str) -> "Docket":
        """That of a scale.

        Raises:
            NormlabError: if there is none, or it is wrong.
        """
        files = {file.stem: file for folder in config_dirs()[::-1] for file in (folder / "trial").glob("*.yaml")}
        if scale not in files:
            raise NormlabError(f"no trial is designed for scale={scale}; there are {', '.join(sorted(files))}")
        return check(cls, yaml.safe_load(files[scale].read_text(encoding="utf-8")), f"configs/trial/{scale}.yaml: ")

    def design(self, scale: str, arms: Mapping[str, Mapping[str, Subject]]) -> Design:
        """A design with a grid for each situation and each of the norms ``arms[situation]`` in it, to be reported at its best rate."""
        grids: dict[str, Any] = {}
        for name, situation in self.situations.items():
            for label, norm in arms[name].items():
                grids[grid_of(name, label)] = {
                    "settings": [name],
                    "seeds": self.seeds,
                    "fixed": situation.arm(norm),
                    "choose": {
                        "over": {"optimizer.lr": "rates"},
                        "extend": {"optimizer.lr": situation.step},
                        "levels": {"best": {"best": "validation_accuracy"}},
                    },
                }
        what = {"name": "trial", "title": "On trial", "title_ja": "審理"}
        return Design.parse({**what, "scales": {scale: {"settings": self._settings()}}, "grids": grids}, "trial")

    def overrides(self, scale: str) -> dict[str, Overrides]:
        """What makes up each situation, without a norm."""
        settings = Scale.model_validate({"settings": self._settings()}).settings
        return {name: {"scale": scale, **setting.overrides} for name, setting in settings.items()}

    def _settings(self) -> dict[str, Any]:
        return {
            name: {
                "bed": situation.bed,
                "title": situation.title,
                "overrides": situation.overrides,
                "ranges": {"rates": situation.rates},
            }
            for name, situation in self.situations.items()
        }
