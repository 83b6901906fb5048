"""One run, or with -m a sweep: `python scripts/train.py norm=group data=cifar10 optimizer.lr=0.1`."""

import sys
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig, OmegaConf

from normlab.errors import NormlabError, fail, run_main

CONFIGS = Path(__file__).resolve().parent.parent / "configs"


@hydra.main(version_base="1.3", config_path="../configs", config_name="train")
def train(config: DictConfig) -> None:
    """Train the configured run and keep its record; a worker of a sweep takes runs from its plan instead."""
    if config.sweep.plan:
        from normlab.sweeps.work import work

        work(Path(config.sweep.plan))
        return
    from normlab.sweeps.single import train_one

    try:
        if config.experiment:
            raise NormlabError("an experiment is a sweep of runs; add -m")
        composed: Any = OmegaConf.to_container(config, resolve=True)
        train_one(composed)
    except NormlabError as error:  # Here and not above: Hydra would print its own line about it first.
        fail(error)


def main() -> None:
    """Refuse paths where names are asked for, before Hydra opens files by them; then train."""
    groups = {folder.name for folder in CONFIGS.iterdir() if folder.is_dir()}
    for argument in sys.argv[1:]:
        key, _, names = argument.lstrip("+").partition("=")
        if key in groups and ".." in names:
            raise NormlabError(f"{argument}: {key} takes a name from configs/{key}, not a path")
    train()


if __name__ == "__main__":
    run_main(main)
