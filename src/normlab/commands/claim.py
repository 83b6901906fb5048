"""One claim: what it lacks is run, then its verdict and figure are shown."""

import subprocess
import sys
from collections.abc import Sequence

from experiments import LOCK, Experiment, find_claim
from normlab.core.claim import Claim
from normlab.core.trial import ClaimResult
from normlab.errors import NormlabError
from normlab.report import sentences
from normlab.report.forest import forest
from normlab.report.sections import Section, evaluate
from normlab.report.style import use_style
from normlab.report.svg import save_figure
from normlab.runs.store import Store
from normlab.sweeps.planned import Expansion
from normlab.sweeps.status import is_finished
from normlab.verdicts.registry import grids_of, read_lock


def judged(experiment: Experiment, claim: Claim, scale: str, store: Store) -> tuple[Section, ClaimResult]:
    """The claim's result, judged among the claims of its experiment as the report does.

    Raises:
        NormlabError: if the experiment is not designed for the scale.
    """
    sections = evaluate([experiment], scale, store, read_lock(LOCK))
    if not sections:
        raise NormlabError(f"{claim.id} has no scale {scale!r}; there are {', '.join(experiment.design.scales)}")
    return sections[0], next(result for result in sections[0].claims if result.claim.id == claim.id)


def lacks_runs(section: Section, claim: Claim, store: Store) -> bool:
    """Whether a sweep of the claim's grids would find something to do."""
    grids, whole = set(grids_of(claim)), section.results.expansion
    own = Expansion(
        planned=[plan for plan in whole.planned if plan.grid in grids],
        costs=[plan for plan in whole.costs if plan.grid in grids],
    )
    return not is_finished(own, store)


def show(section: Section, result: ClaimResult, store: Store, drawn_anew: bool) -> None:
    """Print the verdict, its numbers and where its figure is, drawn if it is not there."""
    claim = result.claim
    print(f"{claim.id}: {claim.statement.en}")
    print(f"verdict: {result.verdict}. {sentences.summary(result).en}")
    if section.old:
        print(
            "of edition 1: its nets are hardly trained, and its runs are shown until they are replaced, not made again"
        )
    several = len(claim.cases) > 1
    for setting in result.settings:
        for part in setting.parts:
            numbers = sentences.interval(part) + sentences.unit_name(part.unit).en if setting.run else "not run"
            print(f"  {setting.label(several).en} · {part.contrast.name.en}: {numbers} ({setting.verdict})")
    name = section.figure_name(result)
    figure = store.root / "figures" / f"{name}.png"
    if name and (drawn_anew or not figure.exists()):
        use_style()
        save_figure(forest(result, section.results.foot, section.results.untrained), figure.parent, name)
    if name:
        print(f"figure: {figure}")
    page = store.root / "report" / "en" / "claim" / f"{claim.id}.html"
    if page.exists():
        print(f"report: {page}")


def claim(claim_id: str, scale: str, results: str, overrides: Sequence[str] = ()) -> None:
    """Do the runs that a claim lacks, with ``overrides`` for the sweep, such as a launcher's, and show what came out.

    Raises:
        NormlabError: for an unknown claim, or one without that scale.
    """
    experiment, found = find_claim(claim_id)
    store = Store.of_scale(results, scale)
    section, result = judged(experiment, found, scale, store)
    lacking = experiment.design.edition == 2 and bool(found.cases) and lacks_runs(section, found, store)
    if lacking:
        grids = f"sweep.grids=[{','.join(grids_of(found))}]"
        plan = ["-m", f"experiment={experiment.name}", grids, f"scale={scale}", f"results={results}", *overrides]
        done = subprocess.run([sys.executable, "-m", "normlab", "train", *plan], check=False)
        if done.returncode:
            sys.exit(done.returncode)
        section, result = judged(experiment, found, scale, store)
    show(section, result, store, drawn_anew=lacking)
