"""Verify by asking the improving model itself and reading its next-token distribution."""

from __future__ import annotations

import dataclasses
import functools
import string
from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Float

from jaxgap.errors import InputError
from jaxgap.improve.round_records import Candidates, Prompts, Scores, as_asked
from jaxgap.improve.verifiers.abstract_verifier import AbstractVerifier
from jaxgap.improve.verifiers.chunks import chunks_of_groups
from jaxgap.improve.verifiers.judging_prompts import JudgingPrompts
from jaxgap.models import AbstractTokenizer, LanguageModel, Params
from jaxgap.sampling import continued_logits
from jaxgap.sharding import rows_to_devices, to_host

_HERE = "{completion}"  # stands in for a completion, to find the text around it


@dataclasses.dataclass(frozen=True)
class Question:
    """How a model is asked about a candidate, and what its answers are worth.

    **Fields:**

    - `template`: the judging prompt, with `{prompt}` and `{completion}` in it; other braces are
        doubled, as for `str.format`.
    - `worth`: the allowed answers, each with its worth in [0, 1]. A word may be listed in two
        spellings, with and without a leading space, since tokenizers differ.

    **Raises:** `InputError` if the template does not contain `{completion}` once, or has other
    fields, or there are no words of different worth.
    """

    template: str
    worth: tuple[tuple[str, float], ...]

    def __post_init__(self):
        fields = _fields(self.template)
        if (
            fields is None
            or fields.count("completion") != 1
            or {*fields} - {"prompt", "completion"}
        ):
            raise InputError(
                "a question's template must contain {completion} once, may contain {prompt}, and "
                "doubles all other braces: {{ and }}"
            )
        if not _differ_in_worth(self.worth):
            raise InputError(
                "a question must allow words of different worth, each from 0 to 1, got "
                f"{self.worth!r:.60}"
            )


@dataclasses.dataclass(frozen=True)
class AskingVerifier(AbstractVerifier):
    """The improving model's own judgement of each candidate.

    The model reads prompt and completion in a judging prompt, and its next-token distribution gives
    the score

        s = sum_w worth(w) P(w) / sum_w P(w)

    over the words `w` that the question allows, where P is the probability of a word's first token
    at temperature 1. A candidate whose judging prompt exceeds the model's context scores 0.

    **Arguments:**

    - `model`: the model that is improving itself.
    - `question`: how it is asked.
    - `rows_per_call`: maximum number of candidates judged at a time.
    - `prompts_per_call`: maximum number of problems whose candidates are judged at a time. A call
        keeps in memory a prefix per problem and a suffix per candidate; duplicate candidates are
        judged once, so `rows_per_call` alone would not bound the number of problems.

    **Raises:** `InputError` if the question's words cannot be distinguished by their first tokens.
    """

    model: LanguageModel
    question: Question
    rows_per_call: int
    prompts_per_call: int

    def __post_init__(self):
        self._tokens  # noqa: B018 - fail now, not in the first round

    @functools.cached_property
    def _tokens(self) -> tuple[np.ndarray, np.ndarray]:
        """The answer tokens and the worth of each."""
        return _answer_tokens(self.model.tokenizer, self.question)

    def __call__(
        self, params: Params, prompts: Prompts, candidates: Candidates, key: jax.Array
    ) -> Scores:
        # A candidate must not end the question and start the answer itself.
        plain = self.model.tokenizer.without_special_tokens
        texts = [
            self.question.template.format(prompt=prompt, completion=plain(completion))
            for prompt, completions in zip(prompts.texts, candidates.texts, strict=True)
            for completion in completions
        ]
        # Likely completions are sampled many times; each is judged only once.
        distinct, sampled = _distinct(texts)
        _, first = np.unique(sampled, return_index=True)
        tokenizer = self.model.tokenizer
        judged = JudgingPrompts(
            rows=self._encode([_as_judged(tokenizer, text) for text in distinct]),
            problems=first // candidates.finished.shape[1],
            prefixes=self.around(prompts)[0],
        )
        judged = judged.with_whole_rows(self.model.config.rope_scaling.window)
        return self._judge(params, judged)[sampled].reshape(candidates.finished.shape)

    def around(self, prompts: Prompts) -> tuple[list[list[int]], list[int]]:
        """Each problem's tokens before a completion in its judging prompt, and those after any."""
        template, tokenizer = self.question.template, self.model.tokenizer
        texts = [template.format(prompt=text, completion=_HERE) for text in prompts.texts]
        asked = [_as_judged(tokenizer, text).rpartition(_HERE) for text in texts]
        (after,) = tokenizer.encode_batch([asked[0][-1]], begin=False)
        return self._encode([before for before, *_ in asked]), after

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        tokenizer = self.model.tokenizer
        return tokenizer.encode_batch(texts, begin=tokenizer.begins_prompts)

    def _judge(self, params: Params, judged: JudgingPrompts) -> Float[np.ndarray, " judged"]:
        """The score of each judging prompt; problems of similar length are read together."""
        scores = np.zeros(len(judged.rows))
        tokens, worth = self._tokens
        fitting = judged.fitting(self.model.config.context_length)
        problems = judged.problems[fitting]
        for chunk in chunks_of_groups(problems, self.rows_per_call, self.prompts_per_call):
            indices = fitting[chunk]
            split = judged.split(indices, self.model.tokenizer.pad_id)
            logits = continued_logits(self.model, params, *rows_to_devices(split))[:, tokens]
            scores[indices] = to_host(jax.nn.softmax(logits)) @ worth
        return scores


