"""One claim: `claim.py plan ID` prints the sweep that it needs, `claim.py show ID SCALE RESULTS` its verdict and figure."""

import sys

from experiments import LOCK, all_experiments, find_claim
from normlab.errors import NormlabError, run_main
from normlab.report import sentences
from normlab.report.site import build
from normlab.runs.store import Store
from normlab.verdicts.registry import grids_of, read_lock


def plan(claim_id: str) -> None:
    """Print the overrides of the sweep that makes the claim's runs; nothing for an exact claim."""
    experiment, claim = find_claim(claim_id)
    if claim.cases:
        print(f"experiment={experiment.name} sweep.grids=[{','.join(grids_of(claim))}]")


def show(claim_id: str, scale: str, results: str) -> None:
    """Build the report and print the claim's part of it."""
    experiment, claim = find_claim(claim_id)
    root = Store.of_scale(results, scale).root
    sections, page = build(list(all_experiments()), scale, Store(root), read_lock(LOCK))
    found = [r for section in sections for r in section.claims if r.claim.id == claim_id]
    if not found:
        raise NormlabError(f"{claim_id} has no scale {scale!r}")
    result = found[0]
    print(f"{claim.id}: {claim.statement.en}")
    print(f"verdict: {result.verdict}. {sentences.summary(result).en}")
    several = len(claim.cases) > 1
    for setting in result.settings:
        for part in setting.parts:
            numbers = sentences.interval(part) + sentences.unit_name(part.unit).en if setting.run else "not run"
            print(f"  {setting.label(several).en} · {part.contrast.name.en}: {numbers} ({setting.verdict})")
    figure = root / "figures" / f"{experiment.name}--{claim_id}.png"
    if result.settings and figure.exists():
        print(f"figure: {figure}")
    print(f"report: {page}#{claim_id}")


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    run_main(lambda: plan(*arguments) if command == "plan" else show(*arguments))
