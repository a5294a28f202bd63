"""Tasks whose problems are in files: one file to draw from, or one for each split."""

from __future__ import annotations

import abc
import dataclasses
import logging
from collections.abc import Sequence, Set
from pathlib import Path

import numpy as np

from jaxgap.errors import InputError
from jaxgap.tasks.problem import (
    AbstractTask,
    Message,
    Problem,
    TaskSplit,
    check_sizes,
    normal_prompt,
)
from jaxgap.tasks.records import Record, read_records

_logger = logging.getLogger(__name__)


class LeftOut(Exception):
    """A valid record that the task cannot use; the message says where and why."""


class AbstractFileTask(AbstractTask):
    """Problems drawn without replacement from a file.

    **Arguments:**

    - `path`: the file, in a format that :func:`jaxgap.tasks.records.read_records` reads.
    - `held_out_path`: a second file; held-out problems then come only from it, and training
        problems only from `path`.
    - `num_examples`: solved examples put before each question, as earlier turns of a conversation.
        They are the first records of `path`, which are then not drawn.

    A record is not drawn if its prompt equals an earlier one, or that of an example, up to white
    space and case, in either file.

    **Raises:** `InputError` with the file, the line and the field.
    """

    def __init__(
        self, path: str | Path, held_out_path: str | Path | None = None, *, num_examples: int = 0
    ):
        if num_examples < 0:
            raise InputError(f"num_examples must be 0 or more, got {num_examples}")
        self.path = Path(path)
        self.held_out_path = None if held_out_path is None else Path(held_out_path)
        stated = self._stated(read_records(self.path))
        if not stated:
            raise InputError(f"{path}: has no usable record")
        if num_examples >= len(stated):
            raise InputError(
                f"{path}: has {len(stated)} usable records, too few for {num_examples} examples "
                "and a problem"
            )
        shots: list[Message] = []
        for record, problem in stated[:num_examples]:
            shots += [*problem.messages, Message("assistant", self._solution(record))]
        shown = {normal_prompt(problem.text) for _, problem in stated[:num_examples]}
        self._pool = _distinct(stated[num_examples:], shots, shown)
        held_out = [] if self.held_out_path is None else read_records(self.held_out_path)
        self._held_out_pool = _distinct(self._stated(held_out), shots, shown)

    @abc.abstractmethod
    def _problem(self, record: Record) -> Problem:
        """The problem in a record, with a plain-text prompt.

        **Raises:** `InputError` if the record is invalid; `LeftOut` to skip it.
        """

    @abc.abstractmethod
    def _solution(self, record: Record) -> str:
        """A model completion for the record's problem, used in solved examples."""

    def problems(self, count: int, *, seed: int) -> Sequence[Problem]:
        """`count` problems drawn without replacement from `path`.

        **Raises:** `InputError` if there are fewer.
        """
        return _draw(self._pool, count, seed, self.path)

    def split(self, num_train: int, num_held_out: int, *, seed: int) -> TaskSplit:
        """Draw both splits, each from its own file if there are two.

        **Raises:** `InputError` if a count is below 1, a prompt that both files contain is drawn
        from both, or there are too few problems.
        """
        if self.held_out_path is None:
            return super().split(num_train, num_held_out, seed=seed)
        check_sizes(num_train, num_held_out)
        return TaskSplit(
            train=tuple(_draw(self._pool, num_train, seed, self.path)),
            held_out=tuple(_draw(self._held_out_pool, num_held_out, seed, self.held_out_path)),
        )

    def _stated(self, records: Sequence[Record]) -> list[tuple[Record, Problem]]:
        """The records with their problems, without those that the task cannot use."""
        stated = []
        for record in records:
            try:
                stated.append((record, self._problem(record)))
            except LeftOut as why:
                _logger.warning("left out: %s", why)
        return stated


def _distinct(
    stated: Sequence[tuple[Record, Problem]], shots: Sequence[Message], shown: Set[str]
) -> list[Problem]:
    """The problems with `shots` prepended, each prompt once, without those solved in the shots."""
    problems: dict[str, Problem] = {}
    differing = []
    for record, problem in stated:
        if normal_prompt(problem.text) in shown:
            continue
        if shots:
            problem = dataclasses.replace(problem, prompt=(*shots, *problem.messages))
        first = problems.setdefault(normal_prompt(problem.text), problem)
        if first.answer != problem.answer:
            differing.append(record.where)
    if len(problems) < len(stated):
        _logger.info("%d of %d prompts repeat another", len(stated) - len(problems), len(stated))
    if differing:
        _logger.warning(
            "left out: %s: %d prompts repeat an earlier one, up to case and white space, with "
            "another answer",
            differing[0],
            len(differing),
        )
    return list(problems.values())


def _draw(pool: Sequence[Problem], count: int, seed: int, path: Path) -> list[Problem]:
    if count > len(pool):
        raise InputError(f"{path}: has {len(pool)} distinct problems, {count} are asked for")
    drawn = np.random.default_rng(seed).choice(len(pool), size=count, replace=False)
    return [pool[index] for index in drawn]
