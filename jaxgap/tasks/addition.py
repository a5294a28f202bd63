"""Sums of two three-digit numbers, written most significant digit first.

Writing a sum from the left needs every carry from the right before the first digit, while checking
a written sum is local to each column: a small case of judging being easier than solving.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from jaxgap.tasks.problem import AbstractTask, Problem


@dataclasses.dataclass(frozen=True)
class Addition(AbstractTask):
    """Problems `a+b=` with `smallest <= a, b <= largest`.

    The default range keeps every sum at three digits.

    Args:
        smallest: smallest operand, >= 0.
        largest: largest operand, >= `smallest`.

    Raises:
        ValueError: if the range is empty or negative.

    >>> task = Addition()
    >>> problem = task.problems(1, seed=0)[0]
    >>> problem
    Problem(prompt='440+199=', answer='639')
    >>> task.grade(problem, "639"), task.grade(problem, "0639"), task.grade(problem, "")
    (True, False, False)
    """

    smallest: int = 100
    largest: int = 499

    def __post_init__(self):
        if not 0 <= self.smallest <= self.largest:
            raise ValueError(
                f"need 0 <= smallest <= largest, got smallest={self.smallest}, "
                f"largest={self.largest}"
            )

    def problems(self, count: int, *, seed: int) -> Sequence[Problem]:
        """`count` distinct problems drawn without replacement.

        Raises:
            ValueError: if the range has fewer than `count` problems.
        """
        width = self.largest - self.smallest + 1
        if count > width**2:
            raise ValueError(f"count must be at most {width**2} for this range, got {count}")
        drawn = np.random.default_rng(seed).choice(width**2, size=count, replace=False)
        operands = [(self.smallest + i // width, self.smallest + i % width) for i in drawn.tolist()]
        return [Problem(f"{a}+{b}=", str(a + b)) for a, b in operands]

    def grade(self, problem: Problem, completion: str) -> bool:
        """Whether the completion is the sum, digit for digit."""
        return completion == problem.answer
