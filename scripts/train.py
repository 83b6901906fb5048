"""One run, or with -m a sweep: `python scripts/train.py norm=group data=cifar10 optimizer.lr=0.1`."""

from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig, OmegaConf

from normlab.errors import NormlabError, fail, run_main


@hydra.main(version_base="1.3", config_path="../configs", config_name="train")
def main(config: DictConfig) -> None:
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


if __name__ == "__main__":
    run_main(main)
