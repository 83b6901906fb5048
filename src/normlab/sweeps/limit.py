"""A time limit for one run: it is stopped, whatever it hangs in."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

GRACE = 10.0  # most seconds between asking a run to stop and ending its process
EXIT_CODE = 75  # of a process that was ended: "try again later"
TOLD = "warning: a run heard nothing of its time limit; its process is ended, and the same command goes on without it\n"


class TimeLimitError(BaseException):
    """A run took longer than it may. No ``except Exception`` on the way, a user's own least of all, is to take it for its own."""


@contextmanager
def time_limit(seconds: float | None, note: Callable[[], None]) -> Iterator[None]:
    """Within, after ``seconds`` a :class:`TimeLimitError` is raised in the main thread.

    Code that hears no signal, such as a kernel that never returns, is given up to ``GRACE`` seconds more; then ``note`` is called
    from another thread and the process ends at once. Without ``seconds`` there is no limit.
    """
    if not seconds:
        yield
        return

    def end() -> None:
        try:
            note()
        finally:
            os.write(2, TOLD.encode())  # at once and from any thread
            os._exit(EXIT_CODE)

    def stop(*_: object) -> None:
        raise TimeLimitError(f"took longer than {seconds:g} s")

    last_resort = threading.Timer(seconds + min(GRACE, seconds), end)
    last_resort.daemon = True
    heard = threading.current_thread() is threading.main_thread()
    earlier = signal.signal(signal.SIGALRM, stop) if heard else None
    last_resort.start()
    if heard:
        signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        if heard:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, earlier)
        last_resort.cancel()
