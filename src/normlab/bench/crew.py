"""Processes that take turns: what is compared runs one after the other, round by round, so that a slow moment of the
machine meets all of it."""

import contextlib
import multiprocessing
import signal
import time
import traceback
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any, Self

from normlab.errors import NormlabError

Turns = Mapping[str, Callable[[], float]]  # name → take a turn, return a rate (samples, runs, operations a second)


def _serve(pipe: Connection, make: Callable[..., Turns], arguments: tuple[Any, ...], threads: int) -> None:
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the bench's to hear; this process ends with its pipe.
    torch.set_num_threads(threads)
    try:
        turns = make(*arguments)
        pipe.send(None)
        while (name := pipe.recv()) is not None:
            pipe.send(turns[name]())
    except EOFError:  # The bench itself is gone.
        return
    except Exception as error:
        pipe.send(NormlabError(str(error) if isinstance(error, NormlabError) else traceback.format_exc()))


class Crew:
    """Equal processes of ``threads`` threads each; a turn is taken by all at once, and its rate is the sum of theirs.

    ``make(*arguments)`` runs in each process and returns its turns; ``made_in`` says how many seconds that took.
    """

    def __init__(self, make: Callable[..., Turns], *arguments: Any, processes: int = 1, threads: int = 1) -> None:
        context = multiprocessing.get_context("spawn")
        self._members = []
        started = time.perf_counter()
        for _ in range(processes):
            ours, theirs = context.Pipe()
            # Not daemons: a data loader starts processes of its own.
            process = context.Process(target=_serve, args=(theirs, make, arguments, threads))
            process.start()
            theirs.close()
            self._members.append((process, ours))
        try:
            for _, pipe in self._members:
                self._receive(pipe)
        except BaseException:
            self.close()
            raise
        self.made_in = time.perf_counter() - started

    @staticmethod
    def _receive(pipe: Connection) -> Any:
        try:
            answer = pipe.recv()
        except EOFError:
            raise NormlabError("a process of the bench died; is there enough memory?") from None
        if isinstance(answer, NormlabError):
            raise answer
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def turn(self, name: str) -> float:
        """Have every process take the turn ``name`` at the same time; the sum of their rates."""
        for _, pipe in self._members:
            pipe.send(name)
        return float(sum(self._receive(pipe) for _, pipe in self._members))

    def close(self) -> None:
        """End the processes."""
        for process, pipe in self._members:
            with contextlib.suppress(OSError):
                pipe.send(None)
            pipe.close()
            process.join(5)
            if process.is_alive():
                process.kill()


def take_turns(members: Mapping[str, tuple[Crew, str]], rounds: int) -> dict[str, list[float]]:
    """The rates of each member over ``rounds`` rounds, after one turn each that does not count."""
    rates: dict[str, list[float]] = {label: [] for label in members}
    for round_ in range(rounds + 1):
        for label, (crew, name) in members.items():
            rate = crew.turn(name)
            if round_:
                rates[label].append(rate)
    return rates
