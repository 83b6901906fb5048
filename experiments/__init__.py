"""What is asked: one folder a question, with its claims beside their contrasts, their Japanese, and the question's figure."""

import importlib
import importlib.util
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType

import pandas as pd
import yaml
from matplotlib.figure import Figure

from normlab.core.claim import Claim
from normlab.core.design import Design, load_design
from normlab.errors import NormlabError
from normlab.report.choice import Situation
from normlab.report.comparison import Comparison
from normlab.report.results import Published, Results

NAMES = (
    "gates",
    "definition",
    "convergence",
    "learning_rate",
    "initialization",
    "batch_size",
    "placement",
    "momentum",
    "epsilon",
    "generalization",
    "gradient_flow",
    "covariate_shift",
    "inference_gap",
    "distribution_shift",
    "transfer",
    "cost",
    "methods",
    "recurrent",
    "tabular_series",
    "machinery",
    "unseen",
)
LOCK = Path(__file__).parent / "claims.lock"
ARTICLES = Path(__file__).parent / "articles.yaml"
LITERATURE = Path(__file__).parent / "literature.yaml"


@dataclass(frozen=True)
class Experiment:
    """A question: the design of its runs (read when it is first asked for), its claims, and the module that draws its figure."""

    name: str
    claims: tuple[Claim, ...]
    module: ModuleType

    @cached_property
    def design(self) -> Design:
        return load_design(self.name)

    @cached_property
    def source(self) -> str:
        """The code of its folder, or of its file."""
        file = Path(str(self.module.__file__))
        files = sorted(file.parent.glob("*.py")) if file.stem == "__init__" else [file]
        return "\0".join(each.read_text(encoding="utf-8") for each in files)

    @cached_property
    def japanese(self) -> dict[str, str]:
        """The Japanese of its texts, as ``ja.yaml`` of its folder has them, and of its settings' titles."""
        file = Path(str(self.module.__file__)).with_name("ja.yaml")
        pairs = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else []
        settings = [setting for scale in self.design.scales.values() for setting in scale.settings.values()]
        titles = {setting.title: setting.title_ja for setting in settings if setting.title_ja}
        return {pair["en"]: pair["ja"] for pair in pairs or []} | titles

    def draw(self, results: Results) -> Figure | None:
        """The experiment's figure."""
        figure: Figure | None = self.module.figure(results)
        return figure

    def table(self, results: Results) -> pd.DataFrame | None:
        """The experiment's own table, if it has one."""
        found: pd.DataFrame | None = self.module.table(results) if hasattr(self.module, "table") else None
        return found

    def published(self, results: Results) -> dict[str, Published]:
        """Tables that stand before all verdicts, by the name of their file."""
        known = getattr(self.module, "PUBLISHED", {})
        return {name: Published(title, make(results)) for name, (title, make) in known.items()}

    @property
    def compared(self) -> tuple[Comparison, ...]:
        """The situations of the chooser that it has runs for."""
        found: tuple[Comparison, ...] = getattr(self.module, "COMPARED", ())
        return found

    def situations(self, results: Results) -> list[Situation]:
        """The situations that the experiment compares methods in, if it does."""
        found: list[Situation] = self.module.situations(results) if hasattr(self.module, "situations") else []
        return found


def load_experiment(name: str) -> Experiment:
    """The experiment called ``name``.

    Raises:
        NormlabError: if there is none.
    """
    own = own_experiments()
    if name not in NAMES and name not in own:
        raise NormlabError(f"unknown experiment {name!r}; there are {', '.join(sorted({*NAMES, *own}))}")
    module = importlib.import_module(f"experiments.{name}") if name in NAMES else _from_file(own[name])
    return Experiment(name, module.CLAIMS, module)


def own_experiments() -> dict[str, Path]:
    """The experiments that ``experiments`` of the working directory adds to normlab's own, by name."""
    folder = Path.cwd() / "experiments"
    if not folder.is_dir() or folder.samefile(Path(__file__).parent):
        return {}
    files = {file.stem: file for file in sorted(folder.glob("[!_]*.py"))}
    folders = {file.parent.name: file for file in sorted(folder.glob("[!_]*/__init__.py"))}
    return {name: file for name, file in (files | folders).items() if name not in NAMES}


def _from_file(file: Path) -> ModuleType:
    """A module of the user's own, from its file, or from the ``__init__.py`` of its folder.

    Raises:
        NormlabError: if it lacks ``CLAIMS`` or ``figure``.
    """
    folder = [str(file.parent)] if file.stem == "__init__" else None
    name = f"experiments.{file.parent.name if folder else file.stem}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=folder)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    module = sys.modules[name]
    for part in ("CLAIMS", "figure"):
        if not hasattr(module, part):
            raise NormlabError(f"{file} has no {part}; an experiment has CLAIMS, a tuple, and figure(results)")
    return module


def all_experiments() -> list[Experiment]:
    """All experiments, in the report's order, those of the working directory last."""
    return [load_experiment(name) for name in (*NAMES, *own_experiments())]


def find_claim(claim_id: str) -> tuple[Experiment, Claim]:
    """A claim and its experiment.

    Raises:
        NormlabError: if there is no such claim.
    """
    found = {claim.id: (experiment, claim) for experiment in all_experiments() for claim in experiment.claims}
    if claim_id not in found:
        raise NormlabError(f"unknown claim {claim_id!r}; there are {', '.join(sorted(found))}")
    return found[claim_id]
