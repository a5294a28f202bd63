"""Grading: the only place where candidates are compared with the reference answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from jaxgap.errors import InputError
from jaxgap.improve.round_records import Candidates
from jaxgap.sharding import broadcast_from_first
from jaxgap.tasks import AbstractTask, Problem


class Assessment(NamedTuple):
    """A task's assessment of candidates.

    **Fields:**

    - `correct`: whether each is right.
    - `answers`: the canonical answer in each, so equal answers are equal texts; "" for none.
    """

    correct: Bool[np.ndarray, "prompts candidates"]
    answers: Sequence[Sequence[str]]


def assess(task: AbstractTask, problems: Sequence[Problem], candidates: Candidates) -> Assessment:
    """Grade candidates with the task's exact grader and extract their answers.

    **Raises:** the same errors as :func:`grade` and :func:`canonical_answers`.
    """
    return Assessment(
        grade(task, problems, candidates), canonical_answers(task.canonical_answers, candidates)
    )


def canonical_answers(
    extract: Callable[[Sequence[str]], Iterable[str | None]], candidates: Candidates
) -> list[list[str]]:
    """The canonical answer of each candidate, "" where there is none.

    **Arguments:**

    - `extract`: such as a task's `canonical_answers`; `None` also stands for no answer, and what
        is no text becomes one.

    **Raises:** `InputError` if it does not give one answer for each completion.
    """
    completions = [text for texts in candidates.texts for text in texts]
    given = extract(completions)
    answers = ["" if each is None else str(each) for each in given] if _is_iterable(given) else []
    if len(answers) != len(completions):
        task = getattr(extract, "__self__", None)
        name = f"{type(task).__name__}.canonical_answers" if task is not None else extract
        raise InputError(
            f"{name} must give one answer for each of {len(completions)} completions, got "
            f"{given!r:.60}"
        )
    num_candidates = candidates.finished.shape[1]
    starts = range(0, len(answers), num_candidates)
    return [answers[start : start + num_candidates] for start in starts]


def grade(
    task: AbstractTask, problems: Sequence[Problem], candidates: Candidates
) -> Bool[np.ndarray, "prompts candidates"]:
    """Whether each candidate is right by the task's exact grader; the first process decides.

    A grader may time out in one process and not in another, and the processes would then disagree
    on which checkpoint is the best and must be kept.

    **Raises:** `InputError` if the grader does not return one grade per candidate, or gives partial
    credit.
    """
    pairs = [
        (problem, completion)
        for problem, completions in zip(problems, candidates.texts, strict=True)
        for completion in completions
    ]
    correct = _as_verdicts(task.grade_all(pairs), len(pairs), type(task).__name__)
    return broadcast_from_first(correct).reshape(candidates.finished.shape)


def _as_verdicts(grades: Iterable[object], count: int, name: str) -> Bool[np.ndarray, " grades"]:
    """The grades as booleans, None counting as false; anything but true or false is rejected."""
    if not _is_iterable(grades):
        raise InputError(
            f"{name}.grade_all must give one grade for each completion, got {grades!r:.40}"
        )
    given = list(grades)
    if len(given) != count:
        raise InputError(
            f"{name}.grade_all must give one grade for each completion: it gave {len(given)} for "
            f"{count}"
        )
    for each in given:
        if not _is_verdict(each):
            raise InputError(
                f"{name}.grade (or grade_all) must give True or False for a completion, got "
                f"{each!r:.40}"
            )
    return np.array([bool(each) for each in given], bool)


def _is_iterable(given: Iterable[object]) -> bool:
    """Whether values can be taken from it; errors of a generator's own are the user's to see."""
    try:
        iter(given)
    except TypeError:
        return False
    return True


def _is_verdict(grade: object) -> bool:
    """Whether a grade is None, a regular expression's match, or equal to 0 or 1; no array is.

    The comparison may be user code that raises anything.
    """
    try:
        if grade is None or isinstance(grade, re.Match):
            return True
        return bool(grade == 0) or bool(grade == 1)
    except Exception:
        return False
