"""Renew experiments/claims.lock, the hashes by which the report sees that a claim was fixed before its runs."""

import sys

from experiments import LOCK, all_experiments
from normlab.errors import run_main
from normlab.verdicts.registry import make_lock, read_lock, write_lock


def main() -> None:
    """Write the lock and say which claims changed."""
    before, after = read_lock(LOCK), make_lock([(e.design, e.claims) for e in all_experiments()])
    changed = [claim for claim in after if before.get(claim) != after[claim]]
    if sys.argv[1:] == ["--check"]:
        if changed:
            sys.exit(f"error: claims differ from {LOCK.name}: {', '.join(changed)}; run `make lock` if that is meant")
        return
    write_lock(LOCK, after)
    print(f"{len(after)} claims locked" + (f", changed: {', '.join(changed)}" if changed else ", none changed"))


if __name__ == "__main__":
    run_main(main)
