"""Reasoning-gym: any of its generated data sets, with their own graders.

Stojanovski et al., arXiv:2505.24760; the extra `tasks`. Several of its graders pass the completion
to Python's `eval`, directly or through SymPy, so all graders run in a sandbox.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
import json
import pickle
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxgap.errors import InputError
from jaxgap.tasks.answers import final_answer
from jaxgap.tasks.gym_draws import Draw, drawing
from jaxgap.tasks.gym_sets import make_dataset, refusals
from jaxgap.tasks.numbers import canonical_text
from jaxgap.tasks.problem import AbstractTask, Problem, TaskSplit, check_sizes, normal_prompt
from jaxgap.tasks.prompts import REASONING_GYM
from jaxgap.tasks.sandbox import Isolation, Limits
from jaxgap.tasks.sandboxed_grader import SandboxedGrader, require

RIGHT = 1.0
"""The score of a right answer. Graders also give partial credit, one of them 1 - 2e-16 for a
correct prefix (`spell_backward`), so nothing less is accepted."""

MAX_ANSWER_CHARACTERS = 20_000
"""Longer final answers are graded as wrong."""

LIMITS = Limits(wall_seconds=10, cpu_seconds=10, memory_mebibytes=1024, reply_bytes=1024)
"""The default limits on grading one answer."""

_PACKAGES = ("reasoning_gym", "sympy", "mpmath", "dateutil", "zss", "tabulate", "pyfiglet")
_NUM_TRIED = 5  # problems whose reference answers are scored before a set is accepted
_NO_ANSWERS = ("?", "nonsense")
_ANSWERS = ("", "0")  # right for some problems, but not for all
_NUM_CHUNKS = 20  # of the requested size, drawn before a set is considered too small


@dataclasses.dataclass(frozen=True)
class GeneratedProblem(Problem):
    """A problem with the record that its grader needs.

    **Fields:**

    - `entry`: the record that reasoning-gym generated.
    """

    entry: Mapping[str, Any] = dataclasses.field(compare=False, repr=False)


class ReasoningGym(AbstractTask):
    """Problems that reasoning-gym generates.

    A completion is right if the set's own grader gives its final answer
    (:mod:`jaxgap.tasks.answers`) the full score of 1.

    **Arguments:**

    - `name`: the set, for example `"chain_sum"`.
    - `config`: its parameters, for example `{"min_terms": 2, "max_digits": 1}`, also as a JSON
        string.
    - `limits`: the limits on grading one answer.

    **Raises:** `InputError` without the extra, for an unknown set or parameter, for values that it
    rejects or fails on, and for a set whose grader rejects its own reference answers or accepts
    nonsense.
    """

    def __init__(
        self,
        name: str,
        config: Mapping[str, Any] | str | None = None,
        *,
        limits: Limits = LIMITS,
    ):
        require("reasoning_gym", "reasoning-gym's sets")
        self.name, self.config = name, _as_mapping(config)
        fault = self._fault(make_dataset(name, self.config, seed=_seed([0]), size=_NUM_TRIED))
        if fault:
            raise InputError(
                f"reasoning-gym's set {name!r} cannot be used: its grader gives {fault}"
            )
        self._grader = SandboxedGrader(
            "jaxgap.tasks.gym_grader:make_handler",
            {"name": name, "config": self.config},
            packages=_PACKAGES,
            limits=limits,
        )

    @property
    def isolation(self) -> Isolation:
        """Which walls isolate the grader.

        **Raises:** `SandboxUnavailable`.
        """
        return self._grader.isolation

    def problems(self, count: int, *, seed: int) -> Sequence[Problem]:
        """`count` problems with distinct prompts.

        **Raises:** `InputError` if the set has too few.
        """
        with drawing(self.name, self.config) as draw:
            return self._distinct(draw, count, [seed], set())

    def split(self, num_train: int, num_held_out: int, *, seed: int) -> TaskSplit:
        """Draw the splits from different seeds, without repeated prompts.

        **Raises:** `InputError` if a count is below 1, or there are too few problems.
        """
        check_sizes(num_train, num_held_out)
        seen: set[str] = set()
        with drawing(self.name, self.config) as draw:
            train = self._distinct(draw, num_train, [seed, 0], seen)
            held_out = self._distinct(draw, num_held_out, [seed, 1], seen)
        return TaskSplit(tuple(train), tuple(held_out))

    def grade(self, problem: Problem, completion: str) -> bool:
        return self.grade_all([(problem, completion)])[0]

    def grade_all(self, pairs: Sequence[tuple[Problem, str]]) -> list[bool]:
        """Whether each completion is right."""
        return [score >= RIGHT for score in self.scores(pairs)]

    def scores(self, pairs: Sequence[tuple[Problem, str]]) -> list[float]:
        """The score in [0, 1] of each completion by the set's own grader.

        0 if the grader fails or exceeds its time or memory.

        **Raises:** `SandboxUnavailable` if the sandbox cannot be set up.
        """
        answers = [(_generated(problem), _final(completion)) for problem, completion in pairs]
        distinct = list(dict.fromkeys(answers))
        # Pickled here and unpickled in the sandbox; the reverse would be unsafe.
        requests = [pickle.dumps((dict(problem.entry), answer)) for problem, answer in distinct]
        replies = dict(zip(distinct, map(_score, self._grader.ask_all(requests)), strict=True))
        return [replies[pair] for pair in answers]

    def canonical_answer(self, completion: str) -> str:
        """The final answer, as a reduced number or with case and white space normalised.

        Most sets grade such spellings alike; a few compare texts exactly.
        """
        return canonical_text(final_answer(completion))

    def _distinct(
        self, draw: Draw, count: int, entropy: Sequence[int], seen: set[str]
    ) -> list[Problem]:
        """Problems whose prompts are not in `seen`; they are added to it."""
        drawn: list[Problem] = []
        for chunk in range(_NUM_CHUNKS):
            for entry in draw(_seed([*entropy, chunk]), count):
                problem = _problem(entry)
                key = normal_prompt(problem.text)
                if key not in seen:
                    seen.add(key)
                    drawn.append(problem)
                if len(drawn) == count:
                    return drawn
        raise InputError(
            f"reasoning-gym's set {self.name!r} with this configuration gave only {len(drawn)} "
            f"further distinct problems, {count} are asked for"
        )

    def _fault(self, dataset: Any) -> str:
        """How the grader misjudges texts from the library itself; empty if it is sound.

        None of these texts needs a sandbox.
        """
        entries = []
        for index in range(dataset.size):
            with refusals(self.name, self.config):
                entry = dataset[index]
                score = float(dataset.score_answer(entry["answer"], entry))
            if score < RIGHT:
                return f"its own reference answer {score:g} of 1"
            entries.append(entry)
        differ = len({canonical_text(str(entry["answer"])) for entry in entries}) > 1
        for text in (*_NO_ANSWERS, *_ANSWERS):
            given = [_is_right(dataset, text, entry) for entry in entries]
            if (text in _NO_ANSWERS and any(given)) or (differ and all(given)):
                return f"{text!r} the full score"
        # Problems may have several answers, but not every answer is right for every problem.
        others = [
            _is_right(dataset, other["answer"], entry)
            for entry, other in itertools.permutations(entries, 2)
            if entry["question"] != other["question"]
            and canonical_text(str(entry["answer"])) != canonical_text(str(other["answer"]))
        ]
        return "answers to other problems the full score" if others and all(others) else ""


def _is_right(dataset: Any, answer: Any, entry: Mapping[str, Any]) -> bool:
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # some graders print why an answer is wrong
            return float(dataset.score_answer(answer, entry)) >= RIGHT
    except Exception:
        return False


def _seed(entropy: Sequence[int]) -> int:
    """A seed far from the others: problem i of a set is drawn with the set's seed + i."""
    return int(np.random.SeedSequence(list(entropy)).generate_state(1)[0]) >> 1


def _problem(entry: Mapping[str, Any]) -> Problem:
    prompt = REASONING_GYM.format(question=entry["question"].strip())
    return GeneratedProblem(prompt, str(entry["answer"]), entry)


def _score(reply: Any) -> float:
    """The score in a reply of the sandbox; 0 if it is not a score."""
    is_number = isinstance(reply, int | float) and not isinstance(reply, bool)
    return float(reply) if is_number and 0 <= reply <= 1 else 0.0


def _generated(problem: Problem) -> GeneratedProblem:
    if not isinstance(problem, GeneratedProblem):
        raise ValueError(f"problem must be one of this task's, got {type(problem).__name__}")
    return problem


def _final(completion: str) -> str:
    answer = final_answer(completion)
    return answer if len(answer) <= MAX_ANSWER_CHARACTERS else ""


def _as_mapping(config: Mapping[str, Any] | str | None) -> dict[str, Any]:
    if isinstance(config, str):
        try:
            config = json.loads(config)
        except (ValueError, RecursionError) as error:
            raise InputError(f"config is not valid JSON: {error}") from error
    if config is not None and not isinstance(config, Mapping):
        raise InputError(f"config must be a JSON object, got {type(config).__name__}")
    return dict(config or {})
