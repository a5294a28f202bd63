"""Sums of two three-digit numbers, written most significant digit first.

Writing a sum from the left requires all carries from the right before the first digit, while
checking a written sum is local to each column: a minimal case where judging is easier than solving.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np

from jaxgap.errors import InputError
from jaxgap.tasks.problem import AbstractTask, Problem


@dataclasses.dataclass(frozen=True)
class Addition(AbstractTask):
    """Problems `a+b=` whose operands have three digits out of `digits`, the first out of `leading`.

    The default leaves 11,664 problems, and every sum has three digits.

    **Arguments:**

    - `leading`: the digits an operand may begin with, each from 1 to 9.
    - `digits`: the digits that may follow, each from 0 to 9.

    **Raises:** `InputError` if either is empty or has another element.

    >>> task = Addition()
    >>> problem = task.problems(1, seed=0)[0]
    >>> problem
    Problem(prompt='...', answer='...')
    >>> task.grade(problem, problem.answer), task.grade(problem, "0" + problem.answer)
    (True, False)
    """

    leading: str = "234"
    digits: str = "234567"

    def __post_init__(self):
        for name, legal in (("leading", "123456789"), ("digits", "0123456789")):
            value = getattr(self, name)
            if not value or not set(value) <= set(legal):
                raise InputError(f"{name} must be one or more of {legal!r}, got {value!r}")

    @property
    def operands(self) -> tuple[int, ...]:
        """The numbers that may be added, in increasing order."""
        digits = itertools.product(set(self.leading), set(self.digits), set(self.digits))
        return tuple(sorted(int("".join(number)) for number in digits))

    def problems(self, count: int, *, seed: int) -> Sequence[Problem]:
        """`count` distinct problems drawn without replacement.

        **Raises:** `InputError` if there are fewer than `count` problems.
        """
        operands = self.operands
        num_problems = len(operands) ** 2
        if count > num_problems:
            raise InputError(f"count must be at most {num_problems}, got {count}")
        drawn = np.random.default_rng(seed).choice(num_problems, size=count, replace=False)
        pairs = [(operands[i // len(operands)], operands[i % len(operands)]) for i in drawn]
        return [Problem(f"{a}+{b}=", str(a + b)) for a, b in pairs]

    def grade(self, problem: Problem, completion: str) -> bool:
        """Whether the completion is the sum, digit for digit."""
        return completion == problem.answer

    def canonical_answer(self, completion: str) -> str:
        """The completion unchanged, as it is graded."""
        return completion
