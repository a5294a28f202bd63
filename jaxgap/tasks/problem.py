"""Problems with known answers, and tasks: two disjoint splits of them with an exact grader."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Problem:
    """One question.

    **Fields:**

    - `prompt`: the text a model continues.
    - `answer`: the reference answer; only a grader may look at it.
    """

    prompt: str
    answer: str


class AbstractTask(abc.ABC):
    """Problems to improve on, problems held out to measure on, and the exact grader.

    A task of your own is a subclass with `problems` and `grade`:

    >>> class Doubling(AbstractTask):
    ...     def problems(self, count, *, seed):
    ...         return [Problem(f"2*{n}=", str(2 * n)) for n in range(count)]
    ...     def grade(self, problem, completion):
    ...         return completion.strip() == problem.answer
    >>> split = Doubling().split(3, 2, seed=0)
    >>> [p.prompt for p in split.train], [p.prompt for p in split.held_out]
    (['2*0=', '2*1=', '2*2='], ['2*3=', '2*4='])
    """

    @abc.abstractmethod
    def problems(self, count: int, *, seed: int) -> Sequence[Problem]:
        """`count` problems with distinct prompts, the same ones for the same seed."""

    @abc.abstractmethod
    def grade(self, problem: Problem, completion: str) -> bool:
        """Whether `completion` answers `problem` correctly."""

    def split(self, num_train: int, num_held_out: int, *, seed: int) -> TaskSplit:
        """Draw both splits at once, so that they share no prompt.

        **Raises:** `ValueError` if a count is below 1, or the task repeats a prompt.
        """
        for name, count in (("num_train", num_train), ("num_held_out", num_held_out)):
            if count < 1:
                raise ValueError(f"{name} must be at least 1, got {count}")
        drawn = self.problems(num_train + num_held_out, seed=seed)
        return TaskSplit(train=tuple(drawn[:num_train]), held_out=tuple(drawn[num_train:]))


@dataclasses.dataclass(frozen=True)
class TaskSplit:
    """Problems to train on and problems to measure on, with no prompt in common.

    **Fields:**

    - `train`: problems whose prompts the model trains on (its own completions of them).
    - `held_out`: problems it is measured on.

    **Raises:** `ValueError` if a split is empty, or a prompt is repeated within or across them.
    """

    train: tuple[Problem, ...]
    held_out: tuple[Problem, ...]

    def __post_init__(self):
        train, held_out = [p.prompt for p in self.train], [p.prompt for p in self.held_out]
        for name, prompts in (("train", train), ("held_out", held_out)):
            if not prompts:
                raise ValueError(f"the {name} split is empty: give at least one problem")
            if len(set(prompts)) < len(prompts):
                raise ValueError(f"the {name} split repeats a prompt: make its prompts distinct")
        shared = set(train) & set(held_out)
        if shared:
            raise ValueError(
                f"{len(shared)} prompts are in both splits, for example {min(shared)!r}: "
                "held-out prompts must not be trained on"
            )
