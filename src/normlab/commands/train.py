"""One run, or with ``-m`` a sweep, in Hydra's words."""

import sys
from collections.abc import Sequence
from pathlib import Path

import hydra
from hydra._internal.utils import get_args_parser
from omegaconf import DictConfig

from normlab.core.design import config_dir, config_dirs
from normlab.errors import NormlabError, tell
from normlab.sweeps.recipe import in_words


@hydra.main(version_base="1.3", config_path=str(config_dir()), config_name="train")
def _train(config: DictConfig) -> None:
    """Train the configured run and keep its record; a worker of a sweep takes runs from its plan instead."""
    if config.sweep.plan:
        from normlab.sweeps.work import work

        work(Path(config.sweep.plan))
        return
    from normlab.sweeps.command import Command
    from normlab.sweeps.one_run import train_one

    try:
        train_one(Command.of(config))
    except Exception as error:  # Here and not above: Hydra would print its own line about it first.
        tell(error)


def train(given: Sequence[str]) -> None:
    """Put flags before overrides, as Hydra's parser wants them; refuse paths where names are asked for, before Hydra opens files
    by them; then train.

    Raises:
        NormlabError: for such a path.
    """
    said = get_args_parser().parse_intermixed_args(list(given)).overrides
    left, overrides = list(said), in_words(said)
    flags = [argument for argument in given if not (left and argument == left[0] and left.pop(0))]
    groups = {folder.name for configs in config_dirs() for folder in configs.iterdir() if folder.is_dir()}
    for argument in overrides:
        key, _, names = argument.lstrip("+").partition("=")
        if key in groups and ".." in names:
            raise NormlabError(f"{argument}: {key} takes a name from configs/{key}, not a path")
    sys.argv = [sys.argv[0], *flags, *overrides]
    _train()