def _fields(template: str) -> list[str] | None:
    """The names in braces in a template; `None` if a brace is not closed."""
    try:
        return [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
    except (TypeError, ValueError):
        return None


def _differ_in_worth(worth: Sequence[tuple[str, float]]) -> bool:
    """Whether these are words, some of which are worth more than others, from 0 to 1."""
    try:
        words, worths = zip(*worth, strict=True)
        in_range = all(0 <= value <= 1 for value in worths)
    except (TypeError, ValueError):
        return False
    return in_range and len({*worths}) > 1 and all(isinstance(word, str) for word in words)


def _as_judged(tokenizer: AbstractTokenizer, text: str) -> str:
    """A judging prompt as the model reads it, without thinking first."""
    return as_asked(tokenizer, text, thinks=False)


def _answer_tokens(
    tokenizer: AbstractTokenizer, question: Question
) -> tuple[np.ndarray, np.ndarray]:
    """The first token of each word when it follows the question, and the word's worth.

    A spelling that the tokenizer cannot encode, or that would change the preceding tokens, is left
    out, as is a first token shared by words of different worth.
    """
    context = _as_judged(tokenizer, question.template.format(prompt="", completion=""))
    (before,) = tokenizer.encode_batch([context], begin=tokenizer.begins_prompts)
    worth: dict[int, set[float]] = {}
    for word, value in question.worth:
        try:
            (row,) = tokenizer.encode_batch([context + word], begin=tokenizer.begins_prompts)
        except ValueError:
            continue
        if row[: len(before)] == before and len(row) > len(before):
            worth.setdefault(row[len(before)], set()).add(value)
    worth_of = {token: values.pop() for token, values in worth.items() if len(values) == 1}
    if set(worth_of.values()) != {value for _, value in question.worth}:
        words = ", ".join(dict.fromkeys(word.strip() for word, _ in question.worth))
        raise InputError(
            f"the model's tokenizer does not tell the words {words} apart by their first tokens: "
            "choose another verifier"
        )
    return np.array(list(worth_of), np.int32), np.array(list(worth_of.values()))


def _distinct(texts: Sequence[str]) -> tuple[list[str], list[int]]:
    """The distinct texts in order of appearance, and for each text its index among them."""
    places: dict[str, int] = {}
    sampled = [places.setdefault(text, len(places)) for text in texts]
    return list(places), sampled
