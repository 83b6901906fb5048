"""What a user can cause ends in one clear line and a nonzero exit, never in a traceback."""

import os
import shlex
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn


class NormlabError(Exception):
    """A mistake or a state of the machine that the user can mend; its text says what is wrong and what to do."""


def first_line(error: BaseException) -> str:
    """The message of ``error`` in one line, with lists such as Hydra's available options joined by spaces."""
    return " ".join(str(error).split()) or type(error).__name__


class MisfitError(NormlabError):
    """A method of normalization cannot stand at a site: the run is refused, a sweep leaves it out with this reason."""


# What to do where a package is not installed, by what is said of it.
HINTS = {
    "hydra/launcher/submitit": "; it comes with hydra-submitit-launcher: pip install 'normlab[slurm]'",
    "No module named 'wandb_workspaces'": "; pip install 'normlab[dashboard]'",
    "No module named 'lightning'": "; pip install 'normlab[bench]'",
    "No module named 'ray'": "; pip install 'normlab[ray]'",
}


def fail(error: BaseException) -> NoReturn:
    """Say what is wrong in one line and exit with 2."""
    message = first_line(error)
    hint = next((text for part, text in HINTS.items() if part in message), "")
    print(f"error: {message}{hint}", file=sys.stderr)
    sys.exit(2)


def arguments() -> list[str]:
    """The command line's arguments, and behind them those that make was given as ``ARGS``, in the words of a shell.

    Make hands them over by the environment: on a shell's command line names with spaces, quotes or brackets would fall apart.

    Raises:
        NormlabError: for a quotation without an end.
    """
    try:
        return [*sys.argv[1:], *shlex.split(os.environ.pop("NORMLAB_ARGS", ""))]
    except ValueError as error:
        raise NormlabError(f"ARGS: {str(error).lower()}; quote as in a shell") from None


def run_main(main: Callable[[], object]) -> None:
    """Call ``main``; report what a user can cause in one line.

    Exit codes: 2 for bad input or a broken environment, 130 for Ctrl-C. With ``HYDRA_FULL_ERROR=1`` set by the user
    the traceback is shown instead.
    """
    os.environ.setdefault(ASKED, os.environ.get("HYDRA_FULL_ERROR", "0"))
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises instead of printing and exiting by itself.
    try:
        main()
    except KeyboardInterrupt:
        print("stopped; what was finished is kept, and the same command continues from there", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        tell(error)


ASKED = "NORMLAB_FULL_ERROR"  # what the user had set HYDRA_FULL_ERROR to


def tell(error: Exception) -> NoReturn:
    """Say in one line what went wrong, and exit; raise it where the user asked for tracebacks."""
    import yaml
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    if os.environ.get(ASKED, "0") not in ("", "0"):
        raise error
    if isinstance(error.__cause__, NormlabError):
        fail(error.__cause__)
    if isinstance(error, NormlabError | HydraException | OmegaConfBaseException | yaml.YAMLError | OSError):
        fail(error)
    # Nobody foresaw it: still one line, with the place, and the way to all of it.
    fail(NormlabError(f"{told(error)}; HYDRA_FULL_ERROR=1 shows how it came about"))


def told(error: BaseException) -> str:
    """An error's kind, message and place in one line."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {first_line(error)}{place}"
