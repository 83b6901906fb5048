"""What a user can cause ends in one clear line and a nonzero exit, never in a traceback."""

import os
import sys
from collections.abc import Callable
from typing import NoReturn


class NormlabError(Exception):
    """A mistake or a state of the machine that the user can mend; its text says what is wrong and what to do."""


def first_line(error: BaseException) -> str:
    """The message of ``error`` in one line, with lists such as Hydra's available options joined by spaces."""
    return " ".join(str(error).split()) or type(error).__name__


# What to do where a part of Hydra is not installed, by what Hydra says of it.
HINTS = {"hydra/launcher/submitit": "; it comes with hydra-submitit-launcher: pip install 'normlab[slurm]'"}


def fail(error: BaseException) -> NoReturn:
    """Say what is wrong in one line and exit with 2."""
    message = first_line(error)
    hint = next((text for part, text in HINTS.items() if part in message), "")
    print(f"error: {message}{hint}", file=sys.stderr)
    sys.exit(2)


def run_main(main: Callable[[], object]) -> None:
    """Call ``main``; report what a user can cause in one line.

    Exit codes: 2 for bad input or a broken environment, 130 for Ctrl-C. With ``HYDRA_FULL_ERROR=1`` set by the user
    the traceback is shown instead.
    """
    import yaml
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    wants_traceback = os.environ.get("HYDRA_FULL_ERROR", "0") not in ("", "0")
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises instead of printing and exiting by itself.
    try:
        main()
    except KeyboardInterrupt:
        print("stopped; what was finished is kept, and the same command continues from there", file=sys.stderr)
        sys.exit(130)
    except (NormlabError, HydraException, OmegaConfBaseException, yaml.YAMLError, OSError) as error:
        if wants_traceback:
            raise
        fail(error.__cause__ if isinstance(error.__cause__, NormlabError) else error)
