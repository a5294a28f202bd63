"""Verify: score each candidate in [0, 1] without knowing any answer."""

from __future__ import annotations

import abc
import dataclasses

import jax
import numpy as np

from jaxgap.improve.chunks import equal_chunks
from jaxgap.improve.records import Candidates, Prompts, Scores
from jaxgap.models import LanguageModel, Params
from jaxgap.sampling import TokenBatch, encode_prompts, longest, next_token_logits

_WIDTH_STEP = 8  # judging prompts are padded to a multiple of this, so that few shapes compile


class AbstractVerifier(abc.ABC):
    """Whatever scores candidates."""

    @abc.abstractmethod
    def __call__(
        self, params: Params, prompts: Prompts, candidates: Candidates, key: jax.Array
    ) -> Scores:
        """Score candidates in [0, 1], higher meaning more likely right.

        **Arguments:**

        - `params`: the parameters of the model that is improving itself.
        - `prompts`: what was asked.
        - `candidates`: what it answered.
        - `key`: randomness of this stage of this round.
        """


@dataclasses.dataclass(frozen=True)
class SelfVerifier(AbstractVerifier):
    """The improving model's own judgement, by true-or-false questions.

    It is shown prompt and completion in a judging prompt and scored by the word it would say next:

        s = P(right) / (P(right) + P(wrong))

    **Arguments:**

    - `model`: the model that is improving itself.
    - `template`: the judging prompt, with `{prompt}` and `{completion}` in it.
    - `right`, `wrong`: the two words, each a single token.
    - `rows_per_call`: candidates judged at a time.

    **Raises:** `ValueError` if a word is not one token.

    The paper's TF verifier (Sun et al., arXiv:2507.00075, section 2), whose prompts it does not
    print.
    """

    model: LanguageModel
    template: str
    right: str
    wrong: str
    rows_per_call: int

    def __post_init__(self):
        for name, word in (("right", self.right), ("wrong", self.wrong)):
            if len(self.model.tokenizer.encode(word)) != 1:
                raise ValueError(f"{name} must be a single token, got {word!r}")

    def __call__(
        self, params: Params, prompts: Prompts, candidates: Candidates, key: jax.Array
    ) -> Scores:
        tokenizer = self.model.tokenizer
        texts = [
            self.template.format(prompt=prompt, completion=completion)
            for prompt, completions in zip(prompts.texts, candidates.texts, strict=True)
            for completion in completions
        ]
        # Likely completions are sampled many times over, and each needs judging only once.
        distinct, sampled = _distinct(texts)
        width = -(-longest(tokenizer, distinct) // _WIDTH_STEP) * _WIDTH_STEP
        questions = encode_prompts(tokenizer, distinct, width)
        words = [tokenizer.encode(self.right)[0], tokenizer.encode(self.wrong)[0]]
        scores = []
        for rows in equal_chunks(len(distinct), self.rows_per_call):
            batch = TokenBatch(questions.tokens[rows], questions.mask[rows])
            logits = next_token_logits(self.model, params, batch)[:, words]
            scores.append(np.asarray(jax.nn.softmax(logits)[:, 0]))
        return np.concatenate(scores)[sampled].reshape(candidates.finished.shape)


@dataclasses.dataclass(frozen=True)
class RandomVerifier(AbstractVerifier):
    """Scores drawn uniformly from [0, 1): the control that knows nothing.

    What a run gains with it comes from selecting likely answers, not from judging them.
    """

    def __call__(
        self, params: Params, prompts: Prompts, candidates: Candidates, key: jax.Array
    ) -> Scores:
        return np.asarray(jax.random.uniform(key, candidates.finished.shape))


def _distinct(texts: list[str]) -> tuple[list[str], list[int]]:
    """The different texts in order of appearance, and for each text which of them it is."""
    places: dict[str, int] = {}
    sampled = [places.setdefault(text, len(places)) for text in texts]
    return list(places), sampled
