"""Problems with known answers, and tasks: two disjoint splits of them with an exact grader."""

from __future__ import annotations

import abc
import dataclasses
import json
import unicodedata
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

from jaxgap.errors import InputError


class Message(NamedTuple):
    """One turn of a conversation.

    **Fields:**

    - `role`: the speaker.
    - `content`: the text.
    """

    role: Literal["system", "user", "assistant"]
    content: str


Prompt: TypeAlias = str | tuple[Message, ...]
"""A text a model continues, or the turns of a conversation it answers."""


_LABELS = {"system": "", "user": "Question: ", "assistant": "Answer: "}

NEXT_QUESTION = "\n\n" + _LABELS["user"].rstrip()
"""Where a model without a chat template, given solved examples, starts a question of its own."""


def as_text(prompt: Prompt) -> str:
    """A prompt as one text, turns separated by blank lines: for models without a chat template.

    If there are solved examples, turns are labelled, which shows where an answer ends.

    >>> as_text((Message("user", "1+1="), Message("assistant", "2"), Message("user", "1+2=")))
    'Question: 1+1=\\n\\nAnswer: 2\\n\\nQuestion: 1+2=\\n\\nAnswer:'
    """
    if isinstance(prompt, str):
        return prompt
    if not has_examples(prompt):
        return "\n\n".join(message.content for message in prompt)
    turns = [_LABELS[message.role] + message.content for message in prompt]
    return "\n\n".join([*turns, _LABELS["assistant"].rstrip()])


def has_examples(prompt: Prompt) -> bool:
    """Whether solved examples precede the question."""
    return not isinstance(prompt, str) and any(turn.role == "assistant" for turn in prompt)


def as_messages(prompt: Prompt) -> tuple[Message, ...]:
    """A prompt as a conversation for a chat template; a plain text becomes its only turn.

    >>> as_messages("1+1=")
    (Message(role='user', content='1+1='),)
    """
    return (Message("user", prompt),) if isinstance(prompt, str) else prompt


@dataclasses.dataclass(frozen=True)
class Problem:
    """One question.

    **Fields:**

    - `prompt`: what the model is asked.
    - `answer`: the reference answer; only a grader may look at it.

    **Raises:** `InputError` if the prompt is neither a text nor turns of the three roles, or the
    answer cannot be stored as JSON.
    """

    prompt: Prompt
    answer: str

    def __post_init__(self):
        try:
            json.dumps(self.answer)
        except (TypeError, ValueError):
            raise InputError(
                "a reference answer must be a text, or something else that JSON can hold, got "
                f"{self.answer!r:.60}"
            ) from None
        if isinstance(self.prompt, str):
            return
        turns = self.prompt if isinstance(self.prompt, Sequence) else [self.prompt]
        for turn in turns:
            is_turn = isinstance(turn, Message) and isinstance(turn.content, str)
            if not is_turn or turn.role not in _LABELS:
                raise InputError(
                    "a prompt must be a text or a tuple of Message(role, content), where role is "
                    f"{', '.join(_LABELS)}; got {turn!r:.60}"
                )

    @property
    def text(self) -> str:
        """The prompt as :func:`as_text` gives it."""
        return as_text(self.prompt)

    @property
    def messages(self) -> tuple[Message, ...]:
        """The prompt as :func:`as_messages` gives it."""
        return as_messages(self.prompt)

    @property
    def short_question(self) -> str:
        """The beginning of the user's last turn, which tells problems with the same solved examples
        apart.
        """
        asked = (turn.content for turn in reversed(self.messages) if turn.role == "user")
        text = next(asked, self.text)
        return text if len(text) <= 80 else text[:77] + "..."


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
    >>> Doubling().grade_all([(split.train[1], " 2"), (split.train[1], "3")])
    [True, False]
    """

    @abc.abstractmethod
    def problems(self, count: int, *, seed: int) -> Sequence[Problem]:
        """`count` problems with distinct prompts, determined by the seed."""

    @abc.abstractmethod
    def grade(self, problem: Problem, completion: str) -> bool:
        """Whether `completion` answers `problem` correctly.

        It must return for any text, however long or strange, in bounded time.
        """

    def grade_all(self, pairs: Sequence[tuple[Problem, str]]) -> list[bool]:
        """Whether each completion answers its problem; in parallel where that is slow."""
        return [self.grade(problem, completion) for problem, completion in pairs]

    def canonical_answer(self, completion: str) -> str:
        """The answer in a completion, normalised so that equal answers are equal texts.

        Majority votes count these. It does not depend on any reference answer, and two completions
        with the same canonical answer are graded alike.
        """
        return completion.strip()

    def canonical_answers(self, completions: Sequence[str]) -> list[str]:
        """The canonical answer of each completion, in parallel where that is slow."""
        return [self.canonical_answer(completion) for completion in completions]

    def split(self, num_train: int, num_held_out: int, *, seed: int) -> TaskSplit:
        """Draw both splits at once, so that they share no prompt.

        **Raises:** `InputError` if a count is below 1, or the task repeats a prompt or returns
        another number of problems than requested.
        """
        check_sizes(num_train, num_held_out)
        count = num_train + num_held_out
        drawn = self.problems(count, seed=seed)
        if len(drawn) != count:
            raise InputError(
                f"{type(self).__name__}.problems gave {len(drawn)} problems, where {count} are "
                f"asked for ({num_train} to train on, {num_held_out} held out)"
            )
        return TaskSplit(train=tuple(drawn[:num_train]), held_out=tuple(drawn[num_train:]))


@dataclasses.dataclass(frozen=True)
class TaskSplit:
    """Problems to train on and problems to measure on, with no prompt in common.

    Across the splits, prompts that differ only in white space or case count as the same.

    **Fields:**

    - `train`: problems on whose prompts the model trains (with its own completions).
    - `held_out`: problems that it is measured on.

    **Raises:** `InputError` if a split is empty, or a prompt is repeated within or across them.
    """

    train: tuple[Problem, ...]
    held_out: tuple[Problem, ...]

    def __post_init__(self):
        train, held_out = [p.text for p in self.train], [p.text for p in self.held_out]
        for name, prompts in (("train", train), ("held_out", held_out)):
            if not prompts:
                raise InputError(f"the {name} split is empty: give at least one problem")
            if len(set(prompts)) < len(prompts):
                raise InputError(f"the {name} split repeats a prompt: make its prompts distinct")
        trained_on = {normal_prompt(prompt) for prompt in train}
        shared = [problem for problem in self.held_out if normal_prompt(problem.text) in trained_on]
        if shared:
            example = shared[0].short_question
            raise InputError(
                f"{len(shared)} prompts are in both splits, for example {example!r}: "
                "held-out prompts must not be trained on, not even in other white space or case"
            )


def check_sizes(num_train: int, num_held_out: int) -> None:
    """Refuse empty splits.

    **Raises:** `InputError`.
    """
    for name, count in (("num_train", num_train), ("num_held_out", num_held_out)):
        if count < 1:
            raise InputError(f"{name} must be at least 1, got {count}")


def normal_prompt(text: str) -> str:
    """A prompt normalised for comparison: case, white space and Unicode composition do not count.

    >>> normal_prompt("What is\\n  1 + 1?") == normal_prompt("what is 1 + 1?")
    True
    """
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())
