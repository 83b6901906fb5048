"""Looks: on how many seeds a setting is judged, how often, and what each time may cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Looks:
    """Groups of seeds, of which each look adds one, and the share of α that each look may spend.

    A setting is judged on the seeds of its first look, and goes on to the next one only if those do not decide it. At look k a p-value
    is the smallest p_j / w_j over the looks j ≤ k, so that the error rate is at most Σ w_j α = α whichever settings go on.

    Raises:
        ValueError: for weights that are not positive or do not add up to 1, or seeds that come twice.
    """

    groups: tuple[tuple[int, ...], ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.groups) != len(self.weights) or min(self.weights) <= 0 or abs(sum(self.weights) - 1) > 1e-9:
            raise ValueError(f"the weights of looks are positive and add up to 1, got {list(self.weights)}")
        if len(set(self.upto(len(self)))) < len(self.upto(len(self))):
            raise ValueError("a seed belongs to one look")

    @classmethod
    def of(cls, groups: Sequence[Sequence[int]]) -> Self:
        """Looks of equal weight."""
        return cls(tuple(tuple(group) for group in groups), (1 / len(groups),) * len(groups))

    @classmethod
    def counted(cls, weights: Mapping[int, float]) -> Self:
        """Looks at the first so many seeds, from 0 on: ``{10: 0.4, 20: 0.3, 40: 0.3}``."""
        ends = list(weights)
        if ends != sorted(set(ends)) or ends[0] < 1:
            raise ValueError(f"the numbers of seeds of looks rise, got {ends}")
        starts = [0, *ends[:-1]]
        return cls(tuple(tuple(range(a, b)) for a, b in zip(starts, ends, strict=True)), tuple(weights.values()))

    def __len__(self) -> int:
        return len(self.groups)

    def upto(self, look: int) -> tuple[int, ...]:
        """The seeds of the first ``look`` looks."""
        return tuple(seed for group in self.groups[:look] for seed in group)
