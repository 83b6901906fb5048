"""What to do next: the run from which most is learned a second. Plain arithmetic, without torch."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Job = TypeVar("Job")


@dataclass(frozen=True)
class Question(Generic[Job]):
    """Something that is answered by pairs of runs, of a norm and of its reference.

    ``pairs`` are there; ``steps`` are the jobs that are left, each group of them bringing one pair more, with the seconds of each. While a
    rate is being chosen the only step is that choice, and the pair takes ``later`` seconds besides. ``weight``: how much its answer counts.
    """

    name: str
    pairs: int
    steps: list[list[tuple[Job, float]]] = field(default_factory=list)
    later: float = 0.0
    weight: float = 1.0

    @property
    def seconds(self) -> float:
        """Until the next pair is there."""
        return sum(seconds for _, seconds in self.steps[0]) + self.later if self.steps else math.inf

    @property
    def gain(self) -> float:
        """How much the next pair narrows the answer: a first one says something at all, and each further one takes from 1/√n."""
        before = 2.0 if self.pairs == 0 else 1 / math.sqrt(self.pairs)
        return self.weight * (before - 1 / math.sqrt(self.pairs + 1))


def ranked(questions: Iterable[Question[Job]]) -> list[Question[Job]]:
    """The questions with anything left to do, those first from which most is learned a second; ties stay in order."""
    return sorted((q for q in questions if q.steps), key=lambda q: -q.gain / max(q.seconds, 1e-9))


def next_jobs(questions: Iterable[Question[Job]], count: int, seconds_left: float) -> list[Job]:
    """At most ``count`` jobs to start now: of the best question first, and none that would take longer than what is left."""
    jobs: list[Job] = []
    for question in ranked(questions):
        for step in question.steps:
            jobs += [job for job, seconds in step if seconds <= seconds_left and job not in jobs]
        if len(jobs) >= count:
            break
    return jobs[:count]
